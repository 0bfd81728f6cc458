"""Whether as many requests reach the candidate as its weight says: where they do not, the split is broken.

Under the weight w, each of n units is the candidate's with probability w. Against all other weights, mixed by
a beta distribution with parameters a w and a (1 - w), the likelihood ratio is

    B(a w + n_c, a (1 - w) + n_b) / (B(a w, a (1 - w)) w^n_c (1 - w)^n_b)

a martingale that begins at 1 and reaches 1/alpha with probability alpha at most, ever (Lindon & Malek,
"Anytime-valid inference for multinomial count data", NeurIPS 2022, arXiv 2011.03567). Ratios of requests that
were drawn at different weights are multiplied. The same keys may come in several epochs, if only because the
server was restarted, and so their epochs' ratios are no independent evidence: of them a weighted mean is
taken, which is an e-value however they hang together.
"""

from collections.abc import Iterable
from math import lgamma, log, log1p, pi
from typing import Final

from understudy.analysis.ratio import mix
from understudy.evidence import WHOLE, ArmCounts, EpochCounts

ALPHA: Final = 1e-4
"""A split found broken stops a rollout whatever else is true, so that it must be nearly certain."""
CONCENTRATION: Final = 100.0
"""The prior's a: as if so many units had been seen at the weight."""


def is_broken(epochs: Iterable[EpochCounts]) -> bool:
    """The counts do not fit the weights."""
    return weigh_split(epochs) >= -log(ALPHA)


def weigh_split(epochs: Iterable[EpochCounts]) -> float:
    """The logarithm of the evidence that the split is not what the weights say."""
    drawn: dict[int, tuple[int, int]] = {}
    keyed: list[float] = []
    for epoch in epochs:
        if not 0 < epoch.weight < WHOLE:
            continue
        if epoch.is_sticky and (epoch.candidate.keys or epoch.baseline.keys):
            candidate, baseline = _assigned_units(epoch)
            keyed.append(compare_with_weight(candidate, baseline, epoch.weight / WHOLE))
        else:
            candidate, baseline = drawn.get(epoch.weight, (0, 0))
            drawn[epoch.weight] = candidate + _assigned(epoch.candidate), baseline + _assigned(epoch.baseline)
    of_requests = sum(
        compare_with_weight(candidate, baseline, weight / WHOLE)
        for weight, (candidate, baseline) in drawn.items()
    )
    return mix((of_requests, _mix_epochs(keyed)))


def _mix_epochs(logs: list[float]) -> float:
    """Weights that are together at most 1, whatever the number of epochs: 6 / (pi i)^2."""
    if not logs:
        return 0.0
    weights = [6 / (pi * (index + 1)) ** 2 for index in range(len(logs))]
    return mix([*logs, 0.0], [*weights, 1 - sum(weights)])


def compare_with_weight(candidate: int, baseline: int, weight: float) -> float:
    """The logarithm of the ratio above, for one weight."""
    prior_candidate, prior_baseline = CONCENTRATION * weight, CONCENTRATION * (1 - weight)
    return (
        _log_beta(prior_candidate + candidate, prior_baseline + baseline)
        - _log_beta(prior_candidate, prior_baseline)
        - candidate * log(weight)
        - baseline * log1p(-weight)
    )


def _assigned_units(epoch: EpochCounts) -> tuple[int, int]:
    """Keys that the split gave each arm, and requests without one; as they come, where that is counted."""
    arms = epoch.candidate, epoch.baseline
    if any(arm.assigned_keys or arm.assigned_keyless for arm in arms):
        candidate, baseline = (arm.assigned_keys + arm.assigned_keyless for arm in arms)
    else:
        candidate, baseline = (arm.keys + arm.keyless for arm in arms)
    return candidate, baseline


def _assigned(arm: ArmCounts) -> int:
    """Requests that the split gave an arm, whatever became of them."""
    return arm.assigned or arm.requests + arm.callers_mistakes + arm.refused + arm.fallbacks


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
