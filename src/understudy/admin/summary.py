"""A model's present state in a few sentences. Pure: from a picture to words."""

from datetime import datetime

from understudy.admin.view import LabelView, ModelView, VersionView
from understudy.servable import State

_SETTLED = {State.READY, State.END}
"""States that need no sentence of their own."""


def summarise(model: ModelView) -> str:
    """What a person would say of the model when asked how it is and why."""
    sentences = [
        _who_answers(model),
        *(_describe_version(version) for version in model.versions if version.state not in _SETTLED),
        *(_describe_label(label) for label in model.labels if not label.ready),
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


def _describe_version(version: VersionView) -> str:
    since = f"Version {version.version} is in state {version.state.value} since {_time(version.since)}"
    failure = f" ({version.failure.code})" if version.failure else ""
    return f"{since}{failure}: {_sentence(version.reason)}"


def _describe_label(label: LabelView) -> str:
    return f"Label {label.label} names version {label.version}, which is not ready."


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
