"""What operators see: frozen pictures of the server, and the port through which the API asks for them.

These dataclasses are the API's JSON, field by field; times are aware datetimes in UTC and become ISO 8601.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Literal, Protocol

from understudy.admin.rollouts import RolloutHeadView, ShareView, TrafficView
from understudy.model_config import Latest, Specific, VersionPolicy
from understudy.servable import State


class Phase(Enum):
    """Where the server is in its life."""

    STARTING = "starting"
    """The doors are closed: the configured models have not settled."""
    SERVING = "serving"
    DRAINING = "draining"
    """It was told to stop: no new requests, the last ones finish."""


@dataclass(frozen=True, slots=True)
class FailureView:
    """Why something failed.

    Attributes:
        code: canonical code by name, `NOT_FOUND` for example.
        message: a sentence for people.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class LabelView:
    """A label.

    Attributes:
        label: its name.
        version: the version it leads to now; before it leads anywhere, the one that is configured.
        ready: whether requests by it are answered now.
        missing: that version is neither found nor loaded: it was removed, or never was there.
        target: the version that is configured, while that is another one; it moves when that is ready.
        target_state: where that one is in its life; none: it is not there.
    """

    label: str
    version: int
    ready: bool
    missing: bool = False
    target: int | None = None
    target_state: State | None = None


@dataclass(frozen=True, slots=True)
class PolicyView:
    """Which versions should live.

    Attributes:
        kind: of policy.
        count: how many of the highest, for `latest`.
        versions: which ones, ascending, for `specific`.
    """

    kind: Literal["latest", "all", "specific"]
    count: int | None = None
    versions: tuple[int, ...] = ()

    @staticmethod
    def of(policy: VersionPolicy) -> "PolicyView":
        """The picture of a policy."""
        match policy:
            case Latest(count=count):
                return PolicyView(kind="latest", count=count)
            case Specific(versions=versions):
                return PolicyView(kind="specific", versions=versions)
            case _:
                return PolicyView(kind="all")

    def __str__(self) -> str:
        match self.kind:
            case "latest":
                return f"latest {self.count}"
            case "specific":
                return "specific " + (", ".join(map(str, self.versions)) or "(none)")
            case _:
                return "all"


@dataclass(frozen=True, slots=True)
class MethodView:
    """Requests of one method and signature of a version, since it was loaded.

    Attributes:
        method: and door: `predict:grpc` for example.
        signature: its name in the model.
        requests: answered.
        failures: of those, answered with an error.
        latency_mean_s: of those that succeeded; none when none did.
        latency_p50_s: half of those were answered within it; none when there were none.
        latency_p99_s: 99 in 100 of those were answered within it; none when there were none.
    """

    method: str
    signature: str
    requests: int
    failures: int
    latency_mean_s: float | None = None
    latency_p50_s: float | None = None
    latency_p99_s: float | None = None


@dataclass(frozen=True, slots=True)
class EnteredView:
    """A state, and when it was last entered."""

    state: State
    at: datetime


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version that the server has, or had.

    Attributes:
        version: its number.
        state: where it is in its life.
        since: when it entered that state.
        reason: why, as a sentence.
        path: where it was loaded from; empty when not known.
        failure: of its last load attempt, when that failed.
        attempts: loads begun since it was last new.
        load_duration_s: of the last attempt that ended; none before.
        in_flight: requests that it is answering now.
        requests: answered since it was loaded.
        failures: of those, answered with an error.
        methods: the same by method and signature.
        aspired: whether it should be loaded now.
        next_attempt_at: when the next attempt begins; none unless it is retrying.
        in_state_s: how long it has been in its state.
        waiting_s: how long it waited for its turn before the first attempt; none: not known.
        serving_s: how long it has answered requests, or did; none: it never was ready.
        unload_duration_s: of the last unload, waiting for its last requests included; none before.
        requests_left: requests that outlived the last drain.
        entered: when each state was last entered, in the order of entering.
        estimate_bytes: memory that it is expected to need; none before anybody looked.
        growth_bytes: by how much the process grew during its last load; none: not known.
        files_changed_at: when its files were seen to differ from those it was loaded from; none: never.
        incarnation: tells apart what was loaded under the same number from different places.
        arm: what it is in the rollout under way, `baseline` or `candidate`; empty: nothing.
        quarantined: it must not be served until somebody releases it.
    """

    version: int
    state: State
    since: datetime
    reason: str
    path: str = ""
    failure: FailureView | None = None
    attempts: int = 0
    load_duration_s: float | None = None
    in_flight: int = 0
    requests: int = 0
    failures: int = 0
    methods: tuple[MethodView, ...] = ()
    aspired: bool = True
    next_attempt_at: datetime | None = None
    in_state_s: float = 0.0
    waiting_s: float | None = None
    serving_s: float | None = None
    unload_duration_s: float | None = None
    requests_left: int = 0
    entered: tuple[EnteredView, ...] = ()
    estimate_bytes: int | None = None
    growth_bytes: int | None = None
    files_changed_at: datetime | None = None
    incarnation: int = 0
    arm: str = ""
    quarantined: bool = False


@dataclass(frozen=True, slots=True)
class ModelView:
    """One configured model; or one that was configured and still has versions.

    Attributes:
        name: as clients name it.
        configured: whether the configuration in force names it.
        base_path: where its versions are looked for.
        platform: which runtime loads it.
        policy: which versions should live.
        transition: in which order versions replace each other, `availability_preserving` for example.
        labels: by label.
        default_version: who answers a request that names no version and no label; none: nobody.
        found_versions: numbers that the last good look found, ascending.
        found_at: when that look was; none before the first.
        source_failure: why the last look failed, when it did; what is loaded stays.
        versions: descending.
        traffic: who answers, and what is added to the policy; none: the configuration alone decides.
        rollout: under way; none: none is.
    """

    name: str
    configured: bool
    base_path: str
    platform: str
    policy: PolicyView
    labels: tuple[LabelView, ...] = ()
    default_version: int | None = None
    found_versions: tuple[int, ...] = ()
    found_at: datetime | None = None
    source_failure: FailureView | None = None
    versions: tuple[VersionView, ...] = ()
    transition: str = ""
    traffic: TrafficView | None = None
    rollout: RolloutHeadView | None = None


@dataclass(frozen=True, slots=True)
class UnreadyView:
    """A version that should be ready and is not, or that is on its way out."""

    version: int
    state: State


@dataclass(frozen=True, slots=True)
class ListedView:
    """One model in the list of all: who answers, and what does not.

    Attributes:
        name: as clients name it.
        configured: whether the configuration in force names it.
        default_version: who answers a request that names no version and no label; none: nobody.
        ready_versions: who answers at all, descending.
        unready: versions that are neither ready nor at rest, and failed ones that are aspired; descending.
        labels: by label.
        policy: which versions should live.
        source_failure: why the last look failed, when it did.
        managed: no new version serves unless a rollout promoted it.
        rollout: under way; none: none is.
        shares: who answers what, when its traffic is split; else empty.
        held: versions that wait for a rollout, ascending.
        quarantined: versions that must not be served, ascending.
    """

    name: str
    configured: bool
    default_version: int | None
    ready_versions: tuple[int, ...]
    unready: tuple[UnreadyView, ...]
    labels: tuple[LabelView, ...]
    policy: PolicyView
    source_failure: FailureView | None = None
    managed: bool = False
    rollout: RolloutHeadView | None = None
    shares: tuple[ShareView, ...] = ()
    held: tuple[int, ...] = ()
    quarantined: tuple[int, ...] = ()

    @staticmethod
    def of(model: ModelView) -> "ListedView":
        """A model's line."""
        traffic = model.traffic or TrafficView(model=model.name)
        return ListedView(
            name=model.name,
            configured=model.configured,
            default_version=model.default_version,
            ready_versions=tuple(each.version for each in model.versions if each.state is State.READY),
            unready=tuple(
                UnreadyView(each.version, each.state)
                for each in model.versions
                if each.state is not State.READY and is_of_concern(each)
            ),
            labels=model.labels,
            policy=model.policy,
            source_failure=model.source_failure,
            managed=traffic.managed,
            rollout=model.rollout,
            shares=traffic.shares if len(traffic.shares) > 1 else (),
            held=traffic.held,
            quarantined=tuple(each.version for each in traffic.quarantined),
        )


def is_of_concern(version: VersionView) -> bool:
    """Whether anything is still to come of a version: what ended and is not wanted is only remembered."""
    return version.aspired or version.state not in {State.END, State.ERROR}


@dataclass(frozen=True, slots=True)
class ModelsView:
    """All models, by name."""

    models: tuple[ListedView, ...]


@dataclass(frozen=True, slots=True)
class EventView:
    """Something that happened to a model.

    Attributes:
        at: when.
        model: which.
        version: which; none when it concerns the whole model.
        kind: a stable word for programs.
        reason: a sentence for people.
        state: the state entered, where one was.
    """

    at: datetime
    model: str
    version: int | None
    kind: str
    reason: str
    state: State | None = None


@dataclass(frozen=True, slots=True)
class ServerView:
    """The whole server at one moment.

    Attributes:
        software: name and version of the server's program.
        phase: where the server is in its life.
        started_at: when the process began to serve or to load.
        at: when this picture was taken.
        generation: of the route table that requests see.
        config_revision: of the configuration in force; 0 before the first.
        grpc_address: where gRPC listens; none: not.
        rest_address: where REST listens; none: not.
        config_file: where the configuration came from; none: from flags.
        in_flight: requests being answered now.
        connections: open now.
        refused_overload: requests refused since the start because too many were in flight.
        models: by name.
    """

    software: str
    phase: Phase
    started_at: datetime
    at: datetime
    generation: int
    config_revision: int = 0
    grpc_address: str | None = None
    rest_address: str | None = None
    config_file: str | None = None
    in_flight: int = 0
    connections: int = 0
    refused_overload: int = 0
    models: tuple[ModelView, ...] = ()


@dataclass(frozen=True, slots=True)
class WhyView:
    """Why a model is as it is.

    Attributes:
        model: its name.
        summary: its present state in a few sentences.
        events: what happened to it, the newest last; only so many are kept.
    """

    model: str
    summary: str
    events: tuple[EventView, ...]


class AdminView(Protocol):
    """What the API asks of the server.

    Called on several threads at once; must not wait for the control loop.
    """

    def phase(self) -> Phase:
        """Where the server is in its life."""
        ...

    def server(self) -> ServerView:
        """The whole server."""
        ...

    def model(self, name: str) -> ModelView | None:
        """One model; none when there is none of that name."""
        ...

    def events(self, name: str) -> tuple[EventView, ...]:
        """What happened to a model, the newest last."""
        ...

    def metrics(self) -> bytes:
        """The metrics page, in Prometheus' text format."""
        ...
