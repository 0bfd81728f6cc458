"""Measures what a rollout costs the requests of its model: none, split by chance or by a key, shadowed.

    python -m benchmarks.rollouts
    python -m benchmarks.rollouts --quick

One server has two models: one serves a version alone, the other is amid a rollout that holds at half of the
traffic, or in its shadow stage, evidence and all. A saturated server is asked by turns of milliseconds over
the same connections, for a split costs a hundredth or two; an idle one, and one with a shadow, for a second
or so at a time. Every other round is in the other order. The model without a rollout is asked twice in each:
what differs then is the machine's doing.
"""

import argparse
import datetime as dt
import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import half_plus_two_messages as messages
from benchmarks import synthetic_model
from benchmarks.half_plus_two_model import outputs
from benchmarks.load import Load, Measurement, Question, measure
from benchmarks.machine import describe
from benchmarks.one_model import OneModel, Publish, serving_one
from benchmarks.page import RESULTS, write
from benchmarks.platforms import SYNTHETIC, publishers
from benchmarks.rollout_orders import (
    BASELINE,
    CANDIDATE,
    ROLLOUT,
    call,
    order_rollout,
    server_command,
    wait_phase,
)
from benchmarks.rollout_page import Length, RolloutResults, Row, SplitLength, TurnRow, render
from benchmarks.rounds import Say
from benchmarks.server_process import ServerProcess
from benchmarks.summary import compare, merge, quantile
from benchmarks.turns import Asked, compare_turns, take_turns

ALONE, AGAIN = "no split", "no split again"
NAMED, BY_CHANCE, BY_KEY = "both versions by number", "split by chance", "split by a key"
SHADOWED = "10 % shadow"
CONCURRENCY = 32
IDLE_SHARE = 0.2
"""An idle server is asked so much of what a saturated one answers."""
LOWER, MIDDLE, UPPER = 0.25, 0.5, 0.75
SPIN_US = 200
"""How long a run computes where there is a shadow: its cost is a second run."""
SPLIT = {"shadow": None, "steps": [{"weight": "50 %", "dwell": "1 d"}]}
SHADOW = {"shadow": {"share": "10 %", "dwell": "1 d"}}
LONE = "half_unrolled"
"""The model without a rollout: a name as long as the other's."""
KEY, OTHER = "x-routing-key", "x-something-else"
USERS = tuple(f"user-{number}@example.org" for number in range(16))
"""Who asks, one after the other: about as many belong to one version as to the other."""
SPLIT_LENGTH = SplitLength(turns_s=90.0, idle_rounds=10, idle_s=0.5)
"""Some thousand rounds of turns, which tell a hundredth from two."""
SHADOW_LENGTH = Length(rounds=10, idle_rounds=10, seconds=2.0)
"""A late answer: long enough for a p99."""
QUICK_SPLIT = SplitLength(turns_s=5.0, idle_rounds=1, idle_s=0.5)
QUICK_SHADOW = Length(rounds=1, idle_rounds=1, seconds=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What is compared.

    Attributes:
        name: for the page.
        question: to one of the models.
        header: that says who asks.
    """

    name: str
    question: Question
    header: str

    def ask(self, server: ServerProcess, load: Load) -> Measurement:
        """Measures once."""
        load = replace(load, headers=((self.header, USERS[0]),), model=self.question.folder.name)
        return measure(server, load, self.question)

    def asked(self, protocol: str, versions: Sequence[int | None] = (None,)) -> list[Asked]:
        """Each user's request; for these versions by number, one after the other."""
        return [
            self._asked_by(user, protocol, version)
            for user, version in zip(USERS, cycle(versions), strict=False)
        ]

    def _asked_by(self, user: str, protocol: str, version: int | None) -> Asked:
        model = self.question.folder.name
        body = self.question.body(protocol)
        if version is not None and protocol == "grpc":
            body = body.with_name(f"request-{version}.grpc")
            body.write_bytes(messages.grpc_body(model=model, version=version))
        return Asked(
            path=messages.GRPC_PATH if protocol == "grpc" else messages.rest_path(model, version),
            body=body,
            headers=((self.header, user),),
            expectations=self.question.expectations,
        )


def write_question(folder: Path, model: str = messages.MODEL_NAME) -> Question:
    """The request to a model, and what each version answers, in a folder of the model's name."""
    question = Question(folder=folder / "questions" / model)
    question.folder.mkdir(parents=True)
    question.body("grpc").write_bytes(messages.grpc_body(model=model))
    question.body("rest").write_bytes(messages.rest_body())
    expected = {str(number): outputs(number) for number in (BASELINE, CANDIDATE)}
    question.expectations.write_text(json.dumps(expected), encoding="utf-8")
    return question


def measure_turns(
    server: ServerProcess, sides: Sequence[Side], names: tuple[str, str], seconds: float, folder: Path
) -> tuple[TurnRow, ...]:
    """All sides by turns, saturated; the model of the last is asked by number, too."""
    platform, protocol = names
    load = Load(protocol=protocol, concurrency=CONCURRENCY, seconds=seconds)
    asked = {side.name: side.asked(protocol) for side in sides}
    asked[NAMED] = sides[-1].asked(protocol, (BASELINE, CANDIDATE))
    turns = dict(zip(asked, take_turns(server, load, list(asked.values()), folder), strict=True))
    alone, again = (turns[name].took_us for name in (ALONE, AGAIN))
    others = {ALONE: [alone], AGAIN: [alone]}
    return tuple(
        TurnRow(
            platform=platform,
            protocol=protocol,
            side=name,
            rounds=len(own.took_us),
            throughput=own.throughput,
            throughput_ratio=compare_turns(own.took_us, others.get(name, [alone, again])),
            p99_us=quantile(own.histogram, 0.99),
            failed=own.failed,
        )
        for name, own in turns.items()
    )


def measure_idle(
    server: ServerProcess, sides: Sequence[Side], saturated: Sequence[TurnRow], length: SplitLength
) -> tuple[Row, ...]:
    """All sides with time to spare: `saturated` says how much they answer without."""
    first = saturated[0]
    load = Load(
        protocol=first.protocol,
        concurrency=CONCURRENCY,
        seconds=length.idle_s,
        rate=IDLE_SHARE * first.throughput,
    )
    return measure_rounds(server, sides, (first.platform, first.protocol, "idle"), load, length.idle_rounds)


def measure_loads(
    server: ServerProcess, sides: Sequence[Side], names: tuple[str, str], length: Length
) -> tuple[Row, ...]:
    """All sides saturated, then idle; `names` are those of the platform and the protocol."""
    saturated = Load(protocol=names[1], concurrency=CONCURRENCY, seconds=length.seconds)
    rows = measure_rounds(server, sides, (*names, "saturated"), saturated, length.rounds)
    idle = replace(saturated, rate=IDLE_SHARE * rows[0].throughput)
    return rows + measure_rounds(server, sides, (*names, "idle"), idle, length.idle_rounds)


def measure_rounds(
    server: ServerProcess, sides: Sequence[Side], names: tuple[str, str, str], load: Load, rounds: int
) -> tuple[Row, ...]:
    """All sides in turn, round by round; the first is what the others are compared with."""
    measured: dict[str, list[Measurement]] = {side.name: [] for side in sides}
    for number in range(rounds + 1):
        for side in sides if number % 2 else sides[::-1]:
            result = side.ask(server, load)
            if number > 0:
                measured[side.name].append(result)
    alone = measured[sides[0].name]
    return tuple(build_row(names, side, results, alone) for side, results in measured.items())


def build_row(
    names: tuple[str, str, str], side: str, own: Sequence[Measurement], alone: Sequence[Measurement]
) -> Row:
    """The numbers of one side; `names` are those of its platform, its protocol and its load."""

    def p99(measurements: Sequence[Measurement]) -> list[float]:
        return [quantile(each.histogram, 0.99) for each in measurements]

    def cpu_us(measurements: Sequence[Measurement]) -> list[float]:
        return [each.server_cpu_us for each in measurements]

    def throughput(measurements: Sequence[Measurement]) -> list[float]:
        return [each.throughput for each in measurements]

    platform, protocol, load = names
    return Row(
        platform=platform,
        protocol=protocol,
        load=load,
        side=side,
        throughput=median(throughput(own)),
        p99_us=quantile(merge(each.histogram for each in own), 0.99),
        failed=sum(each.failed for each in own),
        throughput_ratio=compare(throughput(own), throughput(alone), UPPER),
        p99_ratio=compare(p99(own), p99(alone), MIDDLE),
        cpu_ratio=compare(cpu_us(own), cpu_us(alone), LOWER),
    )


def run(folder: Path, command: str, lengths: tuple[SplitLength, Length], say: Say) -> RolloutResults:
    """What a split costs, then what a shadow costs; the lengths are theirs."""
    machine = describe()
    lone, rolled = (write_question(folder, model) for model in (LONE, messages.MODEL_NAME))
    alone, again, by_chance, by_key, shadowed = (
        Side(name=name, question=question, header=header)
        for name, question, header in (
            (ALONE, lone, OTHER),
            (AGAIN, lone, OTHER),
            (BY_CHANCE, rolled, OTHER),
            (BY_KEY, rolled, KEY),
            (SHADOWED, rolled, OTHER),
        )
    )
    split: list[TurnRow] = []
    idle: list[Row] = []
    for platform, publish in publishers(folder, say).items():
        say(f"a split, {platform}")
        with serving(folder / platform, platform, publish) as model:
            order_rollout(model, SPLIT, publish)
            wait_phase(model, "ramping")
            for protocol in ("grpc", "rest"):
                sides, names = (alone, again, by_chance, by_key), (platform, protocol)
                rows = measure_turns(model.server, sides, names, lengths[0].turns_s, folder)
                split.extend(rows)
                idle.extend(measure_idle(model.server, sides, rows, lengths[0]))
    say("a shadow")
    shadow, counts = measure_shadow(folder, (alone, again, shadowed), lengths[1])
    return RolloutResults(
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        machine=machine,
        command=command,
        concurrency=CONCURRENCY,
        idle_share=IDLE_SHARE,
        spin_us=SPIN_US,
        split_length=lengths[0],
        shadow_length=lengths[1],
        split=tuple(split),
        idle=tuple(idle),
        shadow=shadow,
        mirrored=counts["mirrored"],
        compared=counts["compared"],
    )


def measure_shadow(
    folder: Path, sides: Sequence[Side], length: Length
) -> tuple[tuple[Row, ...], Mapping[str, int]]:
    """With a rollout in its shadow stage; and what is counted of the shadow."""
    publish = partial(synthetic_model.publish, spin_us=SPIN_US)
    with serving(folder / "shadow", SYNTHETIC, publish) as model:
        order_rollout(model, SHADOW, publish)
        wait_phase(model, "shadowing")
        rows = measure_loads(model.server, sides, (SYNTHETIC, "grpc"), length)
        seen = call(model.server, "GET", ROLLOUT)
    evidence = msgspec.convert(seen["evidence"], dict[str, object])
    counts = msgspec.convert(evidence["shadow"], dict[str, object])
    return rows, {name: msgspec.convert(counts[name], int) for name in ("mirrored", "compared")}


def serving(folder: Path, platform: str, publish: Publish) -> AbstractContextManager[OneModel]:
    """A server of two models, of which one is rolled out."""
    return serving_one(
        server_command(), folder, platform, lambda path: publish(path, BASELINE), beside=(LONE,)
    )


def main() -> int:
    """Parses the command line, measures, writes."""
    parser = argparse.ArgumentParser(description="Measures what a rollout costs requests.")
    parser.add_argument("--quick", action="store_true", help="about a minute, to see that it works")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    arguments = parser.parse_args()
    lengths = (QUICK_SPLIT, QUICK_SHADOW) if arguments.quick else (SPLIT_LENGTH, SHADOW_LENGTH)
    command = "python -m benchmarks.rollouts" + (" --quick" if arguments.quick else "")
    with tempfile.TemporaryDirectory(prefix="understudy-rollouts-") as folder:
        results = run(Path(folder), command, lengths, lambda text: print(text, flush=True))
    stem = f"rollouts-{results.date}-{results.machine.slug}" + ("-quick" if arguments.quick else "")
    print(write(arguments.results, stem, render(results), results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
