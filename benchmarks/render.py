"""The published page: Markdown made from the results, so that page and numbers cannot disagree."""

from collections.abc import Iterable

from benchmarks.results import Results
from benchmarks.summary import Row

_COLUMNS = (
    "server",
    "load",
    "answers/s",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "max µs",
    "failed",
    "mixed",
    "CPU µs",
)
_BRACKETS = "In brackets: the extremes of single rounds, each compared with the round beside it."


def render(results: Results) -> str:
    """The whole page."""
    return "\n".join([*_head(results), *_headlines(results), *_tables(results), *_method(results), ""])


def _head(results: Results) -> list[str]:
    machine = results.machine
    packages = "".join(f", {name} {version}" for name, version in results.packages.items())
    hardware = f"{machine.cores} cores of {machine.cpu_model}, {machine.memory_gib:g} GiB, {machine.kernel}"
    quick = " (quick: too short to compare with)" if results.quick else ""
    return [
        f"# Benchmark of {results.date}",
        "",
        f"* **Machine**: {hardware}. Servers and load generator share it.",
        f"* **Other work on it** just before: load average {machine.load_average:g}.",
        f"* **Software**: commit {machine.commit}, Python {machine.python}{packages}.",
        f"* **Command**: `{results.command}`{quick}",
        "",
    ]


def _headlines(results: Results) -> list[str]:
    lines = ["## In short", "", "| what | measured | to reach |", "| --- | ---: | ---: |"]
    lines += [
        f"| {headline.what} | {headline.value:.2f} ({headline.low:.2f} to {headline.high:.2f}) "
        f"| {headline.target} |"
        for headline in results.headlines
    ]
    return [*lines, "", _BRACKETS, ""]


def _tables(results: Results) -> list[str]:
    lines = [
        *_rows("Throughput and latency", results.throughput),
        *_rows("While versions change", results.changes),
    ]
    lines += [f"{results.versions_published} versions were published during the changing rounds.", ""]
    lines += ["## Start and memory", "", "| | |", "| --- | ---: |"]
    lines += [f"| {name} | {value} |" for name, value in results.footprint.items()]
    return [*lines, ""]


def _rows(title: str, rows: tuple[Row, ...]) -> list[str]:
    rules = ["---", "---", *["---:"] * (len(_COLUMNS) - 2)]
    return [f"## {title}", "", _line(_COLUMNS), _line(rules), *(_line(_cells(row)) for row in rows), ""]


def _cells(row: Row) -> list[str]:
    load = f"{'gRPC' if row.protocol == 'grpc' else 'REST'} x {row.concurrency}"
    latencies = (row.p50, row.p99, row.p999, row.max)
    return [
        row.server if row.situation == "steady" else f"{row.server}, versions changing",
        load if row.rate is None else f"{load}, {row.rate:,.0f}/s due",
        f"{row.throughput:,.0f}",
        *(f"{latency:,.0f}" for latency in latencies),
        f"{row.failed} of {row.ok + row.failed:,}",
        f"{row.mixed}",
        f"{row.server_cpu_us:,.0f}",
    ]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _method(results: Results) -> list[str]:
    return ["## Method", "", *(f"* {line}" for line in results.method), ""]
