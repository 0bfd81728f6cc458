"""The binding: what crosses it, how errors come back, and that waiting lets other Python threads run."""

import inspect
import json
import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from understudy.dataplane import _native
from understudy.dataplane.descriptors import file_descriptor_set
from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import DataPlaneOptions, LoadRequest, WarmupOptions
from understudy.errors import Code, DataPlaneError
from understudy.routing import LabelRoute, ModelRoute, ReadyVersion, RouteUpdate, VersionStatus
from understudy.routing.traffic import BUCKETS, BucketRange, Remembering, ShadowRoute, Tolerance, Traffic
from understudy.servable import ServableId

EMPTY_RECORD = bytes(8) + bytes.fromhex("29039807") + bytes.fromhex("d8ea82a2")
"""A `PredictionLog` of no kind, as a TFRecord: length, its checksum, no data, its checksum."""


@pytest.fixture
def plane() -> NativeDataPlane:
    return NativeDataPlane(DataPlaneOptions(grpc_address=None, rest_address=None))


def request_of(folder: Path, version: int = 1, **members: object) -> LoadRequest:
    path = folder / str(version)
    path.mkdir(exist_ok=True)
    (path / "synthetic.json").write_text(json.dumps(members))
    return LoadRequest(name="m", version=version, path=str(path), platform="synthetic")


def routes(generation: int, *ready: int) -> RouteUpdate:
    model = ModelRoute(
        name="m",
        ready=tuple(ReadyVersion(version) for version in ready),
        default_version=max(ready, default=None),
        labels=(LabelRoute("stable", 1),),
        statuses=tuple(VersionStatus(version, 30, 0, "") for version in reversed(ready)),
    )
    return RouteUpdate(generation=generation, changed=(model,), removed=())


def test_a_version_is_loaded_routed_taken_out_and_unloaded(plane: NativeDataPlane, tmp_path: Path) -> None:
    assert plane.load(request_of(tmp_path)).signature_names == ["echo", "serving_default"]
    plane.publish(routes(1, 1))
    (servable,) = plane.statistics().servables
    assert (servable.model, servable.version, servable.in_flight) == ("m", 1, 0)
    plane.publish(routes(2))
    assert plane.unload(ServableId("m", 1), drain_timeout_s=math.inf).requests_left == 0
    assert plane.statistics().servables == []


def split(weight: int, epoch: int = 0) -> Traffic:
    """A split with every member set."""
    return Traffic(
        trial="m-2-1",
        epoch=epoch,
        candidate=2,
        salt="salt",
        key_input="user",
        ranges=(BucketRange(2, 0, weight),),
        may_override=True,
        shadow=ShadowRoute(version=2, share=1_000, tolerance=Tolerance(top_1=True)),
        slow_after_s=(("slow:p99", 0.5),),
        remembering=Remembering(output="scores", window_s=60.0),
    )


def test_a_split_crosses_whole_and_one_that_cannot_be_is_refused(
    plane: NativeDataPlane, tmp_path: Path
) -> None:
    plane.load(request_of(tmp_path))
    (route,) = routes(1, 1).changed
    plane.publish(RouteUpdate(1, (replace(route, traffic=split(100)),), ()))
    for wrong, text in [
        (split(BUCKETS + 1, epoch=1), "ranges must be disjoint"),
        (split(200), "another split needs a higher one"),
        (replace(split(100), key_header="no header"), "no header is named"),
    ]:
        with pytest.raises(DataPlaneError, match=text):
            plane.publish(RouteUpdate(2, (replace(route, traffic=wrong),), ()))
    plane.publish(RouteUpdate(2, (replace(route, traffic=split(200, epoch=1)),), ()))


def test_what_is_refused_comes_back_with_its_code_and_text(plane: NativeDataPlane, tmp_path: Path) -> None:
    plane.load(request_of(tmp_path))
    plane.publish(routes(1, 1))
    with pytest.raises(DataPlaneError, match="generation 1 does not follow") as refused:
        plane.publish(routes(1, 1))
    assert refused.value.code is Code.FAILED_PRECONDITION
    with pytest.raises(DataPlaneError, match="version 2 of m is not loaded"):
        plane.publish(routes(2, 1, 2))
    with pytest.raises(DataPlaneError, match="still routed"):
        plane.unload(ServableId("m", 1), drain_timeout_s=1)
    with pytest.raises(DataPlaneError, match="no such op") as failed:
        plane.load(request_of(tmp_path, 3, fail_load="no such op"))
    assert (failed.value.code, failed.value.message) == (Code.INVALID_ARGUMENT, "no such op")


def test_the_same_number_is_loaded_twice_and_the_former_one_unloaded_while_the_other_is_routed(
    plane: NativeDataPlane, tmp_path: Path
) -> None:
    plane.load(request_of(tmp_path))
    plane.load(replace(request_of(tmp_path), incarnation=1))
    told = [(each.version, each.incarnation) for each in plane.statistics().servables]
    assert told == [(1, 0), (1, 1)]
    (route,) = routes(1, 1).changed
    plane.publish(RouteUpdate(1, (replace(route, ready=(ReadyVersion(1, 1),)),), ()))
    with pytest.raises(DataPlaneError, match="version 1, incarnation 1, of m is still routed"):
        plane.unload(ServableId("m", 1, 1), drain_timeout_s=1)
    assert plane.unload(ServableId("m", 1), drain_timeout_s=math.inf).requests_left == 0


def test_a_load_runs_the_requests_that_a_version_brings_and_tells_how_many_and_how_long(
    plane: NativeDataPlane, tmp_path: Path
) -> None:
    request = request_of(tmp_path)
    records = Path(request.path, "assets.extra", "tf_serving_warmup_requests")
    records.parent.mkdir()
    records.write_bytes(2 * EMPTY_RECORD)
    report = plane.load(replace(request, warmup=WarmupOptions()))
    assert report.warmup_records == 2
    assert report.warmup_duration_s > 0
    left_alone = plane.load(replace(request, incarnation=1))
    assert (left_alone.warmup_records, left_alone.warmup_duration_s) == (0, 0)
    records.write_bytes(b"no record")
    with pytest.raises(DataPlaneError, match="TFRecord format") as refused:
        plane.load(replace(request, incarnation=2, warmup=WarmupOptions()))
    assert refused.value.code is Code.DATA_LOSS


@pytest.mark.parametrize("seconds", [-1.0, math.nan])
def test_a_duration_that_cannot_be_is_refused(plane: NativeDataPlane, seconds: float) -> None:
    with pytest.raises(DataPlaneError, match="not possible"):
        plane.next_admin("GetMetricsPage", timeout_s=seconds)


def test_a_load_lets_other_python_threads_run(plane: NativeDataPlane, tmp_path: Path) -> None:
    request = request_of(tmp_path, load_ms=200)
    loading = threading.Thread(target=plane.load, args=(request,))
    loading.start()
    seen = "version 1 of m is not loaded"
    while seen == "version 1 of m is not loaded":
        with pytest.raises(DataPlaneError) as refused:  # were the load to keep the GIL, this would succeed
            plane.unload(ServableId("m", 1), drain_timeout_s=0)
        seen = refused.value.message
    assert seen == "version 1 of m is still being loaded"
    loading.join()


def test_an_answer_that_nobody_waits_for_is_no_error(plane: NativeDataPlane) -> None:
    assert plane.next_admin("HandleReloadConfigRequest", timeout_s=0) is None
    assert not plane.answer_admin(1, payload=b"")
    assert not plane.refuse_admin(1, code=Code.INTERNAL, message="nobody asked")


def test_doors_open_once_and_close_without_harm_when_they_are_closed(plane: NativeDataPlane) -> None:
    assert plane.stop(drain_timeout_s=0) == 0
    addresses = plane.serve()
    assert (addresses.grpc, addresses.rest) == (None, None)
    with pytest.raises(DataPlaneError, match="open already"):
        plane.serve()
    assert plane.stop(drain_timeout_s=1) == 0


def test_every_native_function_tells_its_signature_so_that_the_stub_is_checked_against_it() -> None:
    functions = [_native.file_descriptor_set, _native.DataPlane]
    for name in _native.__all__:
        member = getattr(_native, name)
        if inspect.isclass(member) and not issubclass(member, Exception):
            functions += [
                function for function in vars(member).values() if inspect.ismethoddescriptor(function)
            ]
    for function in functions:
        is_property = inspect.isgetsetdescriptor(function)
        assert is_property or getattr(function, "__text_signature__", None), function


def test_the_descriptor_set_is_there() -> None:
    assert b"tensorflow.serving" in file_descriptor_set()
