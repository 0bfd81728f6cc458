"""The reference page of tensorflow_model_server's flags, made from their table.

`python -m understudy.cli.tensorflow_reference > docs/reference/tensorflow-flags.md` renews the page.
"""

import sys
from collections.abc import Iterable

from understudy.cli.tensorflow_flags import FLAGS, Flag, Treatment

_HEAD = """\
# Flags of `tensorflow_model_server`

Made from the table in `src/understudy/cli/tensorflow_flags.py` by
`python -m understudy.cli.tensorflow_reference`; change it there.

The syntax is TensorFlow Serving's: `--flag=value`, with two dashes and an equals sign; a bool flag may stand
alone. An unknown argument is reported with the usage and does not stop the server; a bad value does, with
exit status 255.

* A flag that is **accepted without effect** loses nothing that a user relies on; the log says so.
* A flag that is **refused** would, if it were left out silently, change answers, security or load. The server
  does not start, prints `Failed to start server. Error: UNIMPLEMENTED: ...` and exits with status 255. Its
  default value is accepted, since it asks for nothing.
"""

_TITLES = {
    Treatment.HONOURED: "Honoured",
    Treatment.NO_EFFECT: "Accepted without effect",
    Treatment.REFUSED: "Refused",
}


def build_reference(flags: Iterable[Flag] = FLAGS) -> str:
    """The whole page, as Markdown."""
    table = tuple(flags)
    sections = [_build_section(treatment, table) for treatment in Treatment]
    return "\n".join([_HEAD, *sections])


def _build_section(treatment: Treatment, flags: Iterable[Flag]) -> str:
    rows = [_build_row(flag) for flag in flags if flag.treatment is treatment]
    note = "note" if treatment is Treatment.HONOURED else "why"
    head = [
        f"## {_TITLES[treatment]}",
        "",
        f"| flag | type | default | what for | {note} |",
        "| --- " * 5 + "|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def _build_row(flag: Flag) -> str:
    default = str(flag.default).lower() if isinstance(flag.default, bool) else str(flag.default)
    cells = (f"`{flag.name}`", flag.type.value, f"`{default}`" if default else "", flag.summary, flag.reason)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(build_reference())
