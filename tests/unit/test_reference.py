"""The page about the command line is what the commands say of themselves."""

from pathlib import Path

import click

from understudy.cli.main import main
from understudy.cli.reference import build_reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def test_the_page_in_the_docs_is_made_from_the_commands(rewrite: bool) -> None:  # noqa: FBT001 - a fixture
    if rewrite:
        PAGE.write_text(build_reference())
    else:
        assert PAGE.read_text() == build_reference()


def test_every_option_of_every_command_stands_on_the_page() -> None:
    page = build_reference()
    context = click.Context(main, info_name="understudy")
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        assert f"## `understudy {name}`" in page
        options = [param.opts[0] for param in command.params if isinstance(param, click.Option)]
        assert [option for option in options if f"| `{option}" not in page] == []
