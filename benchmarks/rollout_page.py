"""What the benchmark of rollouts found, and its page. Nothing is measured here."""

from collections.abc import Sequence

import msgspec

from benchmarks.machine import Machine
from benchmarks.page import head, method, table
from benchmarks.platforms import SYNTHETIC, TENSORFLOW
from benchmarks.summary import Ratio
from benchmarks.turns import BATCHES, TURN_REQUESTS, TURN_WARM_UP

METHOD = """
The model is x/2 + b: of TensorFlow, what its smallest model costs; made of Rust, where it does next to
nothing, and all that is measured is the server. Where there is a shadow, a run of the latter computes {spin}
µs besides. Each request has a header that says who asks, sixteen users by turns; on one side it is the
routing key.

Saturated: {concurrency} requests are under way at any time, each sent when one before it was answered. Idle:
as many a second as are {share:.0%} of what the first side answered then. Both models of a table are on one
server, which is up during all of it. The side without a split, asked again, shows how far chance goes.

Saturated, with a split: one process asks all sides over the same connections, by turns of {turn} requests,
{split.turns_s:g} s in all. The next turn begins when the last request of one is answered; its time counts
from its {warm_up}th answer on; every other round of turns goes backwards. "Both versions by number" is the
model that is rolled out, asked for one version and the other by turns, request by request: what a client does
who splits by himself, and what two versions cost without a split. Answers a second are those of the turn in
the middle. A ratio is the mean of those of turns in one round, less the tenth at either end, to both sides
without a split; in brackets, where it is nine times in ten, from the means of {batches} stretches of time.

Else: rounds of {split.idle_s:g} s for each side (idle, {split.idle_rounds} rounds), with a shadow of
{shadow.seconds:g} s ({shadow.rounds} saturated, {shadow.idle_rounds} idle), each after one that is thrown
away. Throughput is the median of the rounds, p99 that of all answers together; CPU is the server's processor
time for one request. Whatever else the machine does only ever slows a round, so that ratios are those of the
better rounds: of the upper quartiles of throughput and the lower ones of CPU; of p99, which other work is a
part of, the medians. In brackets, what nine of ten draws of as many rounds from these come to.

Of the requests that were drawn for the shadow, the candidate ran those that are called compared; the others
were dropped for lack of room.
"""


class TurnRow(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a saturated server, by one protocol.

    Attributes:
        platform: of the model.
        protocol: `grpc` or `rest`.
        side: its name.
        rounds: how many turns it had.
        throughput: answers a second.
        throughput_ratio: to the sides without a split.
        p99_us: of all answers.
        failed: requests without a good answer.
    """

    platform: str
    protocol: str
    side: str
    rounds: int
    throughput: float
    throughput_ratio: Ratio
    p99_us: float
    failed: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One side by one protocol.

    Attributes:
        platform: of the model.
        protocol: `grpc` or `rest`.
        load: `saturated` or `idle`.
        side: its name.
        throughput: answers a second.
        p99_us: of all answers.
        failed: requests without a good answer.
        throughput_ratio: to the side without a split.
        p99_ratio: the same.
        cpu_ratio: the same, of the server's processor time for one request.
    """

    platform: str
    protocol: str
    load: str
    side: str
    throughput: float
    p99_us: float
    failed: int
    throughput_ratio: Ratio
    p99_ratio: Ratio
    cpu_ratio: Ratio


class SplitLength(msgspec.Struct, frozen=True, kw_only=True):
    """How long a split is measured.

    Attributes:
        turns_s: all sides together, saturated.
        idle_rounds: that count, idle.
        idle_s: of one side in one round.
    """

    turns_s: float
    idle_rounds: int
    idle_s: float


class Length(msgspec.Struct, frozen=True, kw_only=True):
    """How long a shadow is measured.

    Attributes:
        rounds: that count, saturated.
        idle_rounds: that count, idle.
        seconds: of one side in one round.
    """

    rounds: int
    idle_rounds: int
    seconds: float


class RolloutResults(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, where and how.

    Attributes:
        concurrency: requests under way at once.
        idle_share: of what a saturated server answers, what an idle one is asked.
        spin_us: how long a run computes where there is a shadow.
        split_length: how long each side of a split was measured.
        shadow_length: the same of a shadow.
        split: rows of sides without a shadow, saturated.
        idle: the same, idle.
        shadow: rows of sides with one beside them.
        mirrored: requests that were drawn for the shadow, all in all.
        compared: those of them that ran on both.
    """

    date: str
    machine: Machine
    command: str
    concurrency: int
    idle_share: float
    spin_us: int
    split_length: SplitLength
    shadow_length: Length
    split: tuple[TurnRow, ...]
    idle: tuple[Row, ...]
    shadow: tuple[Row, ...]
    mirrored: int
    compared: int


def render(results: RolloutResults) -> list[str]:
    """The page."""
    text = METHOD.format(
        spin=results.spin_us,
        share=results.idle_share,
        concurrency=results.concurrency,
        split=results.split_length,
        shadow=results.shadow_length,
        turn=TURN_REQUESTS,
        warm_up=TURN_WARM_UP,
        batches=BATCHES,
    )
    title = f"What a rollout costs the requests of its model, {results.date}"
    return [
        *head(title, results.machine, results.command),
        *("## A split: TensorFlow's x/2 + b", ""),
        *render_split(results, TENSORFLOW),
        *("## A split: a model that does next to nothing", ""),
        *render_split(results, SYNTHETIC),
        *("## A shadow", ""),
        *render_rows(results.shadow),
        f"Of {results.mirrored:,} requests that were drawn, {results.compared:,} were compared.",
        "",
        *method(text),
    ]


def render_split(results: RolloutResults, platform: str) -> list[str]:
    """Of one platform: saturated, then idle."""
    columns = ("saturated", "answers/s", "answers ÷ no split", "p99, µs", "rounds", "failed")
    cells = [
        (
            f"{row.protocol}, {row.side}",
            f"{row.throughput:,.0f}",
            told(row.throughput_ratio, digits=4),
            f"{row.p99_us:,.0f}",
            f"{row.rounds:,}",
            str(row.failed),
        )
        for row in results.split
        if row.platform == platform
    ]
    return table(columns, cells) + render_rows([row for row in results.idle if row.platform == platform])


def render_rows(rows: Sequence[Row]) -> list[str]:
    """A table."""
    columns = (
        "side",
        "answers/s",
        "p99, µs",
        "answers ÷ no split",
        "p99 ÷ no split",
        "CPU ÷ no split",
        "failed",
    )
    cells = [
        (
            f"{row.protocol}, {row.load}, {row.side}",
            f"{row.throughput:,.0f}",
            f"{row.p99_us:,.0f}",
            told(row.throughput_ratio),
            told(row.p99_ratio),
            told(row.cpu_ratio),
            str(row.failed),
        )
        for row in rows
    ]
    return table(columns, cells)


def told(ratio: Ratio, digits: int = 3) -> str:
    """The ratio, and its bounds."""
    return f"{ratio.ratio:.{digits}f} [{ratio.low:.{digits}f}, {ratio.high:.{digits}f}]"
