"""What is kept of rollouts, as JSON. Its times are dates there, in seconds since 1970.

A time is a number under `at`, or under a name that ends in `_at`: in the program it is of the control loop's
clock, which means nothing to the next process.
"""

import json
from collections.abc import Mapping
from typing import TypeVar, cast

import msgspec

from understudy.errors import Code, StoreError

_Kept = TypeVar("_Kept")
_Json = object
"""What `json` reads and writes; its types say no more than this either."""


def write_json(value: object, offset_s: float) -> str:
    """As text.

    Args:
        value: a dataclass of what is kept.
        offset_s: from the control loop's clock to seconds since 1970.
    """
    kept = _shift_times(msgspec.to_builtins(value, str_keys=True), offset_s, latest=None)
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def read_json(text: str, kind: type[_Kept], *, offset_s: float, now: float) -> _Kept:
    """What was written.

    Args:
        text: by `write_json`.
        kind: of dataclass.
        offset_s: from the control loop's clock to seconds since 1970.
        now: by the control loop's clock. The machine's clock may have been set back since: nothing that is
            on record happened later than now.

    Raises:
        StoreError: DATA_LOSS: it cannot be read, or says more than this program understands.
    """
    try:
        kept = _shift_times(json.loads(text), -offset_s, latest=now)
        value = msgspec.convert(kept, kind, str_keys=True)
    except (ValueError, RecursionError) as error:
        raise _refused(kind, str(error)) from error
    beyond = _find_beyond(kept, msgspec.to_builtins(value, str_keys=True), "")
    if beyond is not None:
        raise _refused(kind, f"this program does not know {beyond}")
    return value


def _shift_times(value: _Json, offset_s: float, *, latest: float | None) -> _Json:
    if isinstance(value, dict):
        return {
            name: _shift(each, offset_s, latest)
            if (name == "at" or name.endswith("_at")) and isinstance(each, int | float)
            else _shift_times(each, offset_s, latest=latest)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_shift_times(each, offset_s, latest=latest) for each in value]
    return value


def _shift(at: float, offset_s: float, latest: float | None) -> float:
    return at + offset_s if latest is None else min(at + offset_s, latest)


def _find_beyond(kept: _Json, known: _Json, path: str) -> str | None:
    """The first name that is on record and was not understood: another program may mean anything by it."""
    if isinstance(kept, dict) and isinstance(known, dict):
        for name, each in kept.items():
            if name not in known:
                return f"{path}{name}"
            beyond = _find_beyond(each, cast("Mapping[str, _Json]", known)[name], f"{path}{name}.")
            if beyond is not None:
                return beyond
    if isinstance(kept, list) and isinstance(known, list | tuple):
        beyonds = (_find_beyond(*pair, path) for pair in zip(kept, known, strict=True))
        return next((each for each in beyonds if each is not None), None)
    return None


def _refused(kind: type, reason: str) -> StoreError:
    return StoreError(
        Code.DATA_LOSS,
        f"What is on record of rollouts cannot be taken ({kind.__name__}: {reason}). Start the program that "
        "wrote it, or restore a copy, or name another state directory: the rollouts under way and the "
        "quarantine are then forgotten.",
    )
