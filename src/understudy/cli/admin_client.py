"""How commands ask the operators' API: the options that many share, one typed answer a question."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import click
import httpx
import msgspec

from understudy.admin.operator import (
    WAIT_S,
    WAIT_S_MAX,
    ChangeView,
    ConfigView,
    HistoryView,
    NewConfig,
    NewLabel,
    RetryView,
    Rollback,
)
from understudy.admin.view import ModelsView, ModelView, ServerView, WhyView
from understudy.cli.connection import TIMEOUT_S, connect, send, unexpected
from understudy.cli.outcome import NegativeAnswer, Unusable

ADMIN_URL = "http://127.0.0.1:8502"
ADMIN_URL_VARIABLE = "UNDERSTUDY_ADMIN_URL"
HINT = (
    "Is the server running, and is this its admin port? `understudy serve` opens one at 8502 "
    "(--admin-port); name another with --admin-url or UNDERSTUDY_ADMIN_URL."
)
_View = TypeVar("_View")
"""A dataclass of the API's answers."""
_REFUSALS = frozenset(
    {
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.INSUFFICIENT_STORAGE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses that are an answer, and the answer is no."""

admin_url_option = click.option(
    "--admin-url",
    envvar=ADMIN_URL_VARIABLE,
    default=ADMIN_URL,
    show_default=True,
    show_envvar=True,
    metavar="URL",
    help="The server's operators' API.",
)
wait_option = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0, max=WAIT_S_MAX),
    default=WAIT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for what the change brings.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")


def ask_server(admin_url: str) -> ServerView:
    """The whole server."""
    return ask(admin_url, "/v1/status", ServerView)


def ask_models(admin_url: str) -> ModelsView:
    """All models, a line each."""
    return ask(admin_url, "/v1/models", ModelsView)


def ask_model(admin_url: str, name: str) -> ModelView:
    """One model.

    Raises:
        NegativeAnswer: when the server has none of that name.
    """
    return ask(admin_url, f"/v1/models/{quote(name, safe='')}", ModelView)


def ask_why(admin_url: str, name: str) -> WhyView:
    """Why a model is as it is.

    Raises:
        NegativeAnswer: when the server has no model of that name.
    """
    return ask(admin_url, f"/v1/models/{quote(name, safe='')}/why", WhyView)


def ask_config(admin_url: str) -> ConfigView:
    """The configuration in force."""
    return ask(admin_url, "/v1/config", ConfigView)


def ask_revision(admin_url: str, number: int) -> ConfigView:
    """A revision of the configuration.

    Raises:
        NegativeAnswer: when there is none of that number on record.
    """
    return ask(admin_url, f"/v1/config/revisions/{number}", ConfigView)


def ask_history(admin_url: str, limit: int) -> HistoryView:
    """The newest revisions."""
    return ask(admin_url, f"/v1/config/revisions?limit={limit}", HistoryView)


def apply_config(admin_url: str, config: NewConfig) -> ChangeView:
    """Puts a configuration in force.

    Raises:
        Unusable: when it cannot be understood.
        NegativeAnswer: when it is refused.
    """
    return order(admin_url, Order("POST", "/v1/config", config, config.wait_s), ChangeView)


def roll_back(admin_url: str, rollback: Rollback) -> ChangeView:
    """Puts an earlier revision in force again.

    Raises:
        NegativeAnswer: when it is not on record, or is refused.
    """
    return order(admin_url, Order("POST", "/v1/config/rollback", rollback, rollback.wait_s), ChangeView)


def set_label(admin_url: str, model: str, label: str, version: int | None) -> ChangeView:
    """Lets a label lead to a version; none: takes it away.

    Raises:
        NegativeAnswer: when there is no such model, or no such label to take away.
    """
    path = f"/v1/models/{quote(model, safe='')}/labels/{quote(label, safe='')}"
    wanted = Order("DELETE", path) if version is None else Order("PUT", path, NewLabel(version=version))
    return order(admin_url, wanted, ChangeView)


def retry_version(admin_url: str, model: str, version: int) -> RetryView:
    """Tries to load a version again.

    Raises:
        NegativeAnswer: when there is none, or it has not failed.
    """
    path = f"/v1/models/{quote(model, safe='')}/versions/{version}/retry"
    return order(admin_url, Order("POST", path), RetryView)


def print_json(view: object) -> None:
    """For programs: one JSON document, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(view), indent=2))


def ask(admin_url: str, path: str, view: type[_View], *, timeout_s: float = TIMEOUT_S) -> _View:
    """The answer to a question.

    Args:
        admin_url: of the server's operators' API.
        path: of the question.
        view: what the answer is.
        timeout_s: how long it may take.

    Raises:
        NegativeAnswer: there is no such thing.
        Unreachable: there is no answer.
    """
    with connect(admin_url, timeout_s=timeout_s) as client:
        return _read(send(client, client.build_request("GET", path), hint=HINT), view)


@dataclass(frozen=True, slots=True)
class Order:
    """A change that is asked for.

    Attributes:
        method: of HTTP.
        path: of the API.
        body: as the API takes it; none: it needs none.
        wait_s: how long the server takes its time to answer.
    """

    method: str
    path: str
    body: object = None
    wait_s: float = 0.0


def order(admin_url: str, wanted: Order, view: type[_View]) -> _View:
    """The answer to a change.

    Raises:
        Unusable: it cannot be understood.
        NegativeAnswer: it is refused.
        Unreachable: there is no answer, and nobody knows whether it was taken.
    """
    with connect(admin_url, timeout_s=TIMEOUT_S + wanted.wait_s) as client:
        request = client.build_request(
            wanted.method,
            wanted.path,
            content=b"" if wanted.body is None else msgspec.json.encode(wanted.body),
            headers={"content-type": "application/json"},
        )
        return _read(send(client, request, hint=HINT), view)


def _read(response: httpx.Response, view: type[_View]) -> _View:
    try:
        if response.status_code == HTTPStatus.OK:
            return msgspec.json.decode(response.content, type=view)
    except msgspec.MsgspecError as error:
        raise unexpected(response) from error
    raise read_refusal(response)


def read_refusal(response: httpx.Response) -> click.ClickException:
    """How a command ends that the server answered with anything but OK."""
    try:
        if response.status_code == HTTPStatus.BAD_REQUEST:
            return Unusable(_error_of(response))
        if response.status_code in _REFUSALS:
            return NegativeAnswer(_error_of(response))
    except (msgspec.MsgspecError, KeyError):
        pass
    return unexpected(response)


def _error_of(response: httpx.Response) -> str:
    return str(msgspec.json.decode(response.content, type=dict[str, str | int | None])["error"])
