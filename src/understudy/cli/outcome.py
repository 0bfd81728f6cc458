"""How commands end: exit codes, and errors that say what to do."""

import click

EXIT_NEGATIVE = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_ROLLED_BACK = 4
EXIT_HELD = 5
EXIT_ENDED = 6


class NegativeAnswer(click.ClickException):
    """The server's answer is no."""

    exit_code = EXIT_NEGATIVE


class Unusable(click.ClickException):
    """What the user gave cannot be understood."""

    exit_code = EXIT_USAGE


class Unreachable(click.ClickException):
    """No server answers at the address."""

    exit_code = EXIT_UNREACHABLE
