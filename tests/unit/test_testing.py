"""The fakes that users are promised."""

import pytest

from understudy.clock import Clock
from understudy.errors import Code
from understudy.model_config import ModelConfig
from understudy.servable import Failure, FoundVersion, FoundVersions
from understudy.testing import FakeSource, ManualClock

MODEL = ModelConfig("m", "/models/m")


def test_a_manual_clock_is_a_clock_that_stands_still_until_moved() -> None:
    manual = ManualClock()
    clock: Clock = manual
    before = (clock.now(), clock.wall())
    assert (clock.now(), clock.wall()) == before
    assert manual.advance(1.5) == 1.5
    assert (clock.now(), clock.wall()) == (before[0] + 1.5, before[1] + 1.5)


def test_a_manual_clock_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        ManualClock().advance(-1.0)


def test_a_fake_source_finds_what_was_put_in_ascending_order() -> None:
    source = FakeSource()
    source.put("/models/m", 10, estimate_bytes=5)
    source.put("/models/m", 9)
    source.put("/models/other", 1)
    assert source.look(MODEL).versions == (
        FoundVersion(9, "/models/m/9"),
        FoundVersion(10, "/models/m/10"),
    )


def test_a_fake_source_fingerprints_only_what_it_is_told_to_watch() -> None:
    source = FakeSource()
    source.put("/models/m", 1, fingerprint="a")
    source.put("/models/m", 2, fingerprint="b")
    assert [v.fingerprint for v in source.look(MODEL, {2}).versions] == [None, "b"]


def test_a_fake_source_fails_until_healed_and_forgets_nothing() -> None:
    source = FakeSource()
    source.put("/models/m", 1)
    denied = Failure(Code.PERMISSION_DENIED, "not readable")
    source.fail("/models/m", denied)
    assert source.look(MODEL) == FoundVersions("m", (), denied, "/models/m")
    source.heal("/models/m")
    assert [v.version for v in source.look(MODEL).versions] == [1]


def test_a_deleted_version_is_not_found_any_more() -> None:
    source = FakeSource()
    source.put("/models/m", 1)
    source.delete("/models/m", 1)
    assert source.look(MODEL) == FoundVersions("m", (), None, "/models/m")
