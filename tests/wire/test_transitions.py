"""Versions replace each other under load: by both transition policies, and when a base path moves."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.live.asking import answer_of, predict, predict_by_grpc
from tests.live.exports import Exports, config_text, model_text, release
from tests.live.load import Load, Report, load_by_grpc, load_by_rest, wait_asked
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow

X = 0.5
AVAILABILITY = "latest {} transition_policy: AVAILABILITY_PRESERVING"
RESOURCE = "latest {} transition_policy: RESOURCE_PRESERVING"
WORDS = "Servable not found for request: Latest(m)"
"""TensorFlow Serving's, for a model of which nothing is loaded."""
RESIDENT = {"loading", "overdue", "ready", "unloading"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a model is made of."""

    platform: str
    saved_models: Path | None = None

    def publish(self, exports: Exports, version: int) -> None:
        """A version that answers x + version."""
        if self.saved_models is None:
            exports.synthetic(version, load_ms=50, version=None)
        else:
            exports.copy(self.saved_models / f"offset_{version}", version)


@pytest.fixture(params=["synthetic", pytest.param("tensorflow", marks=pytest.mark.tensorflow)])
def kind(request: pytest.FixtureRequest) -> Kind:
    is_synthetic = request.param == "synthetic"
    return Kind(request.param, None if is_synthetic else request.getfixturevalue("saved_models"))


class Onlooker:
    """Asks the operators' API over and over which versions of a model hold memory, until the context ends."""

    def __init__(self, server: LiveServer, model: str) -> None:
        self._server = server
        self._model = model
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.seen: set[frozenset[int]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.is_set():
            versions = self._server.status(self._model)["versions"]
            self.seen.add(frozenset(each["version"] for each in versions if each["state"] in RESIDENT))


def write_config(folder: Path, *models: str) -> Path:
    path = folder / "models.config"
    path.write_text(config_text(*models))
    return path


def reload(server: LiveServer, folder: Path, *models: str) -> None:
    write_config(folder, *models)
    server.signal(signal.SIGHUP)
    server.wait_log("reloaded", origin="file")


@contextmanager
def load_through_both_doors(
    folder: Path, server: LiveServer, outputs: dict[int, list[float]]
) -> Iterator[tuple[Load, Load]]:
    grpc = load_by_grpc(folder, server, "m", X).expecting(outputs)
    rest = load_by_rest(folder, server, "m", X).expecting(outputs)
    with grpc, rest:
        yield grpc, rest


def reports(loads: tuple[Load, Load]) -> list[Report]:
    return [load.report for load in loads if load.report is not None]


def entered(server: LiveServer, version: int, state: str) -> int:
    """Where in the log a version first entered a state."""
    return server.logged("state_changed", version=version, state=state)[0]


def change_over(server: LiveServer, exports: Exports, kind: Kind, versions: range) -> None:
    """Publishes one version after the other under load, each when the one before has left."""
    wait_asked(server, "m", versions[0])
    for old, new in pairwise(versions):
        kind.publish(exports, new)
        server.wait_log("state_changed", version=new, state="ready")
        while not server.logged("state_changed", version=old, state="end"):
            server.next_log()
        wait_asked(server, "m", new)
        exports.remove(old)


def test_availability_preserving_fails_nobody_and_mixes_nothing(kind: Kind, tmp_path: Path) -> None:
    exports, versions = Exports(tmp_path / "m"), range(1, 4)
    kind.publish(exports, 1)
    config = write_config(tmp_path, model_text("m", exports.base_path, platform=kind.platform))
    outputs = {version: [X + version] for version in versions}
    with LiveServer(f"--model-config-file={config}", "--poll-interval=0.05") as server:
        with load_through_both_doors(tmp_path, server, outputs) as loads, Onlooker(server, "m") as onlooker:
            change_over(server, exports, kind, versions)
        for old, new in pairwise(versions):
            assert entered(server, new, "ready") < entered(server, old, "unloading")
        assert max(len(resident) for resident in onlooker.seen) == 2, "it saw none of the changes"
    for report in reports(loads):
        assert (report.failures, report.mixed) == ({}, 0)
        assert report.versions.keys() == {str(version) for version in versions}


@pytest.mark.parametrize(
    ("policy", "flags"), [(RESOURCE, []), ("", ["--transition=resource_preserving"])], ids=["model", "server"]
)
def test_resource_preserving_never_holds_two_and_answers_not_found_in_between(
    policy: str, flags: list[str], kind: Kind, tmp_path: Path
) -> None:
    exports, versions = Exports(tmp_path / "m"), range(1, 4)
    kind.publish(exports, 1)
    config = write_config(tmp_path, model_text("m", exports.base_path, platform=kind.platform, policy=policy))
    outputs = {version: [X + version] for version in versions}
    with LiveServer(f"--model-config-file={config}", "--poll-interval=0.05", *flags) as server:
        with load_through_both_doors(tmp_path, server, outputs) as loads, Onlooker(server, "m") as onlooker:
            change_over(server, exports, kind, versions)
        for old, new in pairwise(versions):
            assert entered(server, old, "end") < entered(server, new, "loading")
        assert max(len(resident) for resident in onlooker.seen) == 1
    for report, failure in zip(reports(loads), ("NOT_FOUND", "HTTP 404"), strict=True):
        assert report.failures.keys() <= {failure}
        assert all(WORDS in str(text) for text in report.failures.values())
        assert report.mixed == 0
        assert report.versions.keys() == {str(version) for version in versions}


def test_the_gap_of_resource_preserving_is_told_in_the_known_words(tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    config = write_config(tmp_path, model_text("m", exports.base_path, policy=RESOURCE))
    with LiveServer(f"--model-config-file={config}", "--poll-interval=0.05") as server:
        hung = exports.synthetic(2, hang_load=True)
        server.wait_log("state_changed", version=2, state="loading")
        refused = predict(server, "m")
        assert (refused.status_code, refused.json()) == (404, {"error": WORDS})
        assert predict_by_grpc(server, "m") == ("NOT_FOUND", WORDS)
        release(hung)
        server.wait_log("state_changed", version=2, state="ready")
        assert answer_of(server, "m") == 2.0


def test_another_transition_policy_takes_effect_on_the_next_change(tmp_path: Path) -> None:
    exports, kind = Exports(tmp_path / "m"), Kind("synthetic")
    kind.publish(exports, 1)
    config = write_config(tmp_path, model_text("m", exports.base_path, policy=AVAILABILITY))
    outputs = {version: [X + version] for version in range(1, 5)}
    with LiveServer(f"--model-config-file={config}", "--poll-interval=0.05") as server:
        with load_through_both_doors(tmp_path, server, outputs) as before:
            change_over(server, exports, kind, range(1, 3))
        reload(server, tmp_path, model_text("m", exports.base_path, policy=RESOURCE))
        with load_through_both_doors(tmp_path, server, outputs) as between:
            change_over(server, exports, kind, range(2, 4))
        reload(server, tmp_path, model_text("m", exports.base_path, policy=AVAILABILITY))
        with load_through_both_doors(tmp_path, server, outputs) as after:
            change_over(server, exports, kind, range(3, 5))
        is_freed_first = [
            entered(server, old, "end") < entered(server, new, "loading") for old, new in pairwise(outputs)
        ]
        assert is_freed_first == [False, True, False]
    for report in (*reports(before), *reports(after)):
        assert (report.failures, report.mixed) == ({}, 0)
    assert [report.mixed for report in reports(between)] == [0, 0]


def test_a_base_path_moves_under_load_and_its_version_is_answered_from_the_new_place(tmp_path: Path) -> None:
    here, there = Exports(tmp_path / "here"), Exports(tmp_path / "there")
    here.synthetic(1, version=None)
    there.synthetic(1, version=None, b=2.0)
    config = write_config(tmp_path, model_text("m", here.base_path))
    with LiveServer(f"--model-config-file={config}", "--poll-interval=0.05") as server:
        rest = load_by_rest(tmp_path, server, "m", X).expecting({1: [X + 1], 2: [X + 2]})
        with rest, load_by_grpc(tmp_path, server, "m", X) as grpc:
            wait_asked(server, "m", 1)
            for place, value in ((there, 2.0), (here, 1.0), (there, 2.0)):
                reload(server, tmp_path, model_text("m", place.base_path))
                server.wait_log("state_changed", version=1, state="end")
                assert answer_of(server, "m") == value
                wait_asked(server, "m", 1)
        for load in (grpc, rest):
            assert load.report is not None
            assert (load.report.failures, load.report.mixed) == ({}, 0)
        assert rest.report is not None
        assert rest.report.versions.keys() == {"1", "2"}
        with load_through_both_doors(tmp_path, server, {1: [X + 2]}) as afterwards:
            wait_asked(server, "m", 1)
    assert [report.mixed for report in reports(afterwards)] == [0, 0]
