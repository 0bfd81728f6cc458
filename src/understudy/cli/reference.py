"""The reference page of the command `understudy`, made from its click commands: docs/reference/cli.md.

`pytest tests/unit/test_reference.py --rewrite` writes the page anew. Nothing is said here about any flag.
"""

import inspect
from collections.abc import Iterator
from typing import Final

import click

from understudy.cli.main import main

PROGRAM: Final = "understudy"

_HEAD: Final = """\
# The command `understudy`

Made from the commands themselves by `pytest tests/unit/test_reference.py --rewrite`; do not edit.
`understudy COMMAND --help` says the same. Where an environment variable is named, the option wins over it.
"""
_AS_IT_STANDS: Final = "\b"
"""Click's mark for a paragraph whose lines stay as they are."""


def build_reference() -> str:
    """The whole page, as Markdown."""
    context = click.Context(main, info_name=PROGRAM)
    sections = [_HEAD, *_text(main)]
    sections.extend(_sections(main, context))
    return "\n".join(sections)


def _sections(group: click.Group, context: click.Context) -> Iterator[str]:
    """A group's commands; those of a group within it follow that one."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None  # noqa: S101 - it was listed
        inner = click.Context(command, parent=context, info_name=name)
        yield from _section(command, inner)
        if isinstance(command, click.Group):
            yield from _sections(command, inner)


def _section(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## `{context.command_path}`\n"
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f"```\n{context.command_path} {pieces}\n```\n"
    yield from _text(command)
    options = [param for param in command.params if isinstance(param, click.Option)]
    if options:
        yield _table(options, context)


def _text(command: click.Command) -> Iterator[str]:
    """What the command says of itself, paragraph by paragraph."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        mark, _, lines = paragraph.partition("\n")
        yield f"```\n{lines}\n```\n" if mark == _AS_IT_STANDS else f"{paragraph}\n"


def _table(options: list[click.Option], context: click.Context) -> str:
    rows = ["| option | what for | default | environment |", "| --- " * 4 + "|"]
    rows.extend(_row(option, context) for option in options)
    return "\n".join(rows) + "\n"


def _row(option: click.Option, context: click.Context) -> str:
    name = ", ".join([*option.opts, *option.secondary_opts])
    if not option.is_flag:
        name += f" {option.make_metavar(context)}"
    extra = option.get_help_extra(context)
    default, variables = extra.get("default"), extra.get("envvars", ())
    what = (option.help or "") + (f" ({allowed})" if (allowed := extra.get("range")) else "")
    cells = (
        f"`{name}`",
        what,
        f"`{default}`" if default else "",
        ", ".join(f"`{variable}`" for variable in variables),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
