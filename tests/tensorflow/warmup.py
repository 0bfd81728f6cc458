"""Warm-up files for tests, written by the real classes: `python tests/tensorflow/warmup.py FILE < RECORDS`.

Run it in a process of its own, as models.py beside it. Standard input is a JSON list of `PredictionLog`
messages in text format; FILE becomes the TFRecord file that holds them. Tests do not live here.
"""

import json
import sys
from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2

import tensorflow as tf


def main() -> None:
    """Write the file that the command line names."""
    file = Path(sys.argv[1])
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for text in json.load(sys.stdin):
            writer.write(text_format.Parse(text, prediction_log_pb2.PredictionLog()).SerializeToString())


if __name__ == "__main__":
    main()
