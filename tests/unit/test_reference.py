"""The page about the command line is what the commands say of themselves."""

from collections.abc import Iterator
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
    for path, command in commands("understudy", main):
        assert f"## `{path}`" in page
        options = [param.opts[0] for param in command.params if isinstance(param, click.Option)]
        assert [option for option in options if f"| `{option}" not in page] == []


def commands(path: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Every command by its path, those in groups, too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(f"{path} {name}", command)
