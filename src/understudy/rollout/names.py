"""What a model's rollouts and splits are called: in the history, to the data plane, in the hash of keys."""

from hashlib import sha256
from typing import Final

MODEL_BYTES_MAX: Final = 128
"""Of a model's name in another name: beside it stand a version and a number, and the data plane takes 256."""
DIGEST_LENGTH: Final = 32
"""Letters: 128 bits, so that no two models share a name."""


def name_rollout(model: str, candidate: int, number: int) -> str:
    """A rollout's id, by which it is found for ever: `digits-2-1`."""
    return f"{shorten(model)}-{candidate}-{number}"


def name_salt(model: str, candidate: int) -> str:
    """What a rollout's keys are hashed with: `digits/2`.

    It follows from model and candidate: every server assigns alike without asking, another try of the same
    version meets the same callers, and the callers of two candidates have nothing to do with each other.
    """
    return f"{shorten(model)}/{candidate}"


def name_weights(model: str) -> str:
    """Whose counts a split by hand has: `digits-weights`."""
    return f"{shorten(model)}-weights"


def name_weights_salt(model: str) -> str:
    """What the keys of a split by hand are hashed with: `digits/weights`."""
    return f"{shorten(model)}/weights"


def shorten(model: str) -> str:
    """A model's name, or what stands for one that is too long: the beginning of its SHA-256, in hexadecimal.

    Also for a name with a NUL byte, which in the hash of a key divides the salt from the key. The rule is in
    docs/reference/traffic-assignment.md: other programs follow it.
    """
    encoded = model.encode()
    if len(encoded) <= MODEL_BYTES_MAX and b"\0" not in encoded:
        return model
    return f"sha256:{sha256(encoded).hexdigest()[:DIGEST_LENGTH]}"
