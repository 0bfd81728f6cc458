"""The command `understudy`: its subcommands, each imported only when it is called."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

import click

_COMMANDS: Final[Mapping[str, str]] = {
    "completion": "understudy.cli.completion",
    "config": "understudy.cli.config",
    "feedback": "understudy.cli.feedback",
    "golden": "understudy.cli.golden",
    "label": "understudy.cli.label",
    "models": "understudy.cli.models",
    "predict": "understudy.cli.predict",
    "publish": "understudy.cli.publish",
    "quarantine": "understudy.cli.quarantine",
    "requests": "understudy.cli.requests",
    "rollout": "understudy.cli.rollout",
    "serve": "understudy.cli.serve",
    "status": "understudy.cli.status",
    "traffic": "understudy.cli.traffic",
    "version": "understudy.cli.version",
    "versions": "understudy.cli.versions",
    "why": "understudy.cli.why",
}
"""Name of a subcommand, and the module that has it under that name: `serve` must not pay for tables."""


class _Lazy(click.Group):
    """A group that knows its subcommands by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = getattr(import_module(module), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - the table above is ours
        return command


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="understudy", message="understudy %(version)s")
def main() -> None:
    """A model server whose first concern is the life of model versions.

    \b
    Exit codes:
      0  all is well
      1  the answer is no: a model that does not serve, a request that was refused, a failed start,
         configurations that differ
      2  the command line or a file given on it cannot be understood
      3  the server cannot be reached
    """  # noqa: D301 - click's mark for lines that stay as they are
