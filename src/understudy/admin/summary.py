"""A model's present state in a few sentences. Pure: from a picture to words."""

from collections.abc import Iterator
from datetime import datetime

from understudy.admin.rollout_words import describe_phase, describe_shares
from understudy.admin.view import LabelView, ModelView, VersionView, is_of_concern
from understudy.rollout.state import Phase as RolloutPhase
from understudy.servable import State


def summarise(model: ModelView) -> str:
    """What a person would say of the model when asked how it is and why."""
    sentences = [
        _who_answers(model),
        *_describe_traffic(model),
        *(sentence for version in model.versions for sentence in _describe_version(version)),
        *(sentence for label in model.labels for sentence in _describe_label(label, model)),
        *_describe_source(model),
    ]
    return " ".join(sentences)


def _who_answers(model: ModelView) -> str:
    ready = [version for version in model.versions if version.state is State.READY]
    default = next((version for version in ready if version.version == model.default_version), None)
    if default is None:
        return f"{model.name} answers no requests: no version is ready."
    since = f"ready since {_time(default.since)}"
    text = f"{model.name} answers with version {default.version}, {since}: {_sentence(default.reason)}"
    others = [str(version.version) for version in ready if version is not default]
    if others:
        text += f" Also ready: {', '.join(others)}."
    return text


def _describe_traffic(model: ModelView) -> Iterator[str]:
    """How its requests are split and whose doing that is; what is quarantined, and what is held back."""
    traffic, rollout = model.traffic, model.rollout
    if rollout is not None:
        does = "has put" if rollout.phase is RolloutPhase.WATCHING else "is to put"
        yield (
            f"Rollout {rollout.id} {does} version {rollout.candidate} in the place of version "
            f"{rollout.baseline}; it is {describe_phase(rollout)} since {_time(rollout.changed_at)}: "
            f"{_sentence(rollout.reason)}"
        )
    if traffic is None:
        return
    if traffic.weights_by is not None:
        yield f"{traffic.weights_by} has split its requests by hand."
    if len(traffic.shares) > 1:
        yield f"Of the requests that name neither version nor label, {describe_shares(traffic)}."
    for overlay in traffic.overlays:
        if overlay.kind == "held":
            yield f"Version {overlay.version} is {_sentence(overlay.reason)}"
    for each in traffic.quarantined:
        yield (
            f"Version {each.version} is quarantined by {each.by} since {_time(each.at)}"
            + (f": {_sentence(each.reason)}" if each.reason else ".")
            + f" `understudy quarantine release {model.name} {each.version}` lets it be served again."
        )


def _describe_version(version: VersionView) -> Iterator[str]:
    """What is unusual about it; a version that is ready and wanted, or ended and not, needs no sentence."""
    number = version.version
    if version.state is not State.READY and is_of_concern(version):
        failure = f" ({version.failure.code})" if version.failure else ""
        since = f"Version {number} is in state {version.state.value} since {_time(version.since)}"
        yield f"{since}{failure}: {_sentence(version.reason)}"
    if version.next_attempt_at is not None:
        yield f"Its next attempt is at {_time(version.next_attempt_at)}."
    if version.state is State.READY and not version.aspired:
        yield f"Version {number} is no longer aspired: {_sentence(version.reason)}"
    if version.files_changed_at is not None and version.state is State.READY:
        yield (
            f"The files of version {number} were seen at {_time(version.files_changed_at)} to be changed in "
            "place; it serves what it loaded. Publish the change under a new number."
        )
    if version.requests_left:
        yield f"{version.requests_left} requests outlived the drain of version {number}."


def _describe_label(label: LabelView, model: ModelView) -> Iterator[str]:
    """Where it leads, unless that is where it should and somebody answers there."""
    names = f"Label {label.label} names version {label.version}"
    if label.missing:
        yield f"{names}, which is not there: requests by the label are refused."
    elif not label.ready:
        yield f"{names}, which is not ready: requests by the label are refused."
    if label.target is not None:
        state = "is not there yet" if label.target_state is None else f"is {label.target_state.value}"
        yield f"Label {label.label} moves to version {label.target} when that is ready; it {state}."
    elif label.ready and any(v.version == label.version and not v.aspired for v in model.versions):
        yield f"{names}, which is no longer aspired: once it is unloaded, requests by the label are refused."


def _describe_source(model: ModelView) -> list[str]:
    if not model.configured:
        return ["The configuration no longer names this model."]
    if model.source_failure:
        return [f"The last look for versions failed: {_sentence(model.source_failure.message)}"]
    if model.found_at is None:
        return [f"No look at {model.base_path} has been finished yet."]
    if not model.found_versions:
        return [f"No versions were found in {model.base_path}."]
    return []


def _time(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
