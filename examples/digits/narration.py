"""How the demo looks: headings, the changeover answer by answer, the closing table."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from examples.digits.answers import DOORS, Answer, by, since
from examples.digits.findings import Finding

BUCKET_S = 0.1
BEFORE_S = 0.3
AFTER_S = 0.4
FAILED_MARK = "x"
STYLES = {1: "cyan", 2: "green", 3: "magenta"}


class Narrator:
    """Tells a reader what happens, as it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._act = 0

    @property
    def columns(self) -> int:
        """How wide somebody else's words may be."""
        return self._console.width - len("  │ ")

    def act(self, title: str) -> None:
        """A new act."""
        self._act += 1
        self._console.print()
        self._console.rule(f"[bold]{self._act}. {escape(title)}[/bold]", align="left")

    def say(self, text: str) -> None:
        """One sentence."""
        self._console.print(f"  {escape(text)}", highlight=False)

    def quote(self, text: str) -> None:
        """Somebody else's words: a file's, the server's."""
        for line in text.splitlines():
            self._console.print(f"  [dim]│[/dim] {escape(line)}", highlight=False, soft_wrap=True)

    def shown(self, command: str, terminal: str) -> None:
        """What a command shows on a terminal, as it is there."""
        self.say(f"$ {command}")
        for line in Text.from_ansi(terminal.replace("\r\n", "\n")).split("\n"):
            line.rstrip()
            self._console.print(Text("  │ ", "dim") + line, soft_wrap=True)

    def changeover(self, answers: Sequence[Answer], event_at: float, new: int) -> None:
        """Each answer around a changeover as the number of the version that gave it, by door and time."""
        switched_at = min((answer.at for answer in by(since(answers, event_at), new)), default=event_at)
        last_at = max((answer.at for answer in answers), default=event_at)
        table = Table(box=None, padding=(0, 2), title_justify="left")
        table.add_column("from the change", justify="right")
        for door in DOORS:
            table.add_column(f"each answer over {door}")
        start, end = event_at - BEFORE_S, min(last_at, switched_at + AFTER_S)
        buckets = int((end - start) / BUCKET_S) + 1
        for number in range(buckets):
            opened = start + number * BUCKET_S
            bucket = since(answers, opened, opened + BUCKET_S)
            table.add_row(f"{opened - event_at:+.2f} s", *(_marks(bucket, door) for door in DOORS))
        self._console.print(table)

    def closing(self, findings: Iterable[Finding]) -> None:
        """The table of what was observed."""
        table = Table(show_edge=False, pad_edge=False, title_justify="left")
        table.add_column("")
        table.add_column("claim", overflow="fold")
        table.add_column("seen", overflow="fold")
        for finding in findings:
            mark = Text("✓", "bold green") if finding.holds else Text("✗", "bold red")
            table.add_row(mark, finding.claim, finding.seen)
        self._console.print(table)

    def commands(self, steps: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Commands to type, under what they do."""
        for purpose, lines in steps:
            self._console.print(f"  [dim]# {escape(purpose)}[/dim]", highlight=False)
            for line in lines:
                self._console.print(f"  {escape(line)}", highlight=False, soft_wrap=True)


def _marks(bucket: Sequence[Answer], door: str) -> Text:
    marks = Text()
    for answer in bucket:
        if answer.door == door:
            failed = bool(answer.failure) or answer.version is None
            style = "bold red" if failed else STYLES.get(answer.version or 0, "")
            marks.append(FAILED_MARK if failed else str(answer.version), style)
    return marks
