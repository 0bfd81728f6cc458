"""The page about the client, made from its signatures and docstrings: docs/reference/client.md."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from understudy.buckets import KEY_BYTES_MAX
from understudy.client import answers, errors, retry, tensors
from understudy.client.asking import TIMEOUT_S
from understudy.client.assignment import Assignment
from understudy.client.blocking import Client
from understudy.client.channel import DEFAULT_ADDRESS, MESSAGE_BYTES_MAX, Tls
from understudy.client.readiness import READY_TIMEOUT_S
from understudy.errors import Code

_HEAD: Final = f"""# The client in Python

Made from the code; do not edit. How to use it: [call a model from Python](../how-to/call-from-python.md).

`from understudy.client import ...`. `AsyncClient` has the calls of `Client`, each to be awaited, and is used
with `async with`.

`DEFAULT_ADDRESS` is `{DEFAULT_ADDRESS}`, `TIMEOUT_S` {TIMEOUT_S:g}, `READY_TIMEOUT_S` {READY_TIMEOUT_S:g},
`DEFAULT_RETRIES` a `RetryPolicy()`; a `TensorLike` is what `numpy.asarray` takes, or a `Tensor`. A message
has at most {MESSAGE_BYTES_MAX} bytes, a routing key {KEY_BYTES_MAX}.
"""
_DATA: Final = (
    Tls, retry.RetryPolicy, tensors.Tensor, answers.Prediction, answers.Classification, answers.Class,
    answers.Regression, answers.Served, answers.ModelMetadata, answers.ModelStatus, answers.VersionStatus,
    answers.ClientCounts,
)  # fmt: skip
_SECTION: Final = re.compile(r"^(Args|Attributes|Raises|Returns):$", re.MULTILINE)
_ENTRY: Final = re.compile(r"^    (\w+): ", re.MULTILINE)
_LINE_LENGTH: Final = 100


def build_reference() -> str:
    """The page."""
    parts = [_HEAD, *_class(Client), *_class(Assignment)]
    parts += [f"## {kind.__name__}\n\n{_words(kind)}" for kind in _DATA]
    return "\n".join([*parts, _errors()])


def _class(kind: type) -> Iterator[str]:
    """A class with its constructor and what it can do."""
    yield f"## {kind.__name__}\n\n{_words(kind)}"
    yield _method(kind.__name__, vars(kind)["__init__"])
    for name, member in vars(kind).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield f"### `{name}`\n\n{inspect.getdoc(member)}\n"
        else:
            yield _method(name, member)


def _method(name: str, function: Callable[..., object]) -> str:
    return f"### `{name}`\n\n```python\n{_signature(name, function)}\n```\n\n{_words(function)}"


def _signature(name: str, function: Callable[..., object]) -> str:
    """As it stands in the source: the names of types, not what they are made of."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(node, ast.FunctionDef)  # noqa: S101 - a method's source is one function
    arguments = [*_arguments(node.args.args[1:], node.args.defaults)]
    if node.args.kwonlyargs:
        arguments += ["*", *_arguments(node.args.kwonlyargs, node.args.kw_defaults)]
    is_constructor = node.name == "__init__"
    returned = "" if is_constructor or node.returns is None else f" -> {ast.unparse(node.returns)}"
    line = f"{name}({', '.join(arguments)}){returned}"
    if len(line) <= _LINE_LENGTH:
        return line
    return f"{name}(\n" + "".join(f"    {each},\n" for each in arguments) + f"){returned}"


def _arguments(arguments: list[ast.arg], defaults: Sequence[ast.expr | None]) -> Iterator[str]:
    missing = [None] * (len(arguments) - len(defaults))
    for argument, default in zip(arguments, [*missing, *defaults], strict=True):
        yield ast.unparse(argument) + ("" if default is None else f" = {ast.unparse(default)}")


def _words(thing: object) -> str:
    """A docstring in Markdown: its sections as lists."""
    head, *sections = _SECTION.split(inspect.getdoc(thing) or "")
    parts = [_text(head)]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        if title == "Returns":
            parts.append(f"Returns: {' '.join(body.split())}\n")
        else:
            parts.append(
                f"{title}:\n\n" + "".join(f"* `{name}`: {words}\n" for name, words in _entries(body))
            )
    return "\n".join(parts)


def _entries(body: str) -> Iterator[tuple[str, str]]:
    _, *pairs = _ENTRY.split(body)
    for name, words in zip(pairs[::2], pairs[1::2], strict=True):
        yield name, " ".join(words.split())


def _text(head: str) -> str:
    """Paragraphs; those that are indented are code."""
    return "\n".join(
        f"```python\n{textwrap.dedent(paragraph)}\n```\n"
        if paragraph.startswith("    ")
        else " ".join(paragraph.split()) + "\n"
        for paragraph in head.strip().split("\n\n")
    )


def _errors() -> str:
    rows = [
        f"| `{kind.__name__}` | {', '.join(_codes(kind)) or '-'} | {_summary(kind)} |"
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ClientError)
    ]
    head = "## Errors\n\n" + _words(errors.ClientError) + "\n| | codes | |\n| --- | --- | --- |\n"
    return head + "\n".join(rows) + "\n"


def _summary(thing: object) -> str:
    return (inspect.getdoc(thing) or "").splitlines()[0]


def _codes(kind: type[errors.ClientError]) -> list[str]:
    if kind in {errors.ClientError, errors.TensorError, errors.ClosedError, errors.AnswerError}:
        return []
    return [
        code.name
        for code in Code
        if code is not Code.OK and type(errors.build_error(code, "", model="", attempts=0)) is kind
    ]
