"""`understudy completion`: what a shell needs to complete our commands and options."""

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "fish": FishComplete, "zsh": ZshComplete}
_PROGRAM = "understudy"
_VARIABLE = "_UNDERSTUDY_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(sorted(_SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash:  eval "$(understudy completion bash)"      in ~/.bashrc
    zsh:   eval "$(understudy completion zsh)"       in ~/.zshrc
    fish:  understudy completion fish | source       in ~/.config/fish/config.fish
    """  # noqa: D301 - click's mark for lines that stay as they are
    click.echo(_SHELLS[shell](ctx.find_root().command, {}, _PROGRAM, _VARIABLE).source())
