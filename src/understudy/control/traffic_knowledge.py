"""What is known of models when their traffic is decided on: looks, counts, validation's outcome."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from understudy.analysis.judging import judge
from understudy.analysis.verdict import Judgement
from understudy.control.facts import TrialSeen
from understudy.control.picture import Picture
from understudy.rollout.gathering import gather
from understudy.rollout.plan import Strategy
from understudy.rollout.situation import Situation
from understudy.rollout.state import ModelTraffic, Rollout
from understudy.rollout.validation import ValidationOutcome
from understudy.rollout.watched import watched_metrics
from understudy.servable import FoundVersions


@dataclass(slots=True)
class _Known:
    """Of one model.

    Attributes:
        look: the last good one.
        trial: what was counted last.
        judged: the judgement of it, once it was asked for.
        outcome: of the last validation.
    """

    look: FoundVersions | None = None
    trial: TrialSeen | None = None
    judged: Judgement | None = None
    outcome: ValidationOutcome | None = None


@dataclass(slots=True)
class TrafficKnowledge:
    """Gathered as facts come in; owned by the control loop's thread.

    Attributes:
        strategies: in force, by model.
    """

    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    _known: dict[str, _Known] = field(default_factory=dict)

    def note_looks(self, looks: Iterable[FoundVersions]) -> None:
        """A source saw these models."""
        for look in looks:
            if look.failure is None:
                self._of(look.name).look = look

    def note_trial(self, model: str, trial: TrialSeen) -> None:
        """The data plane counted."""
        known = self._of(model)
        known.trial, known.judged = trial, None

    def note_outcome(self, outcome: ValidationOutcome) -> None:
        """A candidate was looked at."""
        self._of(outcome.candidate.name).outcome = outcome

    def forget_rollout(self, model: str) -> None:
        """Its rollout is over: what was counted and found of it says nothing about the next."""
        known = self._of(model)
        known.trial = known.judged = known.outcome = None

    def forget(self, model: str) -> None:
        """It is not configured any more, or is to be found elsewhere."""
        self._known.pop(model, None)

    def situation(
        self, model: str, traffic: ModelTraffic, picture: Picture, *, is_recorded: bool
    ) -> Situation:
        """All that the core asks for."""
        known = self._of(model)
        route = picture.table.routes.get(model)
        rollout = traffic.rollout
        outcome = known.outcome
        trial = known.trial if rollout is not None and _is_its(known.trial, rollout) else None
        return Situation(
            model=model,
            config=picture.configured.get(model),
            strategy=self.strategies.get(model),
            look=known.look,
            snapshot=picture.models.get(model),
            default_version=None if route is None else route.default_version,
            validation=outcome if rollout and outcome and _is_of(outcome, rollout) else None,
            evidence=None if trial is None else trial.evidence,
            judgement=None if rollout is None else self._judge(known, rollout),
            thresholds_s=() if trial is None else trial.thresholds_s,
            is_recorded=is_recorded,
        )

    def _judge(self, known: _Known, rollout: Rollout) -> Judgement | None:
        """Once for what was counted: four times a second is as often as anybody has to know."""
        if known.trial is None or not _is_its(known.trial, rollout):
            return None
        if known.judged is None:
            evidence = gather(rollout, known.trial.evidence)
            known.judged = judge(
                evidence, rollout.plan.analysis, watched=watched_metrics(rollout.plan, rollout.thresholds_s)
            )
        return known.judged

    def _of(self, model: str) -> _Known:
        return self._known.setdefault(model, _Known())


def _is_its(trial: TrialSeen | None, rollout: Rollout) -> bool:
    """Whether it is the rollout's: weights by hand and the rollout before may have been counted last."""
    return trial is not None and trial.evidence.trial == rollout.id


def _is_of(outcome: ValidationOutcome, rollout: Rollout) -> bool:
    return outcome.candidate.version == rollout.candidate
