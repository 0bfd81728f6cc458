"""SavedModels on which session settings show: `python tests/tensorflow/session_models.py OUT_DIR`.

Run it in a process of its own, as models.py beside it. Each is written to OUT_DIR/NAME/1; what it shows is said
by its function's docstring. Tests do not live here.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

WIDTH = 64
NEARLY_ONE = 1 + 2**-12
"""More digits than bfloat16 has: rounded, it is 1."""


def compiled(out: Path) -> None:
    """Answer y = 2 x + 1 by a function that only runs when it is compiled."""
    inner = tf.function(lambda x: x * 2.0 + 1.0, jit_compile=True)
    outer = tf.function(lambda x: {"y": inner(x)}, input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    tf.saved_model.save(tf.Module(), str(out), signatures={"serving_default": outer})


def rounded(out: Path) -> None:
    """Answer 4,096 times 1 and a bit to a row of ones and a bit; without the bits, when it is rounded."""
    module = tf.Module()
    module.weights = tf.Variable(tf.fill([WIDTH, WIDTH], NEARLY_ONE))
    function = tf.function(
        lambda x: {"y": tf.matmul(tf.nn.relu(tf.matmul(x, module.weights)), module.weights)},
        input_signature=[tf.TensorSpec([None, WIDTH], tf.float32, "x")],
    )
    tf.saved_model.save(module, str(out), signatures={"serving_default": function})


def tagged(out: Path) -> None:
    """Answer y = x, from a graph whose tags are serve and gpu."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        signature = tf.compat.v1.saved_model.predict_signature_def({"x": x}, {"y": tf.identity(x)})
        builder = tf.compat.v1.saved_model.Builder(str(out))
        builder.add_meta_graph_and_variables(
            session, ["serve", "gpu"], signature_def_map={"serving_default": signature}
        )
        builder.save()


BUILDERS: tuple[Callable[[Path], None], ...] = (compiled, rounded, tagged)


def main() -> None:
    """Write every model below the folder that the command line names."""
    for builder in BUILDERS:
        builder(Path(sys.argv[1]) / builder.__name__ / "1")


if __name__ == "__main__":
    main()
