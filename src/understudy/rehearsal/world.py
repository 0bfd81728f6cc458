"""Made-up traffic: how many requests come, how many fail, and how much worse the candidate is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from understudy.evidence import ERRORS, WHOLE, WRONG, ArmCounts, Bad, EpochCounts, ShadowCounts
from understudy.rehearsal.drawing import draw_binomial, draw_poisson

SHARE_MAX: Final = 1.0


@dataclass(frozen=True, slots=True)
class Effect:
    """How often something bad happens, and how many times as often with the candidate."""

    share: float
    ratio: float = 1.0

    @property
    def candidate_share(self) -> float:
        """The candidate's."""
        return min(self.share * self.ratio, SHARE_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the traffic is like; the same all the time.

    Attributes:
        rate: requests in a second.
        effects: by kind of bad event.
        truth_share: of the predictions, how many the truth becomes known of.
    """

    rate: float
    effects: Mapping[str, Effect] = field(default_factory=dict)
    truth_share: float = 1.0


def draw_epoch(random: Random, world: World, epoch: EpochCounts, seconds: float) -> EpochCounts:
    """An epoch after so many more seconds."""
    share = epoch.weight / WHOLE
    return EpochCounts(
        epoch=epoch.epoch,
        weight=epoch.weight,
        is_sticky=False,
        baseline=_draw_arm(random, world, epoch.baseline, (1 - share) * seconds, is_candidate=False),
        candidate=_draw_arm(random, world, epoch.candidate, share * seconds, is_candidate=True),
    )


def draw_shadow(
    random: Random, world: World, shadow: ShadowCounts, share: int, seconds: float
) -> ShadowCounts:
    """Shadow traffic's counts after so many more seconds.

    Whether one version fails does not depend on the other: the worst case for telling them apart.
    """
    requests = draw_poisson(random, world.rate * seconds * share / WHOLE)
    effect = world.effects.get(ERRORS, Effect(0.0))
    only_candidate = draw_binomial(random, requests, effect.candidate_share * (1 - effect.share))
    only_baseline = draw_binomial(random, requests, effect.share * (1 - effect.candidate_share))
    return ShadowCounts(
        mirrored=shadow.mirrored + requests,
        compared=shadow.compared + requests,
        only_candidate={ERRORS: shadow.only_candidate.get(ERRORS, 0) + only_candidate},
        only_baseline={ERRORS: shadow.only_baseline.get(ERRORS, 0) + only_baseline},
    )


def _draw_arm(
    random: Random, world: World, arm: ArmCounts, seconds: float, *, is_candidate: bool
) -> ArmCounts:
    requests = draw_poisson(random, world.rate * seconds)
    truths = draw_binomial(random, requests, world.truth_share) if WRONG in world.effects else 0
    bad = {}
    for name, effect in world.effects.items():
        share = effect.candidate_share if is_candidate else effect.share
        of = truths if name == WRONG else requests
        bad[name] = Bad(arm.bad.get(name, Bad()).events + draw_binomial(random, of, share))
    return ArmCounts(requests=arm.requests + requests, bad=bad, truths=Bad(arm.truths.events + truths))
