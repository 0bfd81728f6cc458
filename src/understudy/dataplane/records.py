"""TFRecord files, read and written by the data plane's own code. What a record means is not known here."""

from collections.abc import Iterator

from understudy.dataplane import _native
from understudy.errors import Code, DataPlaneError


def read_records(path: str) -> Iterator[bytes]:
    """The data of each record of a file, one after the other.

    Raises:
        DataPlaneError: the file cannot be read; DATA_LOSS after the last whole record, when more follows that
            is none, as a server that was killed may leave it.
    """
    try:
        reader = _native.RecordReader(path)
        while (record := reader.next()) is not None:
            yield record
    except _native.NativeError as error:
        code, message = error.args
        raise DataPlaneError(Code(code), message) from None


def frame_record(data: bytes) -> bytes:
    """These data as one record of a file."""
    return _native.frame_record(data)
