"""`understudy traffic`: who answers the requests of a model, and splits that operators set by hand."""

import click

from understudy.admin.rollouts import NewWeights, TrafficView
from understudy.cli.admin_client import admin_url_option, json_option, print_json
from understudy.cli.completing import model_argument
from understudy.cli.outcome import Unusable
from understudy.cli.rollout_client import ask_traffic, by_option, clear_weights, name_asker, set_weights
from understudy.cli.tables import new_console
from understudy.cli.traffic_tables import build_traffic


@click.group()
def traffic() -> None:
    """Show how the requests of a model are split over its versions, and split them by hand.

    Requests that name a version or a label are never split.
    """


@traffic.command()
@model_argument
@admin_url_option
@json_option
def show(model: str, *, admin_url: str, as_json: bool) -> None:
    """Show which version answers what share of the requests of MODEL, and why."""
    _report(ask_traffic(admin_url, model), as_json=as_json)


@traffic.command(name="set")
@model_argument
@click.argument("weights", metavar="VERSION=PERCENT...", nargs=-1, required=True)
@by_option
@admin_url_option
@json_option
def set_(model: str, weights: tuple[str, ...], *, by: str, admin_url: str, as_json: bool) -> None:
    """Split the requests of MODEL by hand: `understudy traffic set digits 1=90 2=10`.

    Every version must be ready, and the shares must add up to 100. They stay so until they are set anew or
    cleared, and across restarts. A split by hand is not judged: `understudy rollout start` is.
    """
    wanted = NewWeights(weights=dict(_parse(each) for each in weights), by=name_asker(by))
    if len(wanted.weights) < len(weights):
        raise Unusable("A version is named twice; give each its one share.")
    _report(set_weights(admin_url, model, wanted), as_json=as_json)


@traffic.command()
@model_argument
@by_option
@admin_url_option
@json_option
def clear(model: str, *, by: str, admin_url: str, as_json: bool) -> None:
    """Let the default version of MODEL answer everything again."""
    _report(clear_weights(admin_url, model, name_asker(by)), as_json=as_json)


def _parse(text: str) -> tuple[int, float]:
    version, _, share = text.partition("=")
    try:
        return int(version), float(share.removesuffix("%"))
    except ValueError:
        raise Unusable(f"{text!r} is no share of a version; give one like 2=10, in per cent.") from None


def _report(found: TrafficView, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        new_console().print(build_traffic(found))
