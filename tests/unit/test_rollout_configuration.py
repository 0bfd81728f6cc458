"""What the configuration says anew, while something is kept of a model's traffic."""

from dataclasses import replace

import pytest

from tests.rolling import Rolling, managed
from understudy.model_config import All, Latest, ModelConfig, Specific, VersionPolicy
from understudy.rollout.commands import Promote, Quarantine, SetWeights
from understudy.rollout.plan import Plan, Step, Strategy
from understudy.rollout.state import Phase
from understudy.servable import State

ONE_STEP = Plan(shadow=None, steps=(Step(weight=1_000),))


def reload(
    rolling: Rolling,
    *,
    policy: VersionPolicy | None = None,
    base_path: str | None = None,
    labels: tuple[tuple[str, int], ...] | None = None,
) -> None:
    """The configuration says this from now on."""
    assert rolling.config is not None
    rolling.config = replace(
        rolling.config,
        version_policy=policy or rolling.config.version_policy,
        base_path=base_path or rolling.config.base_path,
        labels=rolling.config.labels if labels is None else labels,
    )
    rolling.settle()


@pytest.fixture
def ramping() -> Rolling:
    """Version 2 answers its first share, beside version 1."""
    rolling = Rolling()
    rolling.reach_first_step(plan=ONE_STEP)
    return rolling


def test_a_model_that_is_removed_ends_its_rollout_and_keeps_its_quarantine(ramping: Rolling) -> None:
    ramping.order(Quarantine(version=9))
    ramping.config = None
    change = ramping.advance()
    assert change.is_urgent
    assert [each.phase for each in change.ended] == [Phase.ENDED]
    assert "no longer names digits" in change.ended[0].reason
    assert set(ramping.traffic.quarantined) == {9}
    assert ramping.advance().traffic is ramping.traffic, "told once"


def test_a_managed_model_that_comes_back_serves_what_was_promoted_and_rolls_out_the_rest_anew() -> None:
    rolling = managed()
    rolling.publish(2)
    rolling.settle()
    config, rolling.config = rolling.config, None
    rolling.settle()
    rolling.config, rolling.states = config, {}
    assert rolling.advance().traffic.stable == 1
    assert rolling.effects.overlay.pinned >= {1}
    rolling.load(2)
    assert {rolling.default_version} == {None}, "the unproven version is ready first, and is not the default"
    rolling.load(1)
    rolling.settle()
    assert (rolling.default_version, rolling.rollout.candidate, rolling.rollout.id) == (1, 2, "digits-2-2")


def test_a_model_that_comes_back_elsewhere_begins_anew() -> None:
    rolling = managed()
    config, rolling.config = rolling.config, None
    rolling.settle()
    assert config is not None
    rolling.config, rolling.states, rolling.found = replace(config, base_path="/other/digits"), {}, {7}
    rolling.advance()
    assert rolling.traffic.stable is None
    rolling.load(7)
    rolling.settle()
    assert rolling.traffic.stable == 7


def test_a_model_that_moves_begins_anew(ramping: Rolling) -> None:
    reload(ramping, base_path="/other/digits")
    assert ramping.ended[0].phase is Phase.ENDED
    assert ramping.traffic.stable is None
    assert ramping.effects.overlay.pinned == frozenset()


@pytest.mark.parametrize("policy", [Latest(2), All(), Specific((1, 2, 3))])
def test_a_policy_that_leaves_room_for_both_versions_lets_the_rollout_go_on(
    ramping: Rolling, policy: VersionPolicy
) -> None:
    reload(ramping, policy=policy)
    assert ramping.phase() is Phase.RAMPING
    assert ramping.told.count("rollout_adapted") == 1


@pytest.mark.parametrize(("named", "serves"), [(1, 1), (2, 2)])
def test_a_policy_that_names_one_of_the_versions_is_an_order_to_serve_it(
    ramping: Rolling, named: int, serves: int
) -> None:
    reload(ramping, policy=Specific((named,)))
    assert ramping.ended[0].phase is Phase.ENDED
    assert ramping.default_version == serves
    assert ramping.traffic.quarantined == {}


def test_a_managed_model_is_rolled_back_by_its_file() -> None:
    rolling = managed(starts_itself=False)
    rolling.reach_watch(to=2, plan=ONE_STEP)
    rolling.order(Promote())
    reload(rolling, policy=Specific((1,)))
    assert rolling.traffic.stable == 1
    reload(rolling, policy=Latest(1))
    assert rolling.default_version == 1
    assert rolling.effects.overlay.held == {2}, "it is not new: an operator rolls it out again"


def test_weights_of_versions_that_the_policy_leaves_out_are_cleared() -> None:
    rolling = Rolling(found={1, 2}, states=dict.fromkeys((1, 2), State.READY))
    rolling.order(SetWeights(weights=((1, 5_000), (2, 5_000))))
    reload(rolling, policy=Specific((2, 3)))
    assert rolling.traffic.weights is None
    assert "does not name 1" in rolling.reasons[-1]


def test_labels_of_the_file_hold_until_a_rollout_and_again_when_it_says_so(ramping: Rolling) -> None:
    assert dict(ramping.effects.labels) == {"canary": 2, "stable": 1}
    reload(ramping, labels=(("stable", 7),))
    assert dict(ramping.effects.labels) == {"canary": 2}
    assert ramping.phase() is Phase.RAMPING
    reload(ramping, labels=())
    assert dict(ramping.effects.labels) == {"canary": 2, "stable": 1}
    assert ramping.told[-2:] == ["label_yielded", "label_returned"]


def test_a_label_that_the_file_had_already_is_overlaid_by_an_order() -> None:
    rolling = Rolling(config=ModelConfig("digits", "/models/digits", labels=(("stable", 7),)))
    rolling.start(to=2)
    rolling.settle()
    assert dict(rolling.effects.labels) == {"stable": 1}


def test_a_label_that_the_file_had_already_stays_when_the_model_becomes_managed() -> None:
    config = ModelConfig("digits", "/models/digits", labels=(("stable", 7),))
    rolling = Rolling(config=config, strategy=Strategy())
    rolling.settle()
    assert rolling.effects.labels == ()


def test_a_file_that_says_what_is_so_changes_nothing(ramping: Rolling) -> None:
    reload(ramping, labels=(("stable", 1), ("tester", 3)))
    assert dict(ramping.effects.labels) == {"canary": 2, "stable": 1}
    assert "label_yielded" not in ramping.told


def test_another_strategy_leaves_the_present_rollout_its_plan(ramping: Rolling) -> None:
    ramping.strategy = Strategy(plan=Plan(shadow=None))
    ramping.settle()
    assert ramping.rollout.plan == ONE_STEP
