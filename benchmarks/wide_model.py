"""The model of the batching benchmark: four dense layers, 2,048 wide; exported in a process of its own."""

import argparse
import json
from pathlib import Path

from benchmarks import half_plus_two_messages as messages

WIDTH = 2_048
LAYERS = 4
SEED = 7


def export(directory: Path) -> None:
    """Writes version 1 under `base`, and the question of one row that the load generator asks."""
    import tensorflow as tf  # noqa: PLC0415 - five seconds that only this process pays

    tf.random.set_seed(SEED)
    module = tf.Module()
    module.weights = [tf.Variable(tf.random.normal([WIDTH, WIDTH]) / WIDTH**0.5) for _ in range(LAYERS)]

    @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], tf.float32, name="x")])  # type: ignore[untyped-decorator] # TensorFlow ships no types
    def predict(x: tf.Tensor) -> dict[str, tf.Tensor]:
        for weight in module.weights:
            x = tf.nn.relu(x @ weight)
        return {"y": x[:, :8]}

    tf.saved_model.save(module, str(directory / "base" / "1"), signatures={"serving_default": predict})
    row = tf.constant([[0.5] * WIDTH])
    (directory / "expected.json").write_text(json.dumps({"1": predict(row)["y"].numpy().ravel().tolist()}))
    (directory / "request.grpc").write_bytes(question(row.numpy().tobytes()))


def question(content: bytes) -> bytes:
    """A serialized PredictRequest of one row."""
    request = messages.request_class()()
    request.model_spec.name = messages.MODEL_NAME
    tensor = request.inputs[messages.INPUT_NAME]
    tensor.dtype = messages.DT_FLOAT
    for size in (1, WIDTH):
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = content
    return request.SerializeToString()


def main() -> None:
    """Parses the command line and exports."""
    parser = argparse.ArgumentParser(description="Exports the batching benchmark's model.")
    parser.add_argument("--directory", type=Path, required=True)
    export(parser.parse_args().directory)


if __name__ == "__main__":
    main()
