"""`understudy why`: the recorded reasons for the present state of a model."""

import click

from understudy.cli.admin_client import admin_url_option, ask_why, json_option, print_json
from understudy.cli.completing import model_argument
from understudy.cli.tables import new_console, new_table, show_sentence, show_state, show_time, show_zone


@click.command()
@model_argument
@admin_url_option
@json_option
def why(model: str, admin_url: str, *, as_json: bool) -> None:
    """Explain why MODEL is as it is: its state in words, and what happened to it, the newest last."""
    answer = ask_why(admin_url, model)
    if as_json:
        print_json(answer)
        return
    console = new_console()
    console.print(answer.summary, soft_wrap=True)
    table = new_table(f"WHEN ({show_zone()})", "VERSION", "STATE", "WHAT", "WHY")
    for event in answer.events:
        table.add_row(
            show_time(event.at),
            "-" if event.version is None else str(event.version),
            show_state(event.state) if event.state else "-",
            event.kind,
            show_sentence(event.reason),
        )
    console.print(table)
