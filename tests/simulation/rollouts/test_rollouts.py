"""Rollouts live through worlds full of faults; and each invariant fails when the core is broken on purpose."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.simulation.broken import INVARIANTS, BrokenInvariantError
from tests.simulation.rollouts.deeds import run_seed
from tests.simulation.rollouts.run import replay_command
from tests.simulation.rollouts.world import Core
from understudy import rollout as core
from understudy.analysis.verdict import Finding, Judgement
from understudy.rollout import Change, Consequences, Situation
from understudy.rollout.commands import Command
from understudy.rollout.state import ModelTraffic, Phase

SEEDS = 200
STEPS = 500
CHUNKS = 5
BROKEN_SEEDS_MAX = 60
"""Within so many seeds a broken core is found out."""
FIRST = 18
"""The first invariant about rollouts."""


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_invariant_breaks_in_any_seed(chunk: int) -> None:
    for seed in range(chunk, SEEDS, CHUNKS):
        try:
            run_seed(seed, STEPS)
        except Exception as error:
            error.add_note(f"replay this seed with: {replay_command(seed, STEPS)}")
            raise


def test_a_seed_plays_the_same_way_twice() -> None:
    first: list[str] = []
    second: list[str] = []
    run_seed(3, 50, first.append)
    run_seed(3, 50, second.append)
    assert first == second
    assert len(first) > 20


@pytest.mark.slow
def test_the_worlds_see_every_kind_of_decision() -> None:
    told: list[str] = []
    for seed in range(60):
        run_seed(seed, 250, told.append)
    seen = {word.rstrip(":") for line in told for word in line.split()[1:3]}
    assert KINDS - seen == set()


KINDS = {
    *(f"rollout_{phase.value}" for phase in Phase if phase is not Phase.WAITING),
    *(f"rollout_{word}" for word in ("started", "found", "paused", "resumed", "adapted")),
    *("version_quarantined", "version_released", "version_waiting"),
    *("stable_set", "stable_moved", "stable_forgotten"),
    *("weights_set", "weights_cleared", "weights_fallback"),
    *("label_yielded", "label_returned"),
}


def too_wide(traffic: ModelTraffic, situation: Situation) -> Consequences:
    """The candidate gets a bucket more than is on record."""
    effects = core.consequences(traffic, situation)
    if effects.traffic is None or not effects.traffic.ranges or traffic.rollout is None:
        return effects
    first = effects.traffic.ranges[0]
    wider = (replace(first, stop=min(first.stop + 1, 10_000)),)
    return replace(effects, traffic=replace(effects.traffic, ranges=wider))


def drifting(traffic: ModelTraffic, situation: Situation) -> Consequences:
    """Each step of the ramp takes other buckets."""
    effects = core.consequences(traffic, situation)
    rollout = traffic.rollout
    if effects.traffic is None or not effects.traffic.ranges or rollout is None or not rollout.step:
        return effects
    first = effects.traffic.ranges[0]
    moved = (replace(first, start=10_000 - (first.stop - first.start), stop=10_000),)
    return replace(effects, traffic=replace(effects.traffic, ranges=moved))


def ending_twice(traffic: ModelTraffic, situation: Situation, now: float) -> Change:
    """A rollout that ended goes on."""
    change = core.advance(traffic, situation, now)
    if not change.ended or change.traffic.rollout is not None:
        return change
    return replace(change, traffic=replace(change.traffic, rollout=traffic.rollout))


def hopeful(traffic: ModelTraffic, situation: Situation, now: float) -> Change:
    """Too little evidence counts as evidence of no harm."""
    judgement = situation.judgement
    if judgement is not None and judgement.finding is Finding.UNDECIDED:
        judgement = Judgement(finding=Finding.NO_HARM)
    return core.advance(traffic, replace(situation, judgement=judgement), now)


def forgiving(traffic: ModelTraffic, situation: Situation) -> Consequences:
    """Nothing is kept out of service."""
    effects = core.consequences(traffic, situation)
    return replace(effects, overlay=replace(effects.overlay, quarantined=frozenset()))


def unpinned(traffic: ModelTraffic, situation: Situation) -> Consequences:
    """Only the policy says which versions live."""
    effects = core.consequences(traffic, situation)
    return replace(effects, overlay=replace(effects.overlay, pinned=frozenset(), kept=frozenset()))


def hasty(traffic: ModelTraffic, situation: Situation) -> Consequences:
    """The candidate is the default at the last step already."""
    effects = core.consequences(traffic, situation)
    rollout = traffic.rollout
    if rollout is None or not rollout.step:
        return effects
    return replace(effects, default_version=rollout.candidate, traffic=None)


def unmanaged(traffic: ModelTraffic, situation: Situation) -> Consequences:
    """New versions of a managed model do not wait."""
    effects = core.consequences(traffic, situation)
    overlay = replace(effects.overlay, held=frozenset())
    return replace(effects, overlay=overlay, default_version=None, barred=overlay.quarantined)


def bold(model: str, traffic: ModelTraffic, *, was_clean: bool, now: float) -> Change:
    """A restart takes a ramp to its next step."""
    change = core.resumed(model, traffic, was_clean=was_clean, now=now)
    rollout = change.traffic.rollout
    if rollout is None or rollout.phase is not Phase.RAMPING:
        return change
    further = replace(rollout, weight=rollout.weight + 1)
    return replace(change, traffic=replace(change.traffic, rollout=further))


def silent(traffic: ModelTraffic, situation: Situation, now: float) -> Change:
    """Nothing is said about steps of the ramp."""
    change = core.advance(traffic, situation, now)
    told = tuple(each for each in change.decisions if each.kind != "rollout_ramping")
    return replace(change, decisions=told)


def patient(traffic: ModelTraffic, situation: Situation, now: float) -> Change:
    """No time is ever up."""
    rollout = traffic.rollout
    if rollout is None:
        return core.advance(traffic, situation, now)
    plan = replace(rollout.plan, wait_s=1e12, duration_max_s=1e12, keep_baseline_s=1e12)
    endless = replace(traffic, rollout=replace(rollout, plan=plan))
    change = core.advance(endless, situation, now)
    following = change.traffic.rollout
    if change.traffic is endless:
        return replace(change, traffic=traffic)
    if following is None or following.id != rollout.id:
        return change
    mended = replace(following, plan=rollout.plan)
    return replace(change, traffic=replace(change.traffic, rollout=mended))


def rash(traffic: ModelTraffic, command: Command, situation: Situation, *, by: str, now: float) -> Change:
    """Operators' orders are in force before they are on record."""
    return replace(core.order(traffic, command, situation, by=by, now=now), is_urgent=True)


BROKEN: Mapping[str, tuple[int, Core]] = {
    "too wide": (18, Core(consequences=too_wide)),
    "drifting": (19, Core(consequences=drifting)),
    "ending twice": (20, Core(advance=ending_twice)),
    "hopeful": (21, Core(advance=hopeful)),
    "forgiving": (22, Core(consequences=forgiving)),
    "unpinned": (23, Core(consequences=unpinned)),
    "hasty": (24, Core(consequences=hasty)),
    "unmanaged": (24, Core(consequences=unmanaged)),
    "bold": (25, Core(resumed=bold)),
    "silent": (26, Core(advance=silent)),
    "patient": (27, Core(advance=patient)),
    "rash": (28, Core(order=rash)),
}


def play_many(played: Core) -> None:
    for seed in range(BROKEN_SEEDS_MAX):
        run_seed(seed, STEPS, played=played)


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_a_core_that_is_broken_on_purpose_is_found_out(name: str) -> None:
    number, played = BROKEN[name]
    with pytest.raises(BrokenInvariantError, match=f"^invariant {number} "):
        play_many(played)


def test_every_invariant_is_broken_once() -> None:
    assert {number for number, _ in BROKEN.values()} == {each for each in INVARIANTS if each >= FIRST}
