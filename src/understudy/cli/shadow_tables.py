"""What came of shadow traffic: how outputs differ, the worst requests, why others were not compared."""

from collections.abc import Iterator, Mapping
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from understudy.cli.tables import new_table, show_rate, show_seconds, show_sentence
from understudy.shadow_report import DifferingRequest, OutputReport, ShadowReport

OUTPUTS_MAX: Final = 10
WORST_MAX: Final = 3
"""Of each output."""
FAILURES_MAX: Final = 3
"""Lines of a screen; `--json` has all."""

_SHED: Final = {
    "requests_wait": "requests wait, and come first",
    "machine_busy": "every core is busy: wait for a quieter hour",
    "queue_full": "64 wait already: mirror a smaller share",
    "too_many_bytes": "64 MiB wait already: mirror a smaller share",
    "candidate_busy": "the candidate runs no more at once",
    "candidate_hangs": "a run of the candidate hangs: look at the candidate",
    "stopping": "the server ends",
}
_INCOMPARABLE: Final = {
    "no_signature": "the candidate lacks the signature",
    "inputs": "its signature has other inputs",
    "input_types": "an input is of another type",
    "outputs": "it has none of the outputs asked for",
    "graph": "a part of the baseline's own graph was run",
    "unloaded": "it was being unloaded",
}
"""By why; docs/reference/shadow-traffic.md has both in full."""


def build_shadow(report: ShadowReport) -> RenderableType:
    """How each output differs, then what a person should look at, a line each."""
    lines = [Text(line, overflow="fold") for line in _describe(report)]
    return Group(_build_outputs(report.outputs), *lines) if report.outputs else Group(*lines)


def _build_outputs(outputs: tuple[OutputReport, ...]) -> Table:
    table = new_table("SHADOW", "DISAGREED", "TOP 1 ELSEWHERE", "LARGEST DIFFERENCE")
    for output in outputs[:OUTPUTS_MAX]:
        table.add_row(
            output.output,
            show_rate(output.disagreed, output.compared),
            show_rate(output.top_1_disagreed, output.top_1_compared) if output.top_1_compared else "-",
            _show_largest(output),
        )
    return table


def _show_largest(output: OutputReport) -> str:
    if output.unlike == output.disagreed > 0:
        return "another type or shape"
    absolute, relative = (
        "infinite" if each is None else f"{each:.3g}"
        for each in (output.largest_absolute, output.largest_relative)
    )
    return f"{absolute} ({relative} of the baseline's)" if absolute != "0" else "-"


def _describe(report: ShadowReport) -> Iterator[str]:
    if len(report.outputs) > OUTPUTS_MAX:
        yield f"... and {len(report.outputs) - OUTPUTS_MAX} more outputs: --json has all."
    for output in report.outputs[:OUTPUTS_MAX]:
        for worst in output.worst[:WORST_MAX]:
            yield _describe_worst(output, worst)
    for failure in report.failures[-FAILURES_MAX:]:
        said = f"failed on the candidate alone: {failure.code.name}: {show_sentence(failure.message)}"
        yield f"Request {failure.request_id} {said}{_show_inputs(failure.inputs)}"
    mirrored = report.counts.mirrored
    yield from _describe_reasons("shed", report.shed, _SHED, mirrored)
    yield from _describe_reasons("not comparable", report.incomparable, _INCOMPARABLE, mirrored)
    if report.overdue:
        yield f"Runs of the candidate that hang, for more than 10 s so far: {report.overdue:,}."
    runs = ", ".join(f"p{share * 100:g} {show_seconds(took_s)}" for share, took_s in report.run_quantiles_s)
    if runs:
        yield f"The candidate's shadow runs, which yield to all other work, took {runs}."


def _describe_worst(output: OutputReport, worst: DifferingRequest) -> str:
    place = "" if worst.element is None else f" at {worst.element}"
    versions = f"{show_sentence(worst.candidate)} instead of {show_sentence(worst.baseline)}"
    return f"Request {worst.request_id}: {output.output} is {versions}{place}{_show_inputs(worst.inputs)}"


def _show_inputs(inputs: str) -> str:
    return f" (asked: {show_sentence(inputs)})" if inputs else ""


def _describe_reasons(
    what: str, counts: Mapping[str, int], words: Mapping[str, str], mirrored: int
) -> Iterator[str]:
    """`312 of 330 mirrored requests were shed: 300 machine_busy (every core is busy ...)`."""
    if counts:
        said = [
            f"{count:,} {why} ({words[why]})" if why in words else f"{count:,} {why}"
            for why, count in sorted(counts.items(), key=lambda each: -each[1])
        ]
        yield f"{sum(counts.values()):,} of {mirrored:,} mirrored requests were {what}: {'; '.join(said)}."
