"""Sentences for people about why a version is where it is. Texts only: nothing here decides."""

from collections.abc import Sequence

from understudy.servable import Failure, State, Unloaded


def seconds(duration_s: float) -> str:
    """A duration: `12 ms`, `0.4 s`, `60 s`."""
    if duration_s < 0.1:
        return f"{duration_s * 1000:.0f} ms"
    return f"{duration_s:.1f} s" if duration_s < 10 else f"{duration_s:.0f} s"


def numbers(versions: Sequence[int]) -> str:
    """Version numbers: `1, 2`, or `none`."""
    return ", ".join(str(version) for version in versions) or "none"


def aspired_changed(before: Sequence[int], after: Sequence[int]) -> str:
    """The aspired set is not what it was."""
    return f"aspired versions: {numbers(after)} (were: {numbers(before)})"


def cancelled(failure: Failure | None) -> str:
    """No longer aspired before it was ready."""
    if failure is None:
        return "no longer aspired before its load began"
    return f"no longer aspired, so not tried again; the last attempt failed: {failure}"


def path_ignored(loaded_path: str | None, found_path: str) -> str:
    """A loaded version is now said to be elsewhere."""
    return f"now found at {found_path}; serves on from {loaded_path}, because its number has not changed"


def retry_refused(state: State, *, aspired: bool) -> str:
    """There is nothing to try again."""
    if not aspired:
        return "not tried again: it is not aspired"
    return f"not tried again: it has not failed, it is {state.name}"


def unloaded(outcome: Unloaded, ordered_because: str) -> str:
    """An unload ended."""
    took = f"unloaded in {seconds(outcome.duration_s)}"
    if outcome.requests_left:
        left = f"{outcome.requests_left} requests outlived the drain; freed when the last of them ends"
        return f"{took}, but {left}; {ordered_because}"
    return f"{took}; {ordered_because}"
