"""How commands ask about rollouts, traffic and quarantine: one typed answer a question."""

import getpass
import socket
from urllib.parse import quote, urlencode

import click

from understudy.admin.rollouts import (
    BY_CHARS_MAX,
    NewAbort,
    NewFeedback,
    NewQuarantine,
    NewRollout,
    NewTurn,
    NewWeights,
    QuarantineView,
    RolloutHistoryView,
    RolloutsView,
    RolloutView,
    StoryView,
    TrafficView,
    Turn,
)
from understudy.cli.admin_client import Order, ask, order
from understudy.quality.desk import FeedbackView

FEEDBACK_S = 60.0
"""A metric of the operator's own may take its time over many truths."""
LIMIT = 20
LIMIT_MAX = 1_000

by_option = click.option(
    "--by",
    default="",
    metavar="NAME",
    help="Who asks, for the history; USER@HOST when it is not given.",
)
limit_option = click.option(
    "--limit",
    type=click.IntRange(min=1, max=LIMIT_MAX),
    default=LIMIT,
    show_default=True,
    help="How many, the newest first.",
)


def name_asker(by: str) -> str:
    """Who asks: as given, or who is logged in here."""
    if by:
        return by[:BY_CHARS_MAX]
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # in a container a user may have no name
        user = "nobody"
    return f"{user}@{socket.gethostname()}"[:BY_CHARS_MAX]


def ask_rollouts(admin_url: str, limit: int) -> RolloutsView:
    """The rollouts under way, and those that ended last."""
    return ask(admin_url, f"/v1/rollouts?limit={limit}", RolloutsView)


def ask_rollout(admin_url: str, model: str) -> RolloutView:
    """The model's rollout under way, or its last one."""
    return ask(admin_url, f"{_path(model)}/rollout", RolloutView)


def ask_rollout_history(admin_url: str, model: str, limit: int) -> RolloutHistoryView:
    """The model's newest rollouts."""
    return ask(admin_url, f"{_path(model)}/rollouts?limit={limit}", RolloutHistoryView)


def ask_story(admin_url: str, rollout: str) -> StoryView:
    """One rollout with all its decisions."""
    return ask(admin_url, f"/v1/rollouts/{quote(rollout, safe='')}", StoryView)


def start_rollout(admin_url: str, model: str, wanted: NewRollout) -> RolloutView:
    """Begins a rollout."""
    return order(admin_url, Order("POST", f"{_path(model)}/rollout", wanted), RolloutView)


def turn_rollout(admin_url: str, model: str, turn: Turn, by: str) -> RolloutView:
    """Lets the rollout under way go another way."""
    return order(
        admin_url, Order("POST", f"{_path(model)}/rollout/{turn.value}", NewTurn(by=by)), RolloutView
    )


def abort_rollout(admin_url: str, model: str, wanted: NewAbort) -> RolloutView:
    """Rolls back."""
    return order(admin_url, Order("POST", f"{_path(model)}/rollout/abort", wanted), RolloutView)


def tell_truths(admin_url: str, model: str, told: NewFeedback) -> FeedbackView:
    """Tells what predictions should have been."""
    return order(admin_url, Order("POST", f"{_path(model)}/feedback", told, FEEDBACK_S), FeedbackView)


def ask_traffic(admin_url: str, model: str) -> TrafficView:
    """Who answers."""
    return ask(admin_url, f"{_path(model)}/traffic", TrafficView)


def set_weights(admin_url: str, model: str, wanted: NewWeights) -> TrafficView:
    """Splits traffic by hand."""
    return order(admin_url, Order("PUT", f"{_path(model)}/traffic", wanted), TrafficView)


def clear_weights(admin_url: str, model: str, by: str) -> TrafficView:
    """Lets the default version answer everything again."""
    return order(admin_url, Order("DELETE", f"{_path(model)}/traffic?{_query(by)}"), TrafficView)


def ask_quarantine(admin_url: str, model: str) -> QuarantineView:
    """The versions of a model that must not be served."""
    return ask(admin_url, f"{_path(model)}/quarantine", QuarantineView)


def quarantine_version(admin_url: str, model: str, version: int, wanted: NewQuarantine) -> TrafficView:
    """Keeps a version from being served."""
    return order(admin_url, Order("POST", _quarantine(model, version), wanted), TrafficView)


def release_version(admin_url: str, model: str, version: int, by: str) -> TrafficView:
    """Lets it be served again."""
    path = f"{_quarantine(model, version)}?{_query(by)}"
    return order(admin_url, Order("DELETE", path), TrafficView)


def _path(model: str) -> str:
    return f"/v1/models/{quote(model, safe='')}"


def _quarantine(model: str, version: int) -> str:
    return f"{_path(model)}/versions/{version}/quarantine"


def _query(by: str) -> str:
    return urlencode({"by": by})
