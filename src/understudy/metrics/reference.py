"""The reference page of the metrics, made from the catalogue: docs/reference/metrics.md.

`pytest tests/unit/test_metrics.py --rewrite` writes the page anew.
"""

from collections.abc import Iterator
from typing import Final

from understudy.metrics.catalogue import CATALOGUE
from understudy.metrics.metric import Metric, Subject

_HEAD: Final = """\
# Metrics

Made from the server's own list by `pytest tests/unit/test_metrics.py --rewrite`; do not edit.

`GET /metrics` on the operators' port (8502) answers in Prometheus' text format; [how to watch with
Prometheus](../how-to/watch-with-prometheus.md) has a scrape configuration and alert rules. Beside what is
listed here there are the usual `process_*` metrics: resident memory, CPU seconds, open files, start time.
They are on the page with [TensorFlow Serving's names](tensorflow-metrics.md), too, where there is one.

Times are seconds since 1970, durations seconds, sizes bytes. Flags are 1 or 0. What does not apply is
absent, not 0. A name that clients make up makes no series: requests for models that are not here are
counted together, with an empty `model`. Versions that ended and are not aspired have no series of their own
(`understudy status` remembers them); their requests stay counted for as long as [the data plane keeps
them](../decisions/0013-what-is-counted.md).
"""


def build_reference() -> str:
    """The whole page, as Markdown."""
    return "\n".join([_HEAD, *(_section(subject) for subject in Subject)])


def _section(subject: Subject) -> str:
    rows = "\n".join(_rows(metric for metric in CATALOGUE if metric.subject is subject))
    return f"## {subject.value}\n\n| metric | kind | labels | means |\n| --- | --- | --- | --- |\n{rows}\n"


def _rows(metrics: Iterator[Metric]) -> Iterator[str]:
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.name}` | {metric.kind.value} | {labels} | {metric.help} |"
