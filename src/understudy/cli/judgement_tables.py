"""What the evidence says of a rollout, metric by metric. Asks nobody."""

from collections.abc import Iterable, Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from understudy.analysis.sentences import describe_ratio
from understudy.analysis.verdict import Finding, Judgement, MetricVerdict
from understudy.cli.tables import Fitting, indent, new_table, show_rate, show_sentence

_FINDINGS: Final = {
    Finding.HARM: "bold red",
    Finding.SUSPICION: "yellow",
    Finding.UNDECIDED: "cyan",
    Finding.NO_HARM: "green",
}
_IN_WORDS: Final = {
    Finding.HARM: "harm",
    Finding.SUSPICION: "suspicion",
    Finding.UNDECIDED: "not decided",
    Finding.NO_HARM: "no harm",
}


def build_judgement(judgement: Judgement) -> Iterator[RenderableType]:
    """What the evidence says: a line for each metric, then the rest in words."""
    if judgement.metrics:
        lines = (line for metric in judgement.metrics for line in _describe_metric(metric))
        yield Fitting(_build_metrics(judgement.metrics), Group(*lines))
    for metric in judgement.metrics:
        if metric.sentence and metric.finding in {Finding.HARM, Finding.SUSPICION}:
            yield Text(show_sentence(metric.sentence), style=_FINDINGS[metric.finding], overflow="fold")
    for guard in judgement.guards:
        yield Text(show_sentence(guard), style="bold red", overflow="fold")
    if judgement.is_split_broken:
        yield Text("The counts do not fit the weights: none of these numbers can be trusted.", "bold red")
    yield Text.assemble("Together: ", (_IN_WORDS[judgement.finding], _FINDINGS[judgement.finding]), ".")


def _build_metrics(metrics: Iterable[MetricVerdict]) -> Table:
    table = new_table("METRIC", "UNIT", "CANDIDATE", "BASELINE", "RATIO", "SAYS", "NEEDED")
    for metric in metrics:
        table.add_row(
            metric.metric,
            metric.unit,
            show_rate(metric.candidate_bad, metric.candidate_total),
            show_rate(metric.baseline_bad, metric.baseline_total),
            show_ratio(metric),
            _show_finding(metric.finding, is_muted=metric.is_muted),
            "-" if metric.needed is None else f"{metric.needed:,}",
        )
    return table


def _describe_metric(metric: MetricVerdict) -> Iterator[RenderableType]:
    """A metric in two lines: what it says, and the numbers that make it say so."""
    says = _show_finding(metric.finding, is_muted=metric.is_muted)
    more = "" if not metric.needed else f"; about {metric.needed:,} more would decide"
    yield Text.assemble((metric.metric, "bold"), f" ({metric.unit}): ", says, more)
    ratio = show_ratio(metric)
    numbers = (
        f"candidate {show_rate(metric.candidate_bad, metric.candidate_total)}, "
        f"baseline {show_rate(metric.baseline_bad, metric.baseline_total)}"
    )
    yield indent(numbers if ratio == "-" else f"{numbers}, ratio {ratio}")


def show_ratio(metric: MetricVerdict) -> str:
    """The ratio of the rates within its bounds: `2.3 (1.1 to 4.6)`; a dash when it cannot be told."""
    if metric.ratio is None and metric.ratio_low is None and metric.ratio_high is None:
        return "-"
    ratio = "?" if metric.ratio is None else describe_ratio(metric.ratio)
    low = "0" if metric.ratio_low is None else describe_ratio(metric.ratio_low)
    high = "any" if metric.ratio_high is None else describe_ratio(metric.ratio_high)
    return f"{ratio} ({low} to {high})"


def _show_finding(finding: Finding, *, is_muted: bool) -> Text:
    said = f"{_IN_WORDS[finding]} (muted)" if is_muted else _IN_WORDS[finding]
    return Text(said, style="dim" if is_muted else _FINDINGS[finding])
