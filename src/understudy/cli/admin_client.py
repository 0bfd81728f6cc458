"""How commands ask the operators' API: the option that names it, one typed answer a question."""

from typing import TypeVar
from urllib.parse import quote

import click
import msgspec

from understudy.admin.view import ModelsView, ModelView, ServerView, WhyView
from understudy.cli.connection import connect, send, unexpected
from understudy.cli.outcome import NegativeAnswer

_HTTP_OK = 200
_HTTP_NOT_FOUND = 404
_HINT = (
    "Is the server running, and is this its admin port? `understudy serve` opens one at 8502 "
    "(--admin-port); name another with --admin-url or UNDERSTUDY_ADMIN_URL."
)
_View = TypeVar("_View", ServerView, ModelsView, ModelView, WhyView)

admin_url_option = click.option(
    "--admin-url",
    envvar="UNDERSTUDY_ADMIN_URL",
    default="http://127.0.0.1:8502",
    show_default=True,
    show_envvar=True,
    metavar="URL",
    help="The server's operators' API.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")


def ask_server(admin_url: str) -> ServerView:
    """The whole server."""
    return _ask(admin_url, "/v1/status", ServerView)


def ask_models(admin_url: str) -> ModelsView:
    """All models, a line each."""
    return _ask(admin_url, "/v1/models", ModelsView)


def ask_model(admin_url: str, name: str) -> ModelView:
    """One model.

    Raises:
        NegativeAnswer: when the server has none of that name.
    """
    return _ask(admin_url, f"/v1/models/{quote(name, safe='')}", ModelView)


def ask_why(admin_url: str, name: str) -> WhyView:
    """Why a model is as it is.

    Raises:
        NegativeAnswer: when the server has no model of that name.
    """
    return _ask(admin_url, f"/v1/models/{quote(name, safe='')}/why", WhyView)


def print_json(view: ServerView | ModelsView | ModelView | WhyView) -> None:
    """For programs: one JSON document, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(view), indent=2))


def _ask(admin_url: str, path: str, view: type[_View]) -> _View:
    with connect(admin_url) as client:
        response = send(client, client.build_request("GET", path), hint=_HINT)
    try:
        if response.status_code == _HTTP_NOT_FOUND:
            raise NegativeAnswer(msgspec.json.decode(response.content, type=dict[str, str])["error"])
        if response.status_code == _HTTP_OK:
            return msgspec.json.decode(response.content, type=view)
    except (msgspec.MsgspecError, KeyError) as error:
        raise unexpected(response) from error
    raise unexpected(response)
