"""What operators can order about a model's traffic. Data only."""

from dataclasses import dataclass

from understudy.rollout.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Roll a version out.

    Attributes:
        candidate: which; it need not be there yet.
        baseline: against which; none: the version that serves.
        plan: how; none: as the model's strategy says, or else as plans are by default.
    """

    candidate: int
    baseline: int | None = None
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Stay at the present weight until `Resume`. Harm still rolls back."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on after a pause."""


@dataclass(frozen=True, slots=True)
class Approve:
    """Go on from a step that needs approval."""


@dataclass(frozen=True, slots=True)
class Promote:
    """Promote now, whatever the evidence says so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort:
    """Roll back now.

    Attributes:
        reason: for the history.
        quarantines: the candidate must not be picked up again.
    """

    reason: str = ""
    quarantines: bool = True


@dataclass(frozen=True, slots=True)
class Undo:
    """Take a promotion back while the old baseline is still kept."""


@dataclass(frozen=True, slots=True)
class SetWeights:
    """Split traffic by hand.

    Attributes:
        weights: version and its share in hundredths of a per cent, together all of it.
    """

    weights: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ClearWeights:
    """Let the default version answer everything again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A version must not be served.

    Attributes:
        version: which.
        reason: a sentence for people.
    """

    version: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A version may be served again.

    Attributes:
        version: which.
    """

    version: int


Command = (
    Start
    | Pause
    | Resume
    | Approve
    | Promote
    | Abort
    | Undo
    | SetWeights
    | ClearWeights
    | Quarantine
    | Release
)
