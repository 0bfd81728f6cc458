"""`understudy predict`: one request through REST, for trying a model by hand."""

import json
from typing import BinaryIO, TypedDict, Unpack
from urllib.parse import quote

import click
import httpx

from understudy.cli.connection import ClientTls, connect, send
from understudy.cli.outcome import NegativeAnswer, Unusable

BODY_BYTES_MAX = 1 << 30
_HTTP_OK = 200
_HINT = (
    "Is the server running, and is this its REST port? `understudy serve` opens one at 8501 (--rest-port); "
    "name another with --rest-url or UNDERSTUDY_REST_URL."
)


class _Arguments(TypedDict):
    """What stands on the command line."""

    model: str
    version: int | None
    label: str | None
    signature: str | None
    instances: str | None
    inputs: str | None
    input_file: BinaryIO | None
    rest_url: str
    ca: str | None
    client_certificate: str | None
    client_key: str | None
    timeout: float


@click.command()
@click.argument("model")
@click.option("--version", type=click.IntRange(min=0), help="Ask this version.")
@click.option("--label", help="Ask the version that this label names.")
@click.option("--signature", metavar="NAME", help="Call this signature instead of serving_default.")
@click.option("--instances", metavar="JSON", help="Rows: a list with one element for each answer.")
@click.option("--inputs", metavar="JSON", help="Columns: whole tensors, by input name.")
@click.option(
    "--input-file",
    type=click.File("rb"),
    help="A file with a whole request body, or with a list of rows; - reads standard input.",
)
@click.option(
    "--rest-url",
    envvar="UNDERSTUDY_REST_URL",
    default="http://127.0.0.1:8501",
    show_default=True,
    show_envvar=True,
    metavar="URL",
    help="The server's REST door.",
)
@click.option(
    "--ca", metavar="FILE", help="Trust the server's certificate when this one signed it (https; PEM)."
)
@click.option("--client-certificate", metavar="FILE", help="The certificate to show to the server (PEM).")
@click.option("--client-key", metavar="FILE", help="Its private key (PEM), if that is another file.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True, help="Seconds."
)
def predict(**arguments: Unpack[_Arguments]) -> None:
    """Send one request to MODEL and print the answer.

    \b
    understudy predict half_plus_two --instances '[1.0, 2.0]'
    understudy predict digits --label canary --inputs '{"image": [[0, 1]]}'
    understudy predict digits --version 7 --input-file - < request.json

    The exit code is 1 when the server refuses the request.
    """  # noqa: D301 - click's mark for lines that stay as they are
    path, body = _build_path(arguments), _build_body(arguments)
    tls = _build_tls(arguments)
    with connect(arguments["rest_url"], timeout_s=arguments["timeout"], tls=tls) as client:
        request = client.build_request(
            "POST", path, content=body, headers={"content-type": "application/json"}
        )
        response = send(client, request, hint=_HINT)
    if response.status_code != _HTTP_OK:
        raise NegativeAnswer(f"The server refused the request ({response.status_code}): {_reason(response)}")
    click.echo(response.content)  # bytes: a model's strings need not be text


def _build_tls(arguments: _Arguments) -> ClientTls:
    if arguments["client_key"] is not None and arguments["client_certificate"] is None:
        raise click.UsageError("--client-key needs --client-certificate.")
    return ClientTls(arguments["ca"], arguments["client_certificate"], arguments["client_key"])


def _build_path(arguments: _Arguments) -> str:
    version, label = arguments["version"], arguments["label"]
    if version is not None and label is not None:
        raise click.UsageError("Give --version or --label, not both.")
    path = f"/v1/models/{quote(arguments['model'], safe='')}"
    if version is not None:
        path += f"/versions/{version}"
    if label is not None:
        path += f"/labels/{quote(label, safe='')}"
    return f"{path}:predict"


def _build_body(arguments: _Arguments) -> bytes:
    given = {name for name in ("instances", "inputs", "input_file") if arguments[name] is not None}
    if len(given) != 1:
        raise click.UsageError("Give exactly one of --instances, --inputs and --input-file.")
    body: dict[str, object]
    if arguments["instances"] is not None:
        body = {"instances": _parse(arguments["instances"], "--instances")}
    elif arguments["inputs"] is not None:
        body = {"inputs": _parse(arguments["inputs"], "--inputs")}
    else:
        body = _read_body(arguments["input_file"])
    if arguments["signature"] is not None:
        body["signature_name"] = arguments["signature"]
    return json.dumps(body).encode()


def _read_body(file: BinaryIO | None) -> dict[str, object]:
    assert file is not None  # noqa: S101 - one of three is given
    data = file.read(BODY_BYTES_MAX + 1)
    if len(data) > BODY_BYTES_MAX:
        raise Unusable(f"The input file holds more than {BODY_BYTES_MAX} bytes.")
    value = _parse(data, "The input file")
    if isinstance(value, list):
        return {"instances": value}
    if isinstance(value, dict) and ("instances" in value) != ("inputs" in value):
        return value
    raise Unusable(
        'The input file must hold a list of rows, or an object with either "instances" or "inputs".'
    )


def _parse(text: str | bytes, where: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{where} is not JSON: {error}") from error
    return value


def _reason(response: httpx.Response) -> str:
    try:
        answer = json.loads(response.content)
    except ValueError:
        return response.text.strip() or response.reason_phrase
    return str(answer["error"]) if isinstance(answer, dict) and "error" in answer else response.text.strip()
