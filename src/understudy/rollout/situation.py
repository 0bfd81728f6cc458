"""What is known of a model when its traffic is decided on, and plain questions to it."""

from dataclasses import dataclass

from understudy.analysis.verdict import Judgement
from understudy.evidence import Evidence
from understudy.model_config import ModelConfig
from understudy.rollout.plan import Strategy
from understudy.rollout.validation import ValidationOutcome
from understudy.servable import FoundVersions, ModelSnapshot, State, VersionSnapshot

GIVEN_UP = frozenset({State.ERROR, State.OVERDUE})
"""States in which a version is not on its way."""
OVER = GIVEN_UP | {State.END}


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known of one model now.

    Attributes:
        model: its name.
        config: as configured; none: it is not, any more.
        strategy: for its new versions; none: it is not managed.
        look: the last good look at its present place; none: there was none yet.
        snapshot: of its versions; none: it has none.
        default_version: who answers requests that name neither version nor label, in the routes in force;
            none: nobody.
        validation: what came of the candidate's; none: nothing yet.
        evidence: what the data plane counts now; none: nothing is known.
        judgement: of that and what was kept before, together (`gather`); none: not judged.
        thresholds_s: latency thresholds as the baseline would set them now, by metric; none: not known yet.
        is_recorded: the present state is in the store. While it is not, nothing goes forward.
    """

    model: str
    config: ModelConfig | None
    strategy: Strategy | None = None
    look: FoundVersions | None = None
    snapshot: ModelSnapshot | None = None
    default_version: int | None = None
    validation: ValidationOutcome | None = None
    evidence: Evidence | None = None
    judgement: Judgement | None = None
    thresholds_s: tuple[tuple[str, float], ...] = ()
    is_recorded: bool = True

    @property
    def found(self) -> frozenset[int]:
        """The versions that the last good look saw."""
        return frozenset(each.version for each in self.look.versions) if self.look else frozenset()

    @property
    def known(self) -> frozenset[int]:
        """Those, and the versions that live although they were not seen."""
        alive = self.snapshot.versions if self.snapshot else ()
        return self.found | {each.version for each in alive if each.state not in OVER}

    def is_missing(self, version: int) -> bool:
        """Whether it was looked for, and is not there."""
        look = self.look
        if look is None or (look.only is not None and version not in look.only):
            return False
        return version not in self.found

    def version(self, version: int) -> VersionSnapshot | None:
        """It, as it lives; of several incarnations one that is ready, else the last."""
        versions = self.snapshot.versions if self.snapshot else ()
        alive = [each for each in versions if each.version == version]
        ready = [each for each in alive if each.state is State.READY]
        return next(iter(ready or alive[-1:]), None)

    def is_ready(self, version: int) -> bool:
        """Whether requests may reach it."""
        alive = self.version(version)
        return alive is not None and alive.state is State.READY

    def given_up(self, version: int) -> VersionSnapshot | None:
        """It, if it is wanted, and its load has failed for good or does not come back; none: it may come.

        One that failed when it was wanted before, and is wanted again, gets another try.
        """
        alive = self.version(version)
        return alive if alive is not None and alive.state in GIVEN_UP and alive.aspired else None

    def is_lost(self, version: int) -> bool:
        """Whether it does not serve, and is not on its way either."""
        alive = self.version(version)
        if alive is None or alive.state is State.END:
            return self.is_missing(version)
        return alive.state in GIVEN_UP
