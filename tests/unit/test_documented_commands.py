"""What the documentation tells people to type: commands with options that there are, plans that are taken."""

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest

from understudy.cli.main import main
from understudy.errors import ConfigError
from understudy.rollout_file import parse_plan, parse_strategies

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`(understudy [^`]*)`")
STOP = re.compile(r"\d?[|<>&;]+")
"""Where the shell goes on."""
SPOKEN = re.compile(r"[*\[\]{}]|COMMAND")
"""In what describes commands instead of being one."""


def blocks(page: Path, *languages: str) -> list[str]:
    """A page's code blocks in one of these languages."""
    return [text for language, text in BLOCK.findall(page.read_text()) if language in languages]


def commands(page: Path) -> Iterator[list[str]]:
    """Every call of `understudy` in a page, as words."""
    for block in blocks(page, "", "sh", "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            yield from calls(line)
    for span in SPAN.findall(BLOCK.sub("", page.read_text())):
        yield from calls(span)


def calls(line: str) -> Iterator[list[str]]:
    """The calls of `understudy` in a line of a shell."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # no line of a shell, such as a table
        return
    stops = [place for place, word in enumerate(words) if STOP.match(word)]
    for start, stop in pairwise([-1, *stops, len(words)]):
        call = [each for each in words[start + 1 : stop] if each != "..."]
        if call[:1] == ["understudy"] and not any(map(SPOKEN.search, call)):
            yield call[1:]


def check(words: list[str]) -> None:
    """Resolves the command, and has click read its options; no value of them is looked at."""
    command: click.Command = main
    context = click.Context(main, info_name="understudy")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]} in {command.name}"
        context, command, words = click.Context(found, parent=context, info_name=words[0]), found, words[1:]
    if "--help" not in words and not isinstance(command, click.Group):
        _, extra, _ = command.make_parser(context).parse_args(list(words))
        assert extra == [], f"{extra} are too many arguments for {command.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_on_a_page_is_one_with_such_options(page: Path) -> None:
    for words in commands(page):
        try:
            check(words)
        except click.UsageError as error:
            is_prose = isinstance(error, click.BadOptionUsage) and words[-1] == error.option_name
            if not is_prose:  # which may name an option without a value
                pytest.fail(f"understudy {' '.join(words)}: {error.format_message()}")


def test_a_command_that_is_not_there_is_found_out() -> None:
    with pytest.raises(click.UsageError, match="--upwards"):
        check(["rollout", "start", "m", "--upwards"])
    with pytest.raises(AssertionError, match="too many"):
        check(["rollout", "status", "m", "n"])
    with pytest.raises(AssertionError, match="no command"):
        check(["rollout", "forward"])
    assert sum(1 for page in PAGES for _ in commands(page)) > 100


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_plan_on_a_page_is_taken(page: Path) -> None:
    for text in blocks(page, "yaml"):
        if "groups:" in text or "scrape_configs:" in text:
            continue  # for Prometheus
        try:
            parse_strategies(text) if re.search("^models:", text, re.MULTILINE) else parse_plan(text)
        except ConfigError as error:
            pytest.fail(f"{error.message}\n{text}")


def test_the_demo_s_file_of_strategies_is_taken() -> None:
    strategies = parse_strategies((ROOT / "examples" / "digits" / "rollouts.yaml").read_text())
    assert [step.weight for step in strategies["digits"].plan.steps] == [1_000, 5_000]


def test_golden_examples_on_the_page_are_lines_of_json() -> None:
    page = ROOT / "docs" / "how-to" / "test-a-version-by-examples.md"
    (lines,) = [text for text in blocks(page, "", "json") if text.startswith("{")]
    for line in lines.splitlines():
        assert {"instances", "predictions"} <= json.loads(line).keys()
