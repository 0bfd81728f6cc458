"""The tests of evidence against slow and exact references: event by event, in fractions."""

from fractions import Fraction
from math import exp, lgamma, log, log1p, sqrt
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.analysis import bernoulli, difference, ratio
from understudy.analysis.interval import bound_ratio
from understudy.analysis.means import LOSSES, Measured, ScoreStratum, bound_mean, weigh_bounded, weigh_mean
from understudy.analysis.metric import weigh
from understudy.analysis.settings import MetricSettings
from understudy.analysis.split import CONCENTRATION, compare_with_weight
from understudy.analysis.strata import Arm, Stratum, build_strata
from understudy.evidence import ArmCounts, Bad, EpochCounts, Moments

ROUNDING = 1e-9
SETTINGS = MetricSettings(name="errors")


def stratum(weight: float, candidate: tuple[int, int], baseline: tuple[int, int]) -> Stratum:
    return Stratum(weight, False, Arm(*candidate), Arm(*baseline))


def as_fraction(number: float) -> Fraction:
    return Fraction(str(number))


def share_of_bad(weight: Fraction, of: Fraction) -> Fraction:
    return weight * of / (1 - weight + weight * of)


def exact_ratio(strata: list[Stratum], null: float, steps: tuple[float, ...]) -> float:
    """The mean over alternatives of the product over events, each event a factor of its own."""
    total = Fraction(0)
    for step in steps:
        product, null_ratio = Fraction(1), as_fraction(null)
        for each in strata:
            weight = as_fraction(each.weight)
            q0, q1 = share_of_bad(weight, null_ratio), share_of_bad(weight, null_ratio * as_fraction(step))
            for _ in range(each.candidate.bad):
                product *= q1 / q0
            for _ in range(each.baseline.bad):
                product *= (1 - q1) / (1 - q0)
        total += product
    mean = total / len(steps)
    return log(mean.numerator) - log(mean.denominator)


SEEN = [
    [stratum(0.01, (3, 500), (40, 49_500)), stratum(0.25, (30, 5_000), (70, 15_000))],
    [stratum(0.1, (0, 500), (0, 4_500))],
    [stratum(0.5, (25, 900), (4, 900))],
]


@pytest.mark.parametrize("strata", SEEN)
@pytest.mark.parametrize("null", [1.0, 1.1, 1.5])
def test_the_ratio_is_weighed_as_event_by_event(strata: list[Stratum], null: float) -> None:
    harm, safety = ratio.weigh_harm(tuple(strata), null), ratio.weigh_safety(tuple(strata), null)
    assert ratio.mix(harm) == pytest.approx(exact_ratio(strata, null, ratio.HARM_STEPS), abs=ROUNDING)
    assert ratio.mix(safety) == pytest.approx(exact_ratio(strata, null, ratio.SAFE_STEPS), abs=ROUNDING)


@pytest.mark.parametrize("strata", SEEN)
def test_the_difference_is_weighed_as_unit_by_unit(strata: list[Stratum]) -> None:
    floor = Fraction("0.001")
    for stake, weighed in zip(
        difference.STAKES, difference.weigh_closeness(tuple(strata), float(floor)), strict=True
    ):
        logs = 0.0
        for each in strata:
            weight = as_fraction(each.weight)
            part = as_fraction(stake) / (1 / weight - floor)
            clean = each.candidate.total + each.baseline.total - each.candidate.bad - each.baseline.bad
            for z, count in (
                (Fraction(0), clean),
                (1 / weight, each.candidate.bad),
                (-1 / (1 - weight), each.baseline.bad),
            ):
                logs += count * log(1 + part * (floor - z))
        assert weighed == pytest.approx(logs, abs=1e-8)


@pytest.mark.parametrize("weight", ["0.01", "0.25", "0.5"])
@pytest.mark.parametrize(("rate", "floor"), [("0.004", "0.001"), ("0", "0.001"), ("0.2", "0.05")])
def test_a_bet_is_fair_at_the_floor(weight: str, rate: str, floor: str) -> None:
    """The mean factor of one unit is exactly 1 when the difference is the floor, for every stake."""
    w, p, d = Fraction(weight), Fraction(rate), Fraction(floor)
    chances = {(1, 0): w * (p + d), (0, 1): (1 - w) * p, (0, 0): 1 - w * (p + d) - (1 - w) * p}
    for weigh_logs in (difference.weigh_closeness, difference.weigh_gap):
        means = [0.0] * len(weigh_logs((), float(d)))
        for (candidate, baseline), chance in chances.items():
            # A hundred units of each arm's share around the one that counts, so that none is called silent.
            one = stratum(float(w), (candidate, int(100 * w)), (baseline, 100 - int(100 * w)))
            clean = stratum(float(w), (0, int(100 * w)), (0, 100 - int(100 * w)))
            logs = zip(weigh_logs((one,), float(d)), weigh_logs((clean,), float(d)), strict=True)
            of_clean = [value / 100 for value in weigh_logs((clean,), float(d))]
            means = [
                mean + float(chance) * exp(with_it - without + alone)
                for mean, (with_it, without), alone in zip(means, logs, of_clean, strict=True)
            ]
        assert means == pytest.approx([1.0] * len(means), abs=1e-9)


@pytest.mark.parametrize(("candidate", "baseline"), [(40, 100), (15, 60), (60, 900)])
def test_the_mixture_says_what_the_closed_form_says(candidate: int, baseline: int) -> None:
    """With a Dirichlet prior there is a closed form at a fixed weight (Lindon & Malek 2022).

    It mixes other ratios in other parts, so that they agree as far as priors may differ.
    """
    weight = 0.03
    prior = weight, 1 - weight
    closed = log_beta(prior[0] + candidate, prior[1] + baseline) - log_beta(*prior)
    closed -= candidate * log(weight) + baseline * log(1 - weight)
    mixture = ratio.mix(ratio.weigh_harm((stratum(weight, (candidate, 0), (baseline, 0)),), 1.0))
    assert mixture == pytest.approx(closed, abs=4)
    assert min(mixture, closed) > 5


def log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


@pytest.mark.parametrize(("candidate", "baseline"), [(0, 0), (3, 9), (12, 2)])
def test_the_split_is_weighed_as_the_prior_says(candidate: int, baseline: int) -> None:
    """One unit after another: each has the probability that the prior and those before it give it."""
    weight, mass = Fraction(1, 10), Fraction(str(CONCENTRATION))
    product, seen = Fraction(1), {True: 0, False: 0}
    for is_candidate in [True] * candidate + [False] * baseline:
        prior = mass * (weight if is_candidate else 1 - weight)
        product *= (prior + seen[is_candidate]) / (mass + sum(seen.values()))
        product /= weight if is_candidate else 1 - weight
        seen[is_candidate] += 1
    exact = log(product.numerator) - log(product.denominator)
    assert compare_with_weight(candidate, baseline, 0.1) == pytest.approx(exact, abs=ROUNDING)


def test_a_mean_is_weighed_as_the_integral_says() -> None:
    """Half a normal distribution of effects, integrated by the trapezium rule."""
    for difference_seen, variance, effect in ((0.02, 1e-4, 0.05), (-0.01, 4e-5, 0.02), (0.0, 1e-3, 0.1)):
        step = effect / 2_000
        grid = [index * step for index in range(20_000)]
        heights = [
            exp(difference_seen * d / variance - d * d / (2 * variance))
            * 2 * exp(-d * d / (2 * effect**2)) / sqrt(2 * 3.141592653589793 * effect**2)
            for d in grid
        ]  # fmt: skip
        integral = step * (sum(heights) - (heights[0] + heights[-1]) / 2)
        assert weigh_mean(Measured(difference_seen, variance), effect) == pytest.approx(
            log(integral), abs=1e-4
        )


def test_the_bounds_of_a_mean_are_the_asymptotic_confidence_sequence() -> None:
    """Mean +- sigma sqrt(2 (t rho^2 + 1) / (t^2 rho^2) ln(sqrt(t rho^2 + 1) / alpha))."""
    sigma, t, rho, alpha = 0.7, 1_500, 0.05, 0.05
    width = sigma * sqrt(2 * (t * rho**2 + 1) / (t**2 * rho**2) * log(sqrt(t * rho**2 + 1) / alpha))
    low, high = bound_mean(Measured(0.3, sigma**2 / t), rho * sigma, alpha)
    assert (low, high) == pytest.approx((0.3 - width, 0.3 + width))


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60),
    st.sampled_from([0.1, 0.5]),
    st.booleans(),
)
def test_a_bet_on_sums_is_never_more_than_the_bet_on_each_score(
    scores: list[tuple[bool, float]],
    weight: float,
    is_above: bool,  # noqa: FBT001 - drawn by chance
) -> None:
    arms = [[value for is_candidate, value in scores if is_candidate is arm] for arm in (True, False)]
    moments = [
        Moments(count=len(arm), total=sum(arm), total_of_squares=sum(value**2 for value in arm))
        for arm in arms
    ]
    seen = weigh_bounded((ScoreStratum(weight, *moments),), 1.0, 1.0, is_above=is_above)
    products = []
    for loss in LOSSES:
        stake = loss * (1 - weight) if is_above else -loss * weight
        z = [value / weight if is_candidate else -value / (1 - weight) for is_candidate, value in scores]
        products.append(sum(log1p(stake * each) for each in z))
    reached = len(arms[0]) >= weight * len(scores)
    if reached:
        assert seen <= ratio.mix(products) + ROUNDING


EPOCHS = st.lists(
    st.builds(
        lambda number, weight, bad, totals: EpochCounts(
            epoch=number,
            weight=weight,
            is_sticky=False,
            candidate=ArmCounts(requests=totals[0] + bad[0], bad={"errors": Bad(bad[0])}),
            baseline=ArmCounts(requests=totals[1] + bad[1], bad={"errors": Bad(bad[1])}),
        ),
        st.integers(0, 9),
        st.sampled_from([1, 100, 500, 5_000, 9_999]),
        st.tuples(st.integers(0, 50), st.integers(0, 50)),
        st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)),
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, derandomize=True)
@given(EPOCHS, st.randoms(use_true_random=False))
def test_the_order_of_epochs_makes_no_difference(epochs: list[EpochCounts], random: Random) -> None:
    mixed = epochs.copy()
    random.shuffle(mixed)
    one, other = (weigh(build_strata(each, "errors"), SETTINGS).evident for each in (epochs, mixed))
    assert (one.harm, one.gap, one.safety) == pytest.approx((other.harm, other.gap, other.safety))


@settings(deadline=None, derandomize=True)
@given(EPOCHS, EPOCHS)
def test_evidence_of_two_trials_adds_up(first: list[EpochCounts], second: list[EpochCounts]) -> None:
    """Alternative by alternative: so counts of several servers can be joined."""
    one, other, both = (build_strata(each, "errors") for each in (first, second, [*first, *second]))
    for weigh_logs, null in ((ratio.weigh_harm, 1.1), (difference.weigh_gap, 0.001)):
        parts = zip(weigh_logs(one, null), weigh_logs(other, null), strict=True)
        assert weigh_logs(both, null) == pytest.approx([a + b for a, b in parts], rel=1e-9, abs=1e-9)


@settings(deadline=None, derandomize=True)
@given(EPOCHS.map(lambda epochs: build_strata(epochs, "errors")), st.integers(1, 5))
def test_more_errors_of_the_candidate_never_speak_for_it(strata: tuple[Stratum, ...], more: int) -> None:
    worse = tuple(
        Stratum(
            each.weight, False, Arm(each.candidate.bad + more, each.candidate.total + more), each.baseline
        )
        for each in strata
    )
    assert ratio.mix(ratio.weigh_harm(worse, 1.0)) >= ratio.mix(ratio.weigh_harm(strata, 1.0))
    for step, (before, after) in enumerate(
        zip(ratio.weigh_safety(strata, 1.5), ratio.weigh_safety(worse, 1.5), strict=True)
    ):
        reached = all(
            each.candidate.total >= each.weight * (each.candidate.total + each.baseline.total)
            for each in strata
        )
        assert after <= before or not reached, step


@settings(deadline=None, derandomize=True)
@given(EPOCHS.map(lambda epochs: build_strata(epochs, "errors")))
def test_the_interval_holds_the_estimate_and_refutes_what_lies_outside(strata: tuple[Stratum, ...]) -> None:
    interval = bound_ratio(strata)
    if interval.ratio is None or interval.low is None:
        return
    assert interval.low <= interval.ratio * 1.001
    assert interval.high is None or interval.ratio <= interval.high * 1.001


@pytest.mark.parametrize(("count", "total"), [(0, 50), (7, 50), (50, 50), (300, 1_000)])
def test_a_share_lies_within_its_bounds_and_they_are_where_the_evidence_suffices(
    count: int, total: int
) -> None:
    low, high = bernoulli.bound_share(count, total, 0.05)
    assert low <= count / total <= high
    refuted = log(2 / 0.05)
    if low > 0:
        assert bernoulli.weigh_above(count, total, low) == pytest.approx(refuted, abs=0.01)
    if high < 1:
        assert bernoulli.weigh_below(count, total, high) == pytest.approx(refuted, abs=0.01)
