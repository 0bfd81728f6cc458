"""What a shell may complete: models, versions and rollouts, asked of the running server.

A shell waits while one types: a server that does not answer at once completes nothing, and says nothing.
"""

import os
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar
from urllib.parse import quote

import click
from click.shell_completion import CompletionItem

from understudy.admin.rollouts import RolloutsView
from understudy.admin.view import ListedView, ModelsView, ModelView
from understudy.cli.admin_client import ADMIN_URL, ADMIN_URL_VARIABLE, ask

PATIENCE_S = 0.5
RESULTS_MAX = 200


def complete_models(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of models."""
    return _choose((model.name for model in _ask_models(ctx)), incomplete)


def complete_versions(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Numbers of the versions that are found or known, the highest first."""
    name = str(ctx.params.get("model") or next(iter(ctx.args), ""))  # an option without its value: not parsed
    found = _ask(ctx, f"/v1/models/{quote(name, safe='')}", ModelView)
    if found is None:
        return []
    numbers = {*found.found_versions, *(version.version for version in found.versions)}
    return _choose((str(number) for number in sorted(numbers, reverse=True)), incomplete)


def complete_rollouts(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids of rollouts, those under way first."""
    found = _ask(ctx, f"/v1/rollouts?limit={RESULTS_MAX}", RolloutsView)
    if found is None:
        return []
    return _choose([each.id for each in found.present] + [each.id for each in found.ended], incomplete)


_View = TypeVar("_View")
_Command = TypeVar("_Command", bound=Callable[..., object])


def model_argument(command: _Command) -> _Command:
    """The argument MODEL."""
    return click.argument("model", shell_complete=complete_models)(command)


def _ask_models(ctx: click.Context) -> tuple[ListedView, ...]:
    found = _ask(ctx, "/v1/models", ModelsView)
    return found.models if found else ()


def _ask(ctx: click.Context, path: str, view: type[_View]) -> _View | None:
    """The server's answer; none: there is none, for whatever reason."""
    url = ctx.params.get("admin_url") or os.environ.get(ADMIN_URL_VARIABLE) or ADMIN_URL
    try:
        return ask(str(url), path, view, timeout_s=PATIENCE_S)
    except click.ClickException:
        return None


def _choose(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(word) for word in islice((w for w in words if w.startswith(incomplete)), RESULTS_MAX)
    ]
