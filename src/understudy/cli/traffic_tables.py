"""What `understudy traffic` and `understudy quarantine` show, as tables. Asks nobody."""

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from understudy.admin.rollout_words import show_percent
from understudy.admin.rollouts import QuarantinedView, TrafficView
from understudy.cli.rollout_outcome import NOT_RECORDED
from understudy.cli.tables import new_table, show_sentence, show_time, show_zone


def build_traffic(traffic: TrafficView) -> RenderableType:
    """Who answers what share, then why it is so."""
    table = new_table("VERSION", "SHARE", "ARM")
    for share in traffic.shares:
        table.add_row(str(share.version), show_percent(share.weight), share.arm or "-")
    return Group(table, *(Text(f"{line}.", overflow="fold") for line in describe_traffic(traffic)))


def describe_traffic(traffic: TrafficView) -> Iterator[str]:
    """What a person should know of it beside the shares, a sentence each, without its full stop."""
    if not traffic.shares:
        yield f"Nobody answers for {traffic.model}; `understudy why {traffic.model}` says why"
    if traffic.rollout is not None:
        yield f"Rollout {traffic.rollout} is under way; `understudy rollout status {traffic.model}` shows it"
    if traffic.weights_by is not None and traffic.weights_at is not None:
        yield f"{traffic.weights_by} set the shares by hand on {show_time(traffic.weights_at)}"
    if traffic.key_header:
        by = f"by its value and the salt {traffic.salt}"
        yield f"Requests with the header {traffic.key_header} go {by}, the others by chance"
    if traffic.managed:
        yield "No new version serves unless a rollout promotes it"
    for overlay in traffic.overlays:
        yield f"Version {overlay.version} is {show_sentence(overlay.reason)}"
    if not traffic.is_recorded:
        yield NOT_RECORDED.removesuffix(".")


def build_quarantine(quarantined: Iterable[tuple[str, QuarantinedView]]) -> Table:
    """A line for each version that must not be served."""
    table = new_table("MODEL", "VERSION", f"SINCE ({show_zone()})", "BY", "ROLLOUT", "WHY")
    for model, each in quarantined:
        table.add_row(
            model,
            str(each.version),
            show_time(each.at),
            each.by,
            each.rollout or "-",
            show_sentence(each.reason),
        )
    return table
