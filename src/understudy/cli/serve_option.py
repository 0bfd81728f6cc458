"""How a flag of `understudy serve` is declared: its kinds of values, its environment variable, its help."""

from collections.abc import Callable

import click

from understudy.monitoring_config import is_reachable

PORT_MAX = 65_535
PORT_OFF = "off"
THREADS_MAX = 1024
SECONDS_MAX = 366 * 24 * 3600
INT32_MAX = 2**31 - 1
BYTES_MAX = 2**48


def parse_port(value: str | int) -> int | None:
    """A TCP port; none for `off`."""
    if value == PORT_OFF:
        return None
    port = int(value) if str(value).isdecimal() else -1
    if not 0 <= port <= PORT_MAX:
        raise click.BadParameter(f"{value!r} is no port; give a number up to {PORT_MAX}, or {PORT_OFF}.")
    return port


def parse_path(value: str) -> str:
    """A path that a request can ask for."""
    if not is_reachable(value):
        raise click.BadParameter(f"{value!r} is no path; it begins with a slash and has no ?, # or space.")
    return value


def parse_seconds(value: str | float) -> float:
    """A duration."""
    seconds = parse_interval(value)
    if seconds < 0:
        raise click.BadParameter(f"{value!r} is negative.")
    return seconds


def parse_interval(value: str | float) -> float:
    """A duration, or a negative number where that has a meaning."""
    try:
        seconds = float(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no number of seconds.") from error
    if not -SECONDS_MAX <= seconds <= SECONDS_MAX:  # so written, it refuses what is no number, too
        raise click.BadParameter(f"{value!r} is beyond {SECONDS_MAX} seconds.")
    return seconds


TEXT, FLAG = click.STRING, click.BOOL
THREADS = click.IntRange(min=0, max=THREADS_MAX)
COUNT, POSITIVE = click.IntRange(min=0, max=INT32_MAX), click.IntRange(min=1, max=INT32_MAX)
BYTES = click.IntRange(min=1, max=BYTES_MAX)
_METAVARS: dict[object, str] = {
    parse_port: f"PORT|{PORT_OFF}",
    parse_path: "PATH",
    parse_seconds: "SECONDS",
    parse_interval: "SECONDS",
}


def option(
    name: str,
    kind: "click.ParamType[object] | Callable[[str], object]",
    default: str | float | tuple[str, ...] | None,
    text: str,
    metavar: str | None = None,
) -> click.Option:
    """A flag, and the environment variable that stands for it when it is not given.

    Args:
        name: without dashes.
        kind: of its value.
        default: none: nothing; a tuple: it may be given several times.
        text: its help.
        metavar: how its value is written in the help, where the kind does not say.
    """
    has_opposite = kind is FLAG and bool(default)  # what is on by default must be there to be turned off
    return click.Option(
        [f"--{name}/--no-{name}" if has_opposite else f"--{name}"],
        type=kind,
        default=default,
        multiple=isinstance(default, tuple),
        is_flag=True if kind is FLAG else None,
        show_default=has_opposite or (default not in {None, ()} and kind is not FLAG),
        envvar=f"UNDERSTUDY_{name.upper().replace('-', '_')}",
        show_envvar=True,
        metavar=_METAVARS.get(kind, metavar),
        help=text,
    )
