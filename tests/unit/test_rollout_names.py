"""What rollouts and splits are called, whatever their models are."""

import pytest

from understudy.rollout.names import (
    MODEL_BYTES_MAX,
    name_rollout,
    name_salt,
    name_weights,
    name_weights_salt,
    shorten,
)

VERSION_MAX = 2**63 - 1
DATA_PLANE_BYTES_MAX = 256
"""NAME_BYTES_MAX of crates/dataplane/src/traffic/settings.rs."""


def test_a_rollout_is_called_after_its_model_and_candidate() -> None:
    assert name_rollout("digits", 2, 1) == "digits-2-1"
    assert name_salt("team/ads", 2) == "team/ads/2"
    assert (name_weights("digits"), name_weights_salt("digits")) == ("digits-weights", "digits/weights")


def test_a_name_that_is_too_long_is_stood_for_by_its_hash() -> None:
    longest = "n" * MODEL_BYTES_MAX
    assert shorten(longest) == longest
    assert shorten(longest + "n") == "sha256:0bf2917cc7e3d671a8cb2cea35cfffbc"
    assert shorten("ß" * (MODEL_BYTES_MAX // 2 + 1)).startswith("sha256:"), "bytes are counted, not letters"
    assert shorten("a\0b").startswith("sha256:")


def test_models_do_not_share_a_name() -> None:
    names = ["n" * length for length in range(1, 1_000)]
    assert len({shorten(name) for name in names}) == len(names)


@pytest.mark.parametrize("model", ["n" * MODEL_BYTES_MAX, "n" * 100_000, "ß" * MODEL_BYTES_MAX])
def test_every_name_fits_the_data_plane(model: str) -> None:
    for name in (
        name_rollout(model, VERSION_MAX, VERSION_MAX),
        name_salt(model, VERSION_MAX),
        name_weights(model),
        name_weights_salt(model),
    ):
        assert len(name.encode()) <= DATA_PLANE_BYTES_MAX
