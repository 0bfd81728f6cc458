"""The numbers that benchmarks publish: quantiles over all rounds, ratios of neighbours."""

from collections import Counter

from benchmarks.load import Load, Measurement
from benchmarks.summary import Series, compare, merge, pair_ratios, quantile, summarize


def measured(throughput: float, histogram: dict[float, int], *, failed: int = 0) -> Measurement:
    return Measurement(
        throughput=throughput,
        ok=sum(histogram.values()),
        failed=failed,
        mixed=0,
        unsent=0,
        server_cpu_us=10.0,
        generator_cpu_us=5.0,
        histogram=Counter(histogram),
    )


def test_a_quantile_is_the_first_bound_that_enough_answers_do_not_exceed() -> None:
    histogram = Counter({100.0: 98, 200.0: 1, 900.0: 1})
    assert quantile(histogram, 0.5) == 100.0
    assert quantile(histogram, 0.98) == 100.0
    assert quantile(histogram, 0.99) == 200.0
    assert quantile(histogram, 0.999) == 900.0


def test_nothing_measured_has_the_quantile_zero() -> None:
    assert quantile(Counter(), 0.99) == 0.0


def test_rounds_are_merged_before_quantiles_are_taken() -> None:
    merged = merge([Counter({100.0: 1}), Counter({100.0: 1, 300.0: 98})])
    assert merged == {100.0: 2, 300.0: 98}


def test_a_row_takes_the_median_throughput_and_adds_up_the_failures() -> None:
    rounds = (
        measured(10.0, {1.0: 5}),
        measured(30.0, {2.0: 5}, failed=2),
        measured(20.0, {3.0: 5}, failed=1),
    )
    load = Load(protocol="grpc", concurrency=8, seconds=1.0)
    row = summarize(Series(server="understudy", situation="steady", load=load, rounds=rounds))
    assert (row.throughput, row.throughput_min, row.throughput_max) == (20.0, 10.0, 30.0)
    assert (row.ok, row.failed, row.max, row.p50) == (15, 3, 3.0, 2.0)


def test_ratios_pair_each_round_with_the_one_beside_it() -> None:
    assert pair_ratios([20.0, 30.0], [10.0, 10.0]) == [2.0, 3.0]


def test_a_load_spreads_grpc_over_connections_of_eight_streams_and_gives_rest_one_each() -> None:
    def connections(protocol: str, concurrency: int) -> int:
        return Load(protocol=protocol, concurrency=concurrency, seconds=1.0).connections

    assert [connections("grpc", concurrency) for concurrency in (1, 8, 64)] == [1, 1, 8]
    assert [connections("rest", concurrency) for concurrency in (1, 8, 64)] == [1, 8, 64]


def test_two_sides_are_compared_at_one_share_of_their_rounds_and_chance_has_its_bounds() -> None:
    alone = [100.0 + number for number in range(41)]
    same = compare(alone, alone, 0.75)
    assert (same.ratio, same.low, same.high) == (1.0, 1.0, 1.0)
    half = compare([value / 2 for value in alone], alone, 0.25)
    assert (half.ratio, half.low, half.high) == (0.5, 0.5, 0.5)
    other = compare(alone[::-1], alone, 0.75)
    assert other.ratio == 1.0
    assert other.low < 1.0 < other.high
