"""House rules that a machine can check: STYLE.md says why each exists."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base"}
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(#[^)]*)?\)")
ALLOWED_UTIL = (
    "proto/tensorflow_serving/util"  # TensorFlow Serving's own file name; it is part of the protocol
)


def tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [ROOT / name for name in listed if name.endswith(suffixes) and (ROOT / name).exists()]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


PYTHON = tracked(".py")
RUST = tracked(".rs")
MARKDOWN = tracked(".md")


def test_there_is_something_to_check() -> None:
    assert len(PYTHON) > 20
    assert len(RUST) > 10
    assert len(MARKDOWN) > 5


@pytest.mark.parametrize("path", PYTHON + RUST, ids=name_of)
def test_a_file_fits_in_a_head(path: Path) -> None:
    text = path.read_text()
    if path.suffix == ".rs":
        text = text.split("#[cfg(test)]\nmod tests {")[0]
    assert len(text.splitlines()) <= FILE_LINES_MAX


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    long = {f.name: f.end_lineno - f.lineno for f in functions(path) if f.end_lineno is not None}
    assert {name: lines for name, lines in long.items() if lines > FUNCTION_LINES_MAX} == {}


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_a_file_says_first_what_lives_in_it(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), "a module docstring is missing"


@pytest.mark.parametrize("path", [path for path in RUST if "/src/" in str(path)], ids=name_of)
def test_a_rust_file_says_first_what_lives_in_it(path: Path) -> None:
    assert path.read_text().startswith("//! ")


def test_nothing_is_named_for_being_useful() -> None:
    names = {
        part
        for path in tracked("")
        for part in path.relative_to(ROOT).with_suffix("").parts
        if ALLOWED_UTIL not in str(path)
    }
    assert names & BANNED_NAMES == set()


def test_nothing_is_left_open() -> None:
    halves = (("TO", "DO"), ("FIX", "ME"), ("XX", "X"))  # in halves, or this file would find itself
    word = re.compile("|".join(rf"\b{first}{second}\b" for first, second in halves))
    found = [name_of(path) for path in PYTHON + RUST + MARKDOWN if word.search(path.read_text())]
    assert found == []


def test_unsafe_stands_only_where_a_c_api_is_crossed() -> None:
    found = [
        name_of(path)
        for path in RUST
        if re.search(r"\bunsafe\b(?!_)", re.sub(r"//.*", "", path.read_text()))
        and not re.search("runtime/(tensorflow|litert)", str(path))
        and "/benches/" not in str(path)
    ]
    assert found == []


def test_the_server_never_imports_tensorflow() -> None:
    found = [
        name_of(path)
        for path in (ROOT / "src").rglob("*.py")
        if re.search(r"^\s*(import|from) (tensorflow|tensorflow_serving)\b", path.read_text(), re.MULTILINE)
    ]
    assert found == []


@pytest.mark.parametrize("path", MARKDOWN, ids=name_of)
def test_a_link_leads_somewhere(path: Path) -> None:
    targets = [match[1] for match in LINK.finditer(path.read_text()) if "://" not in match[1]]
    dead = [target for target in targets if not (path.parent / target).exists()]
    assert dead == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=name_of)
def test_a_decision_says_why_and_when_to_look_again(path: Path) -> None:
    text = path.read_text()
    assert re.match(r"# \d{4} \S", text)
    assert path.name[:4] == text[2:6]
