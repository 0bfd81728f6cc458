"""The demo's users and rollouts: truths are told late and in batches; the server takes the demo's plan."""

import json
from pathlib import Path

from examples.digits.folder import EXPORTS
from examples.digits.rollouts import STRATEGIES, Decision, Story, places
from examples.digits.users import TELL_EVERY_S, TRUTHS_MAX, Digits, Truths

from understudy.rollout.plan import Quality
from understudy.rollout_file import parse_strategies


def decision(phase: str, weight: int = 0) -> Decision:
    return {"after": {"phase": phase, "weight": weight}}


def write_staging(folder: Path) -> Path:
    """Two images; version n is sure of digit n."""
    (folder / "held_out.json").write_text(json.dumps({"images": [[0.0], [1.0]], "labels": [3, 8]}))
    scores = {export: [[float(n == version) for n in range(10)]] * 2 for version, export in EXPORTS.items()}
    (folder / "answers.json").write_text(json.dumps(scores))
    return folder


def test_the_strategy_is_one_that_the_server_takes() -> None:
    strategy = parse_strategies(STRATEGIES)["digits"]
    assert strategy.starts_itself
    assert [step.weight for step in strategy.plan.steps] == [100, 500, 2_500, 5_000]
    assert strategy.plan.quality is not None
    assert strategy.plan.quality.metric is Quality.ACCURACY


def test_truths_are_told_when_they_are_known_in_batches_that_are_not_too_large_nor_too_many() -> None:
    truths = Truths(delay_s=2.0)
    for number in range(TRUTHS_MAX + 1):
        truths.note(10.0, str(number), 8)
    assert truths.take_due(11.9) == []
    batch = truths.take_due(12.4)
    assert len(batch) == TRUTHS_MAX
    assert batch[0] == {"request_id": "0", "truth": 8}
    assert truths.take_due(12.4 + TELL_EVERY_S / 2) == []
    assert truths.take_due(12.4 + TELL_EVERY_S) == [{"request_id": str(TRUTHS_MAX), "truth": 8}]
    assert truths.take_due(20.0) == []


def test_users_come_in_the_same_order_each_time_and_each_image_has_its_digit(tmp_path: Path) -> None:
    digits = Digits(write_staging(tmp_path))
    first, again, others = (digits.turns(seed) for seed in (1, 1, 2))
    turns = [next(first) for _ in range(20)]
    assert turns == [next(again) for _ in range(20)] != [next(others) for _ in range(20)]
    assert {(turn.image[0], turn.digit) for turn in turns} == {(0.0, 3), (1.0, 8)}


def test_scores_of_another_version_are_told_from_those_of_the_version_that_is_named(tmp_path: Path) -> None:
    digits = Digits(write_staging(tmp_path))
    turn = next(digits.turns(1))
    scores = [float(n == 2) + 1e-6 for n in range(10)]
    assert digits.are_of(2, turn, scores)
    assert not digits.are_of(1, turn, scores)
    assert not digits.are_of(9, turn, scores)
    assert not digits.are_of(2, turn, scores[:9])


def test_where_a_rollout_was_is_told_in_words() -> None:
    story: Story = {
        "rollout": {"id": "digits-2-1", "phase": "rolled_back", "reason": "it ended"},
        "decisions": [
            decision("shadowing"),
            decision("ramping", 2_550),
            {"after": None},
            decision("rolled_back"),
        ],
    }
    assert places(story) == ["shadowing", "ramping at 25.5 %", "rolled_back"]
