"""`understudy rollout check`: a file of plans is read as the server would read it. Asks no server."""

import click

from understudy.admin.rollout_words import show_percent
from understudy.cli.plan_file import read_plan, read_strategies
from understudy.rollout.plan import Plan
from understudy.rollout_file import format_plan, format_strategies


@click.command()
@click.argument("file")
@click.option(
    "--plan", "is_plan", is_flag=True, help="It holds one plan, as `rollout start --plan` takes it."
)
@click.option("--show", is_flag=True, help="Print it whole, with what is so by default.")
def check(file: str, *, is_plan: bool, show: bool) -> None:
    """Check a FILE of strategies, as `understudy serve --rollout-config` takes it, or of one plan.

    What is wrong is said with its line and column, and the exit code is 2.
    """
    if is_plan:
        _, plan = read_plan(file)
        click.echo(format_plan(plan) if show else _describe(plan), nl=not show)
        return
    strategies = read_strategies(file)
    if show:
        click.echo(format_strategies(strategies), nl=False)
        return
    if not strategies:
        click.echo("It names no model: every version serves as the version policies say.")
    for model, strategy in strategies.items():
        begins = "begins by itself" if strategy.starts_itself else "waits for an operator"
        click.echo(f"{model}: {begins}; {_describe(strategy.plan)}")


def _describe(plan: Plan) -> str:
    """The stages of a plan on a line."""
    stages = [f"shadow {show_percent(plan.shadow.share)}"] if plan.shadow else []
    stages += [
        show_percent(step.weight) + (" until approved" if step.needs_approval else "") for step in plan.steps
    ]
    stages.append("100 %" if plan.is_automatic else "100 % when an operator promotes")
    return ", ".join(stages)
