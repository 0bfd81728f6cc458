"""How a command shows a rollout: its numbers, and what to do next; once."""

import click

from understudy.admin.rollouts import RolloutView
from understudy.cli.admin_client import print_json
from understudy.cli.rollout_outcome import describe_outcome
from understudy.cli.rollout_tables import build_rollout
from understudy.cli.tables import new_console


def report_rollout(found: RolloutView, *, as_json: bool) -> None:
    """Shows where a rollout is after an order."""
    if as_json:
        print_json(found)
        return
    console = new_console()
    console.print(build_rollout(found, with_bar=console.is_terminal))
    click.echo(describe_outcome(found))
