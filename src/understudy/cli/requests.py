"""`understudy requests`: a look into request logs, and warm-up files made of them. Asks no server."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Protocol, cast

import click
from google.protobuf import json_format, text_format
from google.protobuf.message import DecodeError, Message

from understudy.cli.new_file import write_new
from understudy.cli.outcome import EXIT_NEGATIVE, NegativeAnswer
from understudy.dataplane.records import frame_record, read_records
from understudy.errors import DataPlaneError
from understudy.wire import descriptor_pool, message_class

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
WARMUP_RECORDS_MAX = 1_000
"""A warm-up file with more is refused."""
SHOWN_MAX = 2**31 - 1
REPLAYED = frozenset({"classify_log", "regress_log", "multi_inference_log", "predict_log"})
"""Kinds of records that can warm up a version."""

_files = click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False)
)


class _Number(Protocol):
    value: int


class _ModelSpec(Protocol):
    name: str
    signature_name: str

    @property
    def version(self) -> _Number: ...


class _Metadata(Protocol):
    timestamp_secs: int

    @property
    def model_spec(self) -> _ModelSpec: ...


class _Log(Protocol):
    @property
    def log_metadata(self) -> _Metadata: ...


@click.group()
def requests() -> None:
    """Look into request logs, and make warm-up files of them.

    A request log holds requests and answers of a model that is configured with logging_config. These commands
    read files; they need no server.
    """


@requests.command()
@_files
@click.option(
    "--limit", type=click.IntRange(min=1, max=SHOWN_MAX), help="Show so many records at most.", metavar="N"
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each record.")
@click.pass_context
def show(ctx: click.Context, files: tuple[str, ...], limit: int | None, *, as_json: bool) -> None:
    """Print the records of request logs or warm-up files, the first ones first.

    The exit code is 1 when a file cannot be read to its end, as that of a server that was killed may be. Its
    whole records are printed.
    """
    reader = RecordLogs()
    for log in islice(reader.read(files), limit):
        click.echo(_to_json(log) if as_json else show_log(log))
    ctx.exit(EXIT_NEGATIVE if reader.is_cut_short else 0)


@requests.command()
@_files
@click.option(
    "--to",
    "export",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="EXPORT_DIR",
    help="The directory of an export that is not published yet.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1, max=WARMUP_RECORDS_MAX),
    default=WARMUP_RECORDS_MAX,
    show_default=True,
    metavar="N",
    help="Take so many records at most.",
)
@click.option("--force", is_flag=True, help="Replace a warm-up file that is there.")
def make_warmup(files: tuple[str, ...], export: Path, limit: int, *, force: bool) -> None:
    """Make the warm-up file of an export from the first requests of request logs.

    \b
    understudy requests make-warmup /var/log/understudy/digits-*.tfrecord --to staging/4 --limit 100

    They are replayed before the version answers its first request. A log that is cut short serves as far as
    it goes. The exit code is 1 when there is no record that could be replayed, or a file is in the way.
    """  # noqa: D301 - click's mark for lines that stay as they are
    target = export / WARMUP_FILE
    if target.exists() and not force:
        raise NegativeAnswer(f"{target} is there already; --force replaces it.")
    replayed = (log for log in RecordLogs().read(files) if log.WhichOneof("log_type") in REPLAYED)
    records = (frame_record(log.SerializeToString()) for log in islice(replayed, limit))
    taken = write_new(target, records)
    if not taken:
        raise NegativeAnswer("None of the records can be replayed; nothing was written.")
    click.echo(f"{taken} records in {target}")


class RecordLogs:
    """Reads files one after the other, each as far as it goes.

    Attributes:
        is_cut_short: a file could not be read to its end.
    """

    def __init__(self) -> None:
        self.is_cut_short = False

    def read(self, files: Iterable[str]) -> Iterator[Message]:
        """Each record, as a PredictionLog; what is wrong with a file is said on standard error."""
        for file in files:
            try:
                yield from map(_parse, read_records(file))
            except (DataPlaneError, DecodeError) as error:
                self.is_cut_short = True
                click.echo(f"{file}: {error}; the rest of it is passed over.", err=True)


def _parse(record: bytes) -> Message:
    return message_class("tensorflow.serving.PredictionLog").FromString(record)


def _to_json(log: Message) -> str:
    return json.dumps(
        json_format.MessageToDict(log, preserving_proto_field_name=True, descriptor_pool=descriptor_pool())
    )


def show_log(log: Message) -> str:
    """The record as text, below a line that says whose it is and when."""
    # The class is made at run time from prediction_log.proto, whose fields the protocols above restate.
    metadata = cast(_Log, log).log_metadata
    spec = metadata.model_spec
    time = datetime.fromtimestamp(metadata.timestamp_secs, UTC).isoformat()
    kind = log.WhichOneof("log_type") or "no log_type"
    head = f"# {time} {spec.name or '-'} version {spec.version.value} {spec.signature_name or '-'} {kind}"
    return f"{head}\n{text_format.MessageToString(log, descriptor_pool=descriptor_pool())}"
