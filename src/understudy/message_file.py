"""A file that holds one protobuf message as text: read whole and parsed, or refused with the place."""

from google.protobuf import text_format
from google.protobuf.message import Message

from understudy.bounded_file import read_bounded
from understudy.errors import Code, ConfigError
from understudy.wire import descriptor_pool

FILE_BYTES_MAX = 1024 * 1024
"""Such files are written by hand."""

REASON_CHARS_MAX = 400
"""Of a parser's reason; it may quote a whole line."""


def read_message_file(path: str, message: Message) -> None:
    """Fills a message, one of the wire's, with what a file says.

    An empty file is refused, as by TensorFlow Serving: it is nearly always one that is still being written.

    Raises:
        ConfigError: NOT_FOUND or PERMISSION_DENIED when the file cannot be read; INVALID_ARGUMENT when it is
            no such message, with the place.
    """
    text = _read(path)
    try:
        text_format.Parse(text, message, descriptor_pool=descriptor_pool())
    except text_format.ParseError as error:
        reason = str(error).removeprefix(f"{error.GetLine()}:{error.GetColumn()} : ")
        raise _invalid(path, reason, line=error.GetLine(), column=error.GetColumn()) from error
    except RecursionError as error:
        raise _invalid(path, "it is nested too deeply") from error


def _read(path: str) -> str:
    data = read_bounded(path, FILE_BYTES_MAX, refusal=f"Cannot read '{path}'")
    if not data:
        raise _invalid(path, "the file is empty")
    if len(data) > FILE_BYTES_MAX:
        raise _invalid(path, f"it is larger than {FILE_BYTES_MAX} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _invalid(path, "the text is not UTF-8") from error


def _invalid(path: str, reason: str, *, line: int | None = None, column: int | None = None) -> ConfigError:
    text = f"Invalid protobuf file: '{path}': {reason[:REASON_CHARS_MAX]}"
    return ConfigError(Code.INVALID_ARGUMENT, text, path=path, line=line, column=column)
