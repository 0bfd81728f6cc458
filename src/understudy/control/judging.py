"""Whether a configuration may be put in force, read from a picture of what is. Pure; desk.py does it."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from understudy.control.picture import Picture
from understudy.control.places import assume_found
from understudy.control.settling import NewLabel
from understudy.lifecycle.aspire import NO_OVERLAY, Overlay
from understudy.lifecycle.labels import Known, changed_labels, judge_labels, labels_unseen
from understudy.model_config import ConfigDiff, ModelConfig, ServerConfig, diff
from understudy.request_logging import check_possible


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What configurations may say.

    Attributes:
        platforms: that versions can be loaded by.
        may_label_unavailable: see `judge_labels`.
        may_log_requests: whether the server has a place to log requests to.
    """

    platforms: AbstractSet[str]
    may_label_unavailable: bool = False
    may_log_requests: bool = False

    def judge(self, picture: Picture, config: ServerConfig, overlays: Mapping[str, Overlay]) -> ConfigDiff:
        """What the configuration changes.

        Raises:
            ConfigError: it is refused.
        """
        change = diff(picture.config, config, self.platforms)
        for model in (*change.added, *change.changed):
            judge_labels(
                picture.configured.get(model.name),
                model,
                _known(picture, model, overlays),
                may_label_unavailable=self.may_label_unavailable,
            )
        if not self.may_log_requests:
            check_possible(model.name for model in config.models if model.logging is not None)
        return change

    def unseen(self, picture: Picture, config: ServerConfig, overlays: Mapping[str, Overlay]) -> list[str]:
        """The models of which it labels versions that the last look did not see."""
        return [
            model.name
            for model in config.models
            if model.labels
            and labels_unseen(
                picture.configured.get(model.name),
                model,
                _known(picture, model, overlays),
                may_label_unavailable=self.may_label_unavailable,
            )
        ]


def new_labels(picture: Picture, change: ConfigDiff) -> tuple[NewLabel, ...]:
    """The labels that a change assigns anew."""
    return tuple(
        NewLabel(model.name, label, version)
        for model in (*change.added, *change.changed)
        for label, version in changed_labels(picture.configured.get(model.name), model)
    )


def _known(picture: Picture, model: ModelConfig, overlays: Mapping[str, Overlay]) -> Known:
    look = picture.looks.get(model.name)
    return Known(
        None if look is None or look.failure is not None else assume_found(look, model),
        picture.models.get(model.name),
        overlays.get(model.name, NO_OVERLAY),
    )
