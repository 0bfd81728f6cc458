"""TensorFlow Lite models for tests, by TensorFlow's converter: `python tests/litert/models.py OUT_DIR [NAME ...]`.

Run it in a process of its own, as tests/tensorflow/models.py. Each is written to OUT_DIR/NAME.tflite. What a model
computes is said by its function's docstring. The files in crates/dataplane/testdata were made by it.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

import tensorflow as tf

Function: TypeAlias = tf.types.experimental.GenericFunction


def spec(shape: list[int | None], dtype: str, name: str) -> tf.TensorSpec:
    """Return what a signature declares about one input."""
    return tf.TensorSpec(shape, tf.as_dtype(dtype), name)


def convert(
    signatures: Mapping[str, Function], settle: Callable[[tf.lite.TFLiteConverter], None] | None = None
) -> bytes:
    """Return the file that TensorFlow's converter makes of these signatures."""
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(tf.Module(), folder, signatures=dict(signatures))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(signatures))
        if settle is not None:
            settle(converter)
        return bytes(converter.convert())


def half_plus_two() -> bytes:
    """Answer y = 0.5 x + 2 for a batch of floats of any size."""
    function = tf.function(lambda x: {"y": 0.5 * x + 2.0}, input_signature=[spec([None], "float32", "x")])
    return convert({"serving_default": function})


def two_signatures() -> bytes:
    """Answer y = 0.5 x + 2 and its sum over rows; `times` answers the product of n, three numbers, and k."""
    halved = tf.function(
        lambda x: {"y": 0.5 * x + 2.0, "sum": tf.reduce_sum(0.5 * x + 2.0, axis=1)},
        input_signature=[spec([None, 2], "float32", "x")],
    )
    times = tf.function(
        lambda n, k: {"product": n * k}, input_signature=[spec([3], "int64", "n"), spec([], "int64", "k")]
    )
    return convert({"serving_default": halved, "times": times})


def no_signature() -> bytes:
    """Answer y = 0.5 x + 2 for one row of two floats; the file is as old converters wrote them."""
    function = tf.function(lambda x: {"y": 0.5 * x + 2.0}, input_signature=[spec([1, 2], "float32", "x")])
    model = schema.ModelT.InitFromPackedBuf(bytearray(convert({"serving_default": function})), 0)
    model.signatureDefs = None
    import flatbuffers  # noqa: PLC0415 - comes with TensorFlow

    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def int8() -> bytes:
    """Answer y, a layer of three of eight int8 features: weights, input and output are quantized."""
    weights = tf.constant(np.linspace(-1, 1, 24).reshape(8, 3), tf.float32)
    function = tf.function(
        lambda x: {"y": tf.nn.relu(x @ weights)}, input_signature=[spec([None, 8], "float32", "x")]
    )

    def examples() -> Iterator[dict[str, object]]:
        generator = np.random.default_rng(7)
        for _ in range(20):
            yield {"x": generator.normal(size=(1, 8)).astype(np.float32)}

    def quantize(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = examples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8

    return convert({"serving_default": function}, quantize)


def strings() -> bytes:
    """Answer those of the strings s, any number of them, that the indexes i pick."""
    function = tf.function(
        lambda s, i: {"picked": tf.gather(s, i)},
        input_signature=[spec([None], "string", "s"), spec([None], "int32", "i")],
    )
    return convert({"serving_default": function})


def layer() -> bytes:
    """Answer y, a layer of 64 of 256 features, large enough that its answers are not copied."""
    weights = tf.constant(np.sin(np.arange(256 * 64)).reshape(256, 64), tf.float32)
    function = tf.function(
        lambda x: {"y": tf.nn.softmax(x @ weights)}, input_signature=[spec([None, 256], "float32", "x")]
    )
    return convert({"serving_default": function})


def size_by_value() -> bytes:
    """Answer which elements of x are positive: how many follows from their values."""
    function = tf.function(
        lambda x: {"where": tf.where(x > 0)}, input_signature=[spec([None], "float32", "x")]
    )
    return convert({"serving_default": function})


def loop() -> bytes:
    """Answer y = n, by adding one n times: as long a run as one likes."""

    def count(n: tf.Tensor) -> dict[str, tf.Tensor]:
        def go_on(i: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
            del y
            return i < n

        return {"y": tf.while_loop(go_on, lambda i, y: (i + 1, y + 1.0), (0, 0.0))[1]}

    return convert({"serving_default": tf.function(count, input_signature=[spec([], "int32", "n")])})


BUILDERS: dict[str, Callable[[], bytes]] = {
    each.__name__: each
    for each in (half_plus_two, two_signatures, no_signature, int8, strings, layer, size_by_value, loop)
}


def main() -> None:
    """Write the models that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("names", nargs="*", choices=[[], *BUILDERS])
    arguments = parser.parse_args()
    arguments.out_dir.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or BUILDERS:
        (arguments.out_dir / f"{name}.tflite").write_bytes(BUILDERS[name]())


if __name__ == "__main__":
    main()
