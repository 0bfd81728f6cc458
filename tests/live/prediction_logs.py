"""Request logs as TensorFlow's and TensorFlow Serving's own classes read them, in a process of their own.

Run as a script it is that process, driven by JSON lines: the names of files in, their records out, as far as
they are whole. Imported, it offers `LogReader`, which starts it.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

Record: TypeAlias = dict[str, Any]
"""A `PredictionLog` as JSON data with proto field names."""


class LogReader:
    """Reads files with the real classes; a context manager."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    def read(self, files: Iterable[Path]) -> list[Record]:
        """The records of these files, one after the other."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(file) for file in files]) + "\n")
        self._process.stdin.flush()
        records: list[Record] = json.loads(self._process.stdout.readline())
        return records


def _serve_orders() -> None:
    from google.protobuf import json_format  # noqa: PLC0415
    from tensorflow_serving.apis import prediction_log_pb2  # noqa: PLC0415

    import tensorflow as tf  # noqa: PLC0415

    for line in sys.stdin:
        records = []
        for name in json.loads(line):
            try:
                for record in tf.data.TFRecordDataset(name).as_numpy_iterator():
                    log = prediction_log_pb2.PredictionLog.FromString(record)
                    records.append(json_format.MessageToDict(log, preserving_proto_field_name=True))
            except tf.errors.DataLossError:
                continue  # its last record is not whole
        sys.stdout.write(json.dumps(records) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve_orders()
