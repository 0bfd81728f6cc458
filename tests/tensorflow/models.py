"""SavedModels for tests, made by TensorFlow itself: `python tests/tensorflow/models.py OUT_DIR [NAME ...]`.

Run it in a process of its own: importing TensorFlow takes seconds and the server never does so; one process
can make many models. Each is written to OUT_DIR/NAME, all of them when no name is given. What a model
computes is said by its function's docstring, so that a test can state the answer it expects. Tests do not
live here.
"""

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

import tensorflow as tf

Builder: TypeAlias = Callable[[Path], None]

#: Every element type of a tensor that can travel, as TensorFlow names it.
DTYPES = (
    "float32", "float64", "int32", "uint8", "int16", "int8", "string", "complex64", "int64", "bool", "qint8",
    "quint8", "qint32", "bfloat16", "qint16", "quint16", "uint16", "complex128", "float16", "uint32",
    "uint64",
)  # fmt: skip

#: The words that the asset of `tf1_graph` maps to their line numbers.
VOCABULARY = ("apple", "pear", "plum")


#: What the models `offset_1`, `offset_2`, ... add.
OFFSETS = (1, 2, 3)


def spec(shape: list[int | None] | None, dtype: str, name: str) -> tf.TensorSpec:
    """Return what a signature declares about one input."""
    return tf.TensorSpec(shape, tf.as_dtype(dtype), name)


def save(out: Path, signatures: Mapping[str, tf.types.experimental.GenericFunction], **state: object) -> None:
    """Write a TensorFlow 2 SavedModel; `state` are the variables that its signatures use."""
    module = tf.Module()
    for name, value in state.items():
        setattr(module, name, value)
    tf.saved_model.save(module, str(out), signatures=dict(signatures))


def half_plus_two(out: Path) -> None:
    """Answer y = 0.5 x + 2 for a batch of floats of any size."""
    half, two = tf.Variable(0.5), tf.Variable(2.0)
    function = tf.function(lambda x: {"y": x * half + two}, input_signature=[spec([None], "float32", "x")])
    save(out, {"serving_default": function}, half=half, two=two)


def half_plus_three(out: Path) -> None:
    """Answer y = 0.5 x + 3; `tensorflow/serving/regress` does so for Examples with a float feature x.

    Both as TensorFlow Serving's own model of this name does, which its documentation calls.
    """
    half, three = tf.Variable(0.5), tf.Variable(3.0)

    def regress(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        x = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]
        return {"outputs": x * half + three}

    signatures = {
        "serving_default": tf.function(
            lambda x: {"y": x * half + three}, input_signature=[spec([None], "float32", "x")]
        ),
        "tensorflow/serving/regress": tf.function(
            regress, input_signature=[spec([None], "string", "inputs")]
        ),
    }
    save(out, signatures, half=half, three=three)


def offset(out: Path, amount: float) -> None:
    """Answer y = x + amount: versions of one model that can be told apart."""
    added = tf.Variable(amount)
    function = tf.function(lambda x: {"y": x + added}, input_signature=[spec([None], "float32", "x")])
    save(out, {"serving_default": function}, added=added)


def every_dtype(out: Path) -> None:
    """Answer y = x, with one signature for each element type, named as TensorFlow names the type."""

    def echo(dtype: str) -> tf.types.experimental.GenericFunction:
        return tf.function(lambda x: {"y": tf.identity(x)}, input_signature=[spec([None], dtype, "x")])

    save(out, {dtype: echo(dtype) for dtype in DTYPES})


def every_shape(out: Path) -> None:
    """Answer y = x for a tensor of any rank, with one signature for each element type, as `every_dtype` has."""

    def echo(dtype: str) -> tf.types.experimental.GenericFunction:
        return tf.function(lambda x: {"y": tf.identity(x)}, input_signature=[spec(None, dtype, "x")])

    save(out, {dtype: echo(dtype) for dtype in DTYPES})


def strings(out: Path) -> None:
    """Answer each string itself, in capitals, its length in bytes, and all of them joined into one."""

    def answer(x: tf.Tensor) -> dict[str, tf.Tensor]:
        joined = tf.strings.reduce_join(x)
        return {
            "echo": tf.identity(x),
            "upper": tf.strings.upper(x),
            "length": tf.strings.length(x),
            "joined": joined,
        }

    save(out, {"serving_default": tf.function(answer, input_signature=[spec([None], "string", "x")])})


def several_signatures(out: Path) -> None:
    """Answer the sum (`serving_default`), the difference (`difference`) or both (`both`) of a and b."""
    inputs = [spec([None], "float32", "a"), spec([None], "float32", "b")]
    functions: dict[str, Callable[[tf.Tensor, tf.Tensor], dict[str, tf.Tensor]]] = {
        "serving_default": lambda a, b: {"sum": a + b},
        "difference": lambda a, b: {"difference": a - b},
        "both": lambda a, b: {"sum": a + b, "difference": a - b},
    }
    save(out, {name: tf.function(function, input_signature=inputs) for name, function in functions.items()})


def unknown_rank(out: Path) -> None:
    """Answer a tensor of any rank doubled, and its rank."""
    function = tf.function(
        lambda x: {"doubled": x * 2.0, "rank": tf.rank(x)}, input_signature=[spec(None, "float32", "x")]
    )
    save(out, {"serving_default": function})


def fails_at_run_time(out: Path) -> None:
    """Answer the square root of x; fail with INVALID_ARGUMENT when any x is negative."""

    def answer(x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.assert_non_negative(x, message="x must not be negative")]):
            return {"root": tf.sqrt(x)}

    save(out, {"serving_default": tf.function(answer, input_signature=[spec([None], "float32", "x")])})


def slow(out: Path) -> None:
    """Loop for as many milliseconds as the largest x says, then answer x and the number of turns."""

    def answer(milliseconds: tf.Tensor) -> dict[str, tf.Tensor]:
        end = tf.timestamp() + tf.cast(tf.reduce_max(milliseconds), tf.float64) / 1000.0
        (turns,) = tf.while_loop(
            lambda _: tf.timestamp() < end, lambda turns: (turns + 1,), (tf.constant(0, tf.int64),)
        )
        return {
            "milliseconds": tf.identity(milliseconds),
            "turns": turns + tf.zeros_like(milliseconds, tf.int64),
        }

    save(
        out,
        {"serving_default": tf.function(answer, input_signature=[spec([None], "float32", "milliseconds")])},
    )


def defaults(out: Path) -> None:
    """Answer y = factor x + offset, where a request may leave out factor (2) and offset (10)."""
    two, ten = tf.constant(2.0), tf.constant(10.0)

    def answer(x: tf.Tensor, factor: tf.Tensor = two, offset: tf.Tensor = ten) -> dict[str, tf.Tensor]:
        return {"y": x * factor + offset}

    inputs = [spec([None], "float32", "x"), spec([], "float32", "factor"), spec([], "float32", "offset")]
    save(out, {"serving_default": tf.function(answer, input_signature=inputs)})


def zero_inputs(out: Path) -> None:
    """Answer 42 and a greeting to a request without inputs."""
    answer = tf.Variable(42.0)
    function = tf.function(
        lambda: {"answer": answer.read_value(), "greeting": tf.constant("hello")}, input_signature=[]
    )
    save(out, {"serving_default": function}, answer=answer)


def counter(out: Path) -> None:
    """Add x to a variable and answer its new value: state that outlives a request."""
    total = tf.Variable(tf.zeros([2]))

    def answer(x: tf.Tensor) -> dict[str, tf.Tensor]:
        total.assign_add(x)
        return {"total": total.read_value()}

    function = tf.function(answer, input_signature=[spec([2], "float32", "x")])
    save(out, {"serving_default": function}, total=total)


def sums_examples(out: Path) -> None:
    """Add the float feature x of all Examples to a variable, and answer each x; `serving_default` tells the sum.

    `classify` answers classes and scores, `regress` outputs.
    """
    total = tf.Variable(0.0)

    def read(inputs: tf.Tensor) -> tf.Tensor:
        x = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]
        total.assign_add(tf.reduce_sum(x))
        return x

    def classify(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        x = tf.expand_dims(read(inputs), 1)
        return {"classes": tf.strings.as_string(x), "scores": x}

    signatures = {
        "serving_default": tf.function(lambda: {"total": total.read_value()}, input_signature=[]),
        "classify": tf.function(classify, input_signature=[spec([None], "string", "inputs")]),
        "regress": tf.function(
            lambda inputs: {"outputs": read(inputs)}, input_signature=[spec([None], "string", "inputs")]
        ),
    }
    save(out, signatures, total=total)


def odd_heads(out: Path) -> None:
    """Read Examples with a float feature x, and answer what a head may answer, or must not.

    What each signature answers to n Examples: `classes` and `scores` only the one; `both` two classes with scores;
    `column` [n, 1] and `row` [n] of x. Wrong on purpose: `wide`, `uneven` and `flat` (shapes), `counted` and
    `numbered` (types), `summed` and `halved` (sizes of the batch), `unlike` and `unnamed` (names).
    """
    pair = ["no", "yes"]

    def read(inputs: tf.Tensor) -> tf.Tensor:
        return tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]

    def labels(x: tf.Tensor) -> tf.Tensor:
        return tf.repeat([pair], tf.shape(x)[0], axis=0)

    heads: dict[str, Callable[[tf.Tensor], dict[str, tf.Tensor]]] = {
        "classes": lambda x: {"classes": labels(x)},
        "scores": lambda x: {"scores": x},
        "both": lambda x: {"classes": labels(x), "scores": tf.concat([1.0 - x, x], 1)},
        "column": lambda x: {"outputs": x},
        "row": lambda x: {"outputs": x[:, 0]},
        "wide": lambda x: {"outputs": tf.concat([x, x], 1)},
        "uneven": lambda x: {"classes": labels(x), "scores": x},
        "flat": lambda x: {"scores": x[:, 0]},
        "counted": lambda x: {"scores": tf.cast(x, tf.int32)},
        "numbered": lambda x: {"outputs": tf.cast(x, tf.int32)},
        "summed": lambda x: {"outputs": tf.reduce_sum(x, 0, keepdims=True)},
        "halved": lambda x: {"scores": x[:1]},
        "unlike": lambda x: {"logits": x},
    }

    def head(name: str) -> tf.types.experimental.GenericFunction:
        return tf.function(
            lambda inputs: heads[name](read(inputs)), input_signature=[spec([None], "string", "inputs")]
        )

    unnamed = tf.function(
        lambda examples: heads["both"](read(examples)), input_signature=[spec([None], "string", "examples")]
    )
    save(out, {name: head(name) for name in heads} | {"unnamed": unnamed})


def shared_heads(out: Path) -> None:
    """Classify and regress Examples by their float feature x, read once for both heads: a TensorFlow 1 graph.

    Each run of either adds 1 to a variable, which `serving_default` tells. The graph's own names: `x`,
    `doubled`, the operation `count`, and `c0` to `c8`, which are 0 to 8.
    """
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], "examples")
        runs = v1.get_variable("runs", initializer=0.0, use_resource=False)
        with tf.control_dependencies([v1.assign_add(runs, 1.0, name="count")]):
            parsed = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})
        x = tf.identity(parsed["x"], "x")
        column = tf.expand_dims(tf.multiply(x, 2.0, "doubled"), 1)
        for number in range(9):
            tf.constant(number, name=f"c{number}")
        signatures = head_signatures(examples, x, column, tf.identity(runs))
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(out))
        tags = [v1.saved_model.tag_constants.SERVING]
        builder.add_meta_graph_and_variables(session, tags, signature_def_map=signatures)
        builder.save()


def head_signatures(
    examples: tf.Tensor, x: tf.Tensor, column: tf.Tensor, runs: tf.Tensor
) -> dict[str, object]:
    """Return the signatures of `shared_heads`."""
    v1 = tf.compat.v1.saved_model
    names = v1.signature_constants

    def signature(inputs: dict[str, tf.Tensor], outputs: dict[str, tf.Tensor], method: str) -> object:
        infos = [
            {alias: v1.build_tensor_info(tensor) for alias, tensor in side.items()}
            for side in (inputs, outputs)
        ]
        return v1.build_signature_def(*infos, method)

    classes = {"classes": tf.strings.as_string(column, precision=1), "scores": column}
    return {
        "serving_default": signature({}, {"total": runs}, names.PREDICT_METHOD_NAME),
        "classify": signature({"inputs": examples}, classes, names.CLASSIFY_METHOD_NAME),
        "regress": signature({"inputs": examples}, {"outputs": x}, names.REGRESS_METHOD_NAME),
    }


def mlp(out: Path) -> None:
    """Classify 64 features into 10 classes through 128 hidden units, with weights drawn from one seed."""
    draw = tf.random.Generator.from_seed(7)
    hidden, last = tf.Variable(draw.normal([64, 128]) / 8.0), tf.Variable(draw.normal([128, 10]) / 11.0)
    function = tf.function(
        lambda x: {"probabilities": tf.nn.softmax(tf.nn.relu(x @ hidden) @ last)},
        input_signature=[spec([None, 64], "float32", "x")],
    )
    save(out, {"serving_default": function}, hidden=hidden, last=last)


def tf1_graph(out: Path) -> None:
    """Look words up in a vocabulary (`serving_default`) or answer y = 3 x (`triple`): a TensorFlow 1 graph.

    Further signatures are unusual on purpose. `same_tensor`: two input aliases for one tensor, and two output
    aliases for another. `missing`: an output that the graph lacks. `sparse`: an input in three parts, which
    cannot be fed as one tensor.
    """
    v1 = tf.compat.v1
    vocabulary = out.parent / f"{out.name}.vocabulary.txt"
    vocabulary.write_text("\n".join(VOCABULARY) + "\n")
    with tf.Graph().as_default(), v1.Session() as session:
        words, x = v1.placeholder(tf.string, [None], "words"), v1.placeholder(tf.float32, [None], "x")
        initializer = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        ids = tf.identity(tf.lookup.StaticHashTable(initializer, -1).lookup(words), "ids")
        y = tf.identity(x * v1.get_variable("three", initializer=3.0, use_resource=False), "y")
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        builder = v1.saved_model.Builder(str(out))
        builder.add_meta_graph_and_variables(
            session,
            [v1.saved_model.tag_constants.SERVING],
            signature_def_map=tf1_signatures(words, ids, x, y),
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
        )
        builder.save()
    vocabulary.unlink()


def tf1_signatures(words: tf.Tensor, ids: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> dict[str, object]:
    """Return the signatures of `tf1_graph`."""
    v1 = tf.compat.v1.saved_model
    info = v1.build_tensor_info
    absent = info(y)
    absent.name = "absent:0"
    part = tf.SparseTensor(tf.zeros([0, 1], tf.int64), tf.zeros([0]), tf.constant([1], tf.int64))

    def signature(inputs: dict[str, object], outputs: dict[str, object]) -> object:
        return v1.build_signature_def(inputs, outputs, v1.signature_constants.PREDICT_METHOD_NAME)

    return {
        "serving_default": signature({"words": info(words)}, {"ids": info(ids)}),
        "triple": signature({"x": info(x)}, {"y": info(y)}),
        "same_tensor": signature({"x": info(x), "x_too": info(x)}, {"y": info(y), "y_too": info(y)}),
        "missing": signature({"x": info(x)}, {"y": absent}),
        "sparse": signature({"x": info(part)}, {"y": info(y)}),
    }


def aborts(out: Path) -> None:
    """Answer y = x + 2; an x of 13 ends the whole process, as a fault in an operation's C++ does."""

    def answer(x: tf.Tensor) -> dict[str, tf.Tensor]:
        def end() -> tf.Tensor:
            with tf.control_dependencies([tf.raw_ops.Abort(error_msg="aborted on purpose")]):
                return tf.identity(x)

        return {"y": tf.cond(tf.reduce_any(x == 13.0), end, lambda: x) + 2.0}

    save(out, {"serving_default": tf.function(answer, input_signature=[spec([None], "float32", "x")])})


BUILDERS: dict[str, Builder] = {
    builder.__name__: builder
    for builder in (
        half_plus_two,
        half_plus_three,
        every_dtype,
        every_shape,
        strings,
        several_signatures,
        unknown_rank,
        tf1_graph,
        fails_at_run_time,
        slow,
        defaults,
        zero_inputs,
        counter,
        sums_examples,
        odd_heads,
        shared_heads,
        mlp,
        aborts,
    )
}
BUILDERS.update({f"offset_{amount}": partial(offset, amount=float(amount)) for amount in OFFSETS})


def main() -> None:
    """Make the models that the command line names."""
    parser = argparse.ArgumentParser(description="Make SavedModels for tests.")
    parser.add_argument("out_dir", type=Path, help="each model becomes a folder in here")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BUILDERS)} (default: all)")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(BUILDERS)):
        parser.error(f"no such model: {', '.join(unknown)}")
    tf.get_logger().setLevel("ERROR")
    arguments.out_dir.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or BUILDERS:
        BUILDERS[name](arguments.out_dir / name)


if __name__ == "__main__":
    main()
