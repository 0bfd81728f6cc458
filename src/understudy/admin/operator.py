"""What operators may change: the questions and answers of the API's changes, and who takes them.

These dataclasses are the API's JSON, field by field.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

from msgspec import Meta

from understudy.admin.rollouts import Rollouts

WAIT_S = 60.0
WAIT_S_MAX = 3_600.0
DETAIL_CHARS_MAX = 500

Wait = Annotated[float, Meta(ge=0, le=WAIT_S_MAX)]
"""How long the answer waits, at most, for models that are new."""
Detail = Annotated[str, Meta(max_length=DETAIL_CHARS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConfig:
    """A whole configuration that is to be in force.

    Attributes:
        text: a ModelServerConfig in protobuf's text format.
        dry_run: judge it and say what it would change; change nothing.
        expected_revision: refuse it when another revision is in force; none: whatever is.
        detail: who asks, or why, for the history.
        wait_s: how long the answer waits for models that are new.
    """

    text: str
    dry_run: bool = False
    expected_revision: int | None = None
    detail: Detail = ""
    wait_s: Wait = WAIT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """An earlier configuration that is to be in force again.

    Attributes:
        revision: its number.
        dry_run: judge it and say what it would change; change nothing.
        expected_revision: refuse it when another revision is in force; none: whatever is.
        wait_s: how long the answer waits for models that are new.
    """

    revision: int
    dry_run: bool = False
    expected_revision: int | None = None
    wait_s: Wait = WAIT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLabel:
    """Where a label is to lead.

    Attributes:
        version: the version's number.
    """

    version: Annotated[int, Meta(ge=0, le=2**63 - 1)]


@dataclass(frozen=True, slots=True)
class RevisionView:
    """A revision of the configuration.

    Attributes:
        number: counted from 1.
        at: when it was recorded, just before it came into force.
        origin: `startup`, `file`, `rpc` or `api`.
        detail: who or what asked; may be empty.
        in_force: whether it is the present one.
    """

    number: int
    at: datetime
    origin: str
    detail: str
    in_force: bool


@dataclass(frozen=True, slots=True)
class ConfigView:
    """A revision with its text.

    Attributes:
        revision: which.
        text: in canonical form: models and labels sorted, so that equal configurations read equal.
    """

    revision: RevisionView
    text: str


@dataclass(frozen=True, slots=True)
class HistoryView:
    """Revisions, the newest first."""

    revisions: tuple[RevisionView, ...]


@dataclass(frozen=True, slots=True)
class FailedView:
    """A model that is new and did not become available.

    Attributes:
        model: its name.
        version: one that was to serve.
        code: canonical code by name.
        message: why it does not.
    """

    model: str
    version: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class LabelLeftView:
    """A label that was assigned anew and could not move; it moves when its version is ready after all.

    Attributes:
        model: its model.
        label: its name.
        version: where it is to lead.
        reason: why it does not.
    """

    model: str
    label: str
    version: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """What a change did, or would do.

    Attributes:
        revision: in force now.
        dry_run: nothing was changed, whatever the rest says.
        added: names of models that are new.
        removed: names of models that are gone.
        changed: names of models that differ; when all three are empty, it was in force already.
        failed: new models that did not become available; the configuration is in force all the same.
        labels_left: labels that could not move; likewise.
        loading: models that are new, or whose labels are, and that were still under way when the time to
            wait was over; likewise.
    """

    revision: int
    dry_run: bool = False
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    failed: tuple[FailedView, ...] = ()
    labels_left: tuple[LabelLeftView, ...] = ()
    loading: tuple[str, ...] = ()

    @property
    def is_change(self) -> bool:
        """Whether anything differs from what was in force before."""
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class RetryView:
    """A version is tried again.

    Attributes:
        model: its model.
        version: its number.
        reason: what the server says to it.
    """

    model: str
    version: int
    reason: str


class Operator(Protocol):
    """Who takes operators' changes.

    Called on the API's event loop. The methods that change something raise ConfigError or StoreError when
    they refuse, and then nothing has changed.
    """

    @property
    def rollouts(self) -> Rollouts:
        """Who tells of rollouts, and takes orders about traffic."""
        ...

    async def config(self) -> ConfigView:
        """The revision in force."""
        ...

    async def revision(self, number: int) -> ConfigView:
        """A revision on record."""
        ...

    async def history(self, limit: int) -> HistoryView:
        """The newest revisions."""
        ...

    async def apply(self, config: NewConfig) -> ChangeView:
        """Puts a configuration in force."""
        ...

    async def roll_back(self, rollback: Rollback) -> ChangeView:
        """Puts an earlier configuration in force again."""
        ...

    async def set_label(self, model: str, label: str, version: int | None) -> ChangeView:
        """Lets a label lead to a version; none: takes the label away."""
        ...

    async def retry(self, model: str, version: int) -> RetryView:
        """Tries to load a version again now."""
        ...
