"""What a candidate must show before any request reaches it: what is looked at, and what came of it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from understudy.rollout.plan import Validation
from understudy.servable import ServableId

FINDINGS_MAX = 20
"""Sentences of one outcome; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validate:
    """Look at a candidate that is loaded; answer with `ValidationOutcome`, once, and in bounded time.

    Nothing is answered when one of the two is unloaded meanwhile: that is no fault of the candidate's, and
    whoever ordered this sees it, too.

    Attributes:
        candidate: which.
        path: of its directory, where its golden examples are.
        baseline: whose clients must miss nothing; it is loaded.
        settings: what the candidate must be.
    """

    candidate: ServableId
    path: str
    baseline: ServableId
    settings: Validation


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationOutcome:
    """What came of it.

    Attributes:
        candidate: which was looked at.
        passed: it may have traffic, as far as this goes.
        findings: sentences: why not; none when it passed.
        notes: sentences: what was looked at and is right, and what there was nothing to look at for.
        duration_s: of all of it.
    """

    candidate: ServableId
    passed: bool
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    duration_s: float = 0.0

    @property
    def sentence(self) -> str:
        """All of it, for people."""
        head = "validated" if self.passed else "failed validation"
        return f"{head}: {'; '.join(self.findings or self.notes)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenReport:
    """What the candidate made of its golden examples.

    Attributes:
        examples: how many it ships; 0: none.
        mismatched: how many it does not reproduce.
        worst: sentences: which, and how they differ, the worst first; the rest are counted.
        slowest_s: the longest that one took, after it had been run before; 0 where none ran.
        slowest: which one that was.
    """

    examples: int = 0
    mismatched: int = 0
    worst: tuple[str, ...] = ()
    slowest_s: float = 0.0
    slowest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was seen; the part that the settings do not want is left out.

    Attributes:
        losses: what clients of the baseline would miss, a sentence each; none: not looked at.
        golden: none: not looked at.
    """

    losses: tuple[str, ...] | None = None
    golden: GoldenReport | None = None


def judge_validation(
    settings: Validation, checked: Checked, *, baseline: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The findings, none if it passes, and the notes."""
    findings: list[str] = []
    notes: list[str] = []
    if checked.losses is not None:
        missed = tuple(_missed(checked.losses, settings.exceptions))
        findings.extend(f"clients of version {baseline} would miss: {loss}" for loss in missed)
        if not missed:
            notes.append(f"clients of version {baseline} miss nothing{_accepted(checked.losses)}")
    if checked.golden is not None:
        findings.extend(_golden_findings(settings, checked.golden))
        if not _golden_findings(settings, checked.golden):
            notes.append(_golden_note(checked.golden, settings.latency_budget_s))
    if len(findings) > FINDINGS_MAX:
        findings = [*findings[:FINDINGS_MAX], f"and {len(findings) - FINDINGS_MAX} more"]
    return tuple(findings), tuple(notes)


def _missed(losses: tuple[str, ...], exceptions: tuple[str, ...]) -> Iterator[str]:
    yield from (loss for loss in losses if not loss.startswith(exceptions))


def _accepted(losses: tuple[str, ...]) -> str:
    return f" but what the plan accepts: {'; '.join(losses)}" if losses else ""


def _golden_findings(settings: Validation, golden: GoldenReport) -> list[str]:
    findings: list[str] = []
    if settings.golden and golden.mismatched:
        findings.append(
            f"{golden.mismatched} of {golden.examples} golden examples are not reproduced: "
            + "; ".join(golden.worst)
        )
    budget_s = settings.latency_budget_s
    if budget_s is not None and golden.slowest_s > budget_s:
        findings.append(
            f"{golden.slowest} took {_milliseconds(golden.slowest_s)}, more than the latency budget of "
            f"{_milliseconds(budget_s)}"
        )
    return findings


def _golden_note(golden: GoldenReport, budget_s: float | None) -> str:
    if not golden.examples:
        return "it ships no golden examples" + (
            "" if budget_s is None else ", so that there is nothing to measure the latency budget by"
        )
    verb = "reproduces" if not golden.mismatched else "was asked, for their latency alone,"
    return (
        f"it {verb} its golden examples ({golden.examples}), the slowest in {_milliseconds(golden.slowest_s)}"
    )


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1_000:.3g} ms"
