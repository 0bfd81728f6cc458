"""Which labels a configuration may assign; how they move is in the scenarios."""

import pytest

from understudy.errors import Code, ConfigError
from understudy.lifecycle.aspire import Overlay
from understudy.lifecycle.labels import Known, judge_labels, pinned_versions
from understudy.model_config import Latest, ModelConfig, Specific, Transition, VersionPolicy
from understudy.routing import LabelRoute, ModelRoute, ReadyVersion
from understudy.servable import (
    Failure,
    FoundVersion,
    FoundVersions,
    ModelSnapshot,
    State,
    VersionSnapshot,
)

PATH = "/models/m"


def model(
    *labels: tuple[str, int],
    policy: VersionPolicy | None = None,
    base_path: str = PATH,
    transition: Transition | None = None,
) -> ModelConfig:
    return ModelConfig(
        "m", base_path, version_policy=policy or Latest(2), labels=labels, transition=transition
    )


def known(
    states: dict[int, State], *, found: tuple[int, ...] | None = None, overlay: Overlay | None = None
) -> Known:
    versions = tuple(
        VersionSnapshot(
            version=number,
            state=state,
            aspired=True,
            path=f"{PATH}/{number}",
            since=0.0,
            reason="because",
            failure=Failure(Code.DATA_LOSS, "corrupt") if state is State.ERROR else None,
        )
        for number, state in states.items()
    )
    numbers = tuple(states) if found is None else found
    look = FoundVersions("m", tuple(FoundVersion(n, f"{PATH}/{n}") for n in numbers))
    return Known(look, ModelSnapshot("m", versions), overlay or Overlay())


READY, LOADING, ERROR, OVERDUE = State.READY, State.LOADING, State.ERROR, State.OVERDUE


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (model(), model(("stable", 1)), known({1: READY})),
        (model(), model(("stable", 2)), known({1: READY, 2: LOADING})),
        (model(), model(("stable", 3)), known({1: READY}, found=(1, 3))),
        (model(("stable", 9)), model(("stable", 9)), known({1: READY})),
        (model(), model(("stable", 1), policy=Specific((2,))), known({1: READY, 2: READY})),
        (None, model(("stable", 9)), known({1: READY})),
        (model(), model(("stable", 9), base_path="/elsewhere"), known({1: READY})),
        (model(), model(("stable", 9)), Known()),
    ],
    ids=[
        "ready",
        "on its way",
        "aspired and not yet begun",
        "not assigned anew",
        "ready although no longer chosen",
        "of a new model",
        "of a model in a new place",
        "of a model that nobody looked at",
    ],
)
def test_a_label_may_name(old: ModelConfig | None, new: ModelConfig, what: Known) -> None:
    judge_labels(old, new, what, may_label_unavailable=False)


@pytest.mark.parametrize(
    ("new", "what", "why"),
    [
        (model(("stable", 9)), known({1: READY}), f"it is not in {PATH}"),
        (model(("stable", 2), policy=Specific((1,))), known({1: READY}, found=(1, 2)), "does not choose it"),
        (model(("stable", 2)), known({1: READY, 2: ERROR}), "its load failed: DATA_LOSS: corrupt"),
        (model(("stable", 2)), known({1: READY, 2: OVERDUE}), "its load failed"),
        (
            model(("stable", 2)),
            known({1: READY}, found=(1, 2), overlay=Overlay(quarantined=frozenset({2}))),
            "does not choose it",
        ),
    ],
    ids=["absent", "not chosen", "failed", "overdue", "quarantined"],
)
def test_a_label_may_not_name_and_the_words_are_tensorflow_servings(
    new: ModelConfig, what: Known, why: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        judge_labels(model(), new, what, may_label_unavailable=False)
    assert refused.value.code is Code.FAILED_PRECONDITION
    assert refused.value.message.startswith(
        f"Request to assign label to version {new.labels[0][1]} of model m, "
        "which is not currently available for inference"
    )
    assert why in refused.value.message


def test_where_labels_may_name_what_is_not_available_only_an_existing_one_may_not_move_there() -> None:
    what = known({1: READY})
    judge_labels(model(), model(("stable", 9)), what, may_label_unavailable=True)
    judge_labels(model(("stable", 9)), model(("stable", 9)), what, may_label_unavailable=True)
    with pytest.raises(ConfigError):
        judge_labels(model(("stable", 1)), model(("stable", 9)), what, may_label_unavailable=True)


def route(*labels: tuple[str, int]) -> ModelRoute:
    ready = tuple(ReadyVersion(version, 0) for version in sorted({version for _, version in labels}))
    return ModelRoute("m", ready, None, tuple(LabelRoute(*each) for each in labels), ())


def test_a_label_that_is_to_move_pins_what_it_names_unless_gaps_are_accepted() -> None:
    preserving, sparing = Transition.AVAILABILITY_PRESERVING, Transition.RESOURCE_PRESERVING
    moving = model(("stable", 2), ("canary", 3))
    now = route(("stable", 1), ("canary", 3), ("gone", 7))
    assert pinned_versions(moving, now, preserving) == {1}
    assert pinned_versions(moving, now, sparing) == frozenset()
    own = model(("stable", 2), transition=preserving)
    assert pinned_versions(own, now, sparing) == {1}
    assert pinned_versions(moving, None, preserving) == frozenset()


def test_a_label_on_what_has_gone_holds_nothing() -> None:
    now = ModelRoute("m", (ReadyVersion(3, 0),), 3, (LabelRoute("stable", 1),), ())
    assert pinned_versions(model(("stable", 3)), now, Transition.AVAILABILITY_PRESERVING) == frozenset()
