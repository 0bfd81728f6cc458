"""`understudy status`: what the server serves, and what it does not; once, or for as long as one watches."""

import click

from understudy.admin.view import ModelView, ServerView
from understudy.cli.admin_client import admin_url_option, ask_model, ask_server, json_option, print_json
from understudy.cli.completing import complete_models
from understudy.cli.outcome import EXIT_NEGATIVE
from understudy.cli.status_tables import build_model, build_server
from understudy.cli.tables import new_console

WATCH_INTERVAL_S = 1.0
WATCH_INTERVAL_MIN_S = 0.1
WATCH_INTERVAL_MAX_S = 3_600.0


@click.command()
@click.argument("model", required=False, shell_complete=complete_models)
@click.option(
    "--watch",
    "interval_s",
    is_flag=False,
    flag_value=WATCH_INTERVAL_S,
    type=click.FloatRange(WATCH_INTERVAL_MIN_S, WATCH_INTERVAL_MAX_S),
    metavar="[SECONDS]",
    help="Ask again every so many seconds (1 when no number follows), until Ctrl-C. On a terminal the table "
    "is redrawn in place; elsewhere it is printed anew when something changed, with --json as one document a "
    "line.",
)
@admin_url_option
@json_option
@click.pass_context
def status(
    ctx: click.Context, model: str | None, interval_s: float | None, admin_url: str, *, as_json: bool
) -> None:
    """Show what the server serves: all models, or one MODEL in detail.

    With MODEL the exit code is 1 when no version of it answers requests.

    \b
    understudy status
    understudy status digits --watch
    understudy status --watch 5 --json | jq .generation
    """  # noqa: D301 - click's mark for lines that stay as they are

    def ask() -> ServerView | ModelView:
        return ask_server(admin_url) if model is None else ask_model(admin_url, model)

    if interval_s is not None:
        from understudy.cli.watch import watch  # noqa: PLC0415 - one look need not pay for it

        watch(ask, admin_url, interval_s=interval_s, as_json=as_json)
        return
    seen = ask()
    if as_json:
        print_json(seen)
    else:
        new_console().print(build_server(seen) if isinstance(seen, ServerView) else build_model(seen))
    if isinstance(seen, ModelView) and seen.default_version is None:
        ctx.exit(EXIT_NEGATIVE)
