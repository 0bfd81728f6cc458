"""Sentences for people about why a version is where it is. Texts only: nothing here decides."""

from collections.abc import Sequence

from understudy.servable import Failure, Loaded, State, Unloaded

FILES_REST = "its files rest now, and are not known to have been tried"


def seconds(duration_s: float) -> str:
    """A duration: `12 ms`, `0.4 s`, `60 s`."""
    if duration_s < 0.1:
        return f"{duration_s * 1000:.0f} ms"
    return f"{duration_s:.1f} s" if duration_s < 10 else f"{duration_s:.0f} s"


def load_took(outcome: Loaded) -> str:
    """How long a load took: `4 s`, or `4 s, 2 s of it for 12 warm-up records`."""
    if not outcome.warm_up.records:
        return seconds(outcome.duration_s)
    warm_up = f"{seconds(outcome.warm_up.duration_s)} of it for {outcome.warm_up.records} warm-up records"
    return f"{seconds(outcome.duration_s)}, {warm_up}"


def amount(size_bytes: int) -> str:
    """Memory: `800 bytes`, `12.5 MB`, `3.0 GB`."""
    if size_bytes < 10_000:
        return f"{size_bytes} bytes"
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.1f} GB"


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


def moved(loaded_path: str | None, found_path: str) -> str:
    """A loaded version is now found elsewhere."""
    return f"now found at {found_path}, to be loaded from there; this one is from {loaded_path}"


def files_changed(path: str) -> str:
    """A served version's files are not those that it was loaded from."""
    return (
        f"the files in {path} are not those that it was loaded from; it serves on what it loaded, and a "
        "restart would load the new ones: publish changes under a new number"
    )


def overdue(deadline_s: float, *, aspired: bool) -> str:
    """A load has passed its deadline."""
    what_next = "serves if it still comes back" if aspired else "no longer aspired; freed if it comes back"
    return f"its load has not come back for {seconds(deadline_s)}, its memory stays reserved; {what_next}"


def retry_refused(state: State, *, aspired: bool) -> str:
    """There is nothing to try again."""
    if not aspired:
        return "not tried again: it is not aspired"
    if state is State.OVERDUE:
        return "not tried again: its load has passed its deadline and must come back first"
    return f"not tried again: it has not failed, it is {state.name}"


def unloaded(outcome: Unloaded, ordered_because: str) -> str:
    """An unload ended."""
    took = f"unloaded in {seconds(outcome.duration_s)}"
    if outcome.requests_left:
        requests = "1 request" if outcome.requests_left == 1 else f"{outcome.requests_left} requests"
        left = f"{requests} outlived the drain; freed when the last of them ends"
        return f"{took}, but {left}; {ordered_because}"
    return f"{took}; {ordered_because}"
