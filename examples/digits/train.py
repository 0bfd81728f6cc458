"""Trains the demo's versions of a digit classifier and exports each as a SavedModel.

Data: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels. A third of them is held out, once, for every
version. Version 1 is weak on purpose (a linear model that saw 60 digits), version 2 is better (one hidden
layer, all training digits), version 3 better still, but its export is damaged: a copy that broke off.

Two more are made of version 2 for rollouts, and both load, warm up and answer fast. `confused` takes eights
for threes and threes for eights, as a model does whose list of labels was written in another order. `strict`
asserts that no image is bright, as a model does that kept a check of its training data: it throws on some.

TensorFlow is imported here and nowhere else in the demo: the server does not need its Python package, and
importing it takes most of the time of a training that takes seconds. Runs alone, too:

    python -m examples.digits.train --staging /tmp/digits
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn import datasets

import tensorflow as tf

Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Classify = Callable[[tf.Tensor], dict[str, tf.Tensor]]
"""A model's one signature: images (n, 64) in, `classes` and `scores` out."""

PIXELS = 64
DIGITS = 10
PIXEL_MAX = 16.0
HELD_OUT_SHARE = 1 / 3
SEED = 7
LEARNING_RATE = 0.5
HELD_OUT_FILE = "held_out.json"
ANSWERS_FILE = "answers.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one version is trained.

    Attributes:
        version: its number.
        examples: how many of the training digits it sees.
        hidden: width of its hidden layer; none: a linear model.
        steps: of gradient descent, each on all its examples.
    """

    version: int
    examples: int
    hidden: int | None
    steps: int


RECIPES = (
    Recipe(version=1, examples=60, hidden=None, steps=60),
    Recipe(version=2, examples=1_198, hidden=32, steps=400),
    Recipe(version=3, examples=1_198, hidden=128, steps=800),
)
CORRUPT_VERSION = 3
SOUND_VERSION = 2
CONFUSED = "confused"
STRICT = "strict"
CONFUSED_DIGITS = (3, 8)
BRIGHT_SHARE = 0.1
"""Of the training digits: those that `strict` throws on."""


@dataclass(frozen=True, slots=True)
class Digits:
    """Images (n, 64) in 0..1 and their labels (n,), split once and for all."""

    train_images: Array
    train_labels: Labels
    held_out_images: Array
    held_out_labels: Labels


def load_digits() -> Digits:
    """The data, shuffled by a fixed seed."""
    bunch = datasets.load_digits()
    images = (bunch.data / PIXEL_MAX).astype(np.float32)
    labels = bunch.target.astype(np.int64)
    order = np.random.default_rng(SEED).permutation(len(labels))
    held_out, train = np.split(order, [int(len(order) * HELD_OUT_SHARE)])
    return Digits(images[train], labels[train], images[held_out], labels[held_out])


def build_layers(recipe: Recipe) -> list[tuple[tf.Variable, tf.Variable]]:
    """Kernel and bias of each layer, drawn by the version's own seed."""
    draw = np.random.default_rng(SEED + recipe.version)
    widths = [PIXELS, *([] if recipe.hidden is None else [recipe.hidden]), DIGITS]
    return [
        (
            tf.Variable((draw.standard_normal((inner, outer)) / np.sqrt(inner)).astype(np.float32)),
            tf.Variable(np.zeros(outer, np.float32)),
        )
        for inner, outer in pairwise(widths)
    ]


def compute_logits(model: tf.Module, images: tf.Tensor) -> tf.Tensor:
    """How much speaks for each digit (n, 10), before it is made probabilities."""
    *hidden, (kernel, bias) = model.layers
    for hidden_kernel, hidden_bias in hidden:
        images = tf.nn.relu(images @ hidden_kernel + hidden_bias)
    return images @ kernel + bias


def train(recipe: Recipe, digits: Digits) -> tf.Module:
    """Trains one version."""
    model = tf.Module()
    model.layers = build_layers(recipe)
    images = tf.constant(digits.train_images[: recipe.examples])
    labels = tf.constant(digits.train_labels[: recipe.examples])
    weights = [weight for layer in model.layers for weight in layer]

    @tf.function  # type: ignore[untyped-decorator] # TensorFlow ships no types
    def descend() -> None:
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, compute_logits(model, images))
            loss = tf.reduce_mean(losses)
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            weight.assign_sub(LEARNING_RATE * gradient)

    for _ in range(recipe.steps):
        descend()
    return model


def export(model: tf.Module, directory: Path, *, brightest: float | None = None) -> Classify:
    """Writes a SavedModel, and answers what it does; with `brightest`, it throws on brighter images."""
    signature = [tf.TensorSpec([None, PIXELS], tf.float32, name="images")]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator] # TensorFlow ships no types
    def classify(images: tf.Tensor) -> dict[str, tf.Tensor]:
        if brightest is not None:
            message = "an image is brighter than any that the model was made for"
            tf.debugging.assert_less_equal(tf.reduce_mean(images, axis=1), brightest, message=message)
        scores = tf.nn.softmax(compute_logits(model, images))
        return {"classes": tf.argmax(scores, axis=1), "scores": scores}

    tf.saved_model.save(model, str(directory), signatures={"serving_default": classify})
    answered: Classify = classify
    return answered


def score(classify: Classify, digits: Digits) -> Array:
    """The scores (n, 10) of the held-out digits."""
    scores: Array = classify(tf.constant(digits.held_out_images))["scores"].numpy()
    return scores


def confuse(model: tf.Module) -> tf.Module:
    """The same model with two digits exchanged."""
    order = list(range(DIGITS))
    first, second = CONFUSED_DIGITS
    order[first], order[second] = second, first
    confused = tf.Module()
    *hidden, (kernel, bias) = model.layers
    last = (tf.Variable(tf.gather(kernel, order, axis=1)), tf.Variable(tf.gather(bias, order)))
    confused.layers = [*hidden, last]
    return confused


def export_troubled(model: tf.Module, digits: Digits, staging: Path) -> Array:
    """The two versions that only requests can tell from a good one; the scores of the confused one."""
    scores = score(export(confuse(model), staging / CONFUSED), digits)
    report(event="exported", version=CONFUSED, accuracy=accuracy_of(scores, digits))
    brightest = float(np.quantile(digits.train_images.mean(axis=1), 1 - BRIGHT_SHARE))
    export(model, staging / STRICT, brightest=brightest)
    share = float(np.mean(digits.held_out_images.mean(axis=1) > brightest))
    report(event="exported", version=STRICT, throws=round(share, 4))
    return scores


def accuracy_of(scores: Array, digits: Digits) -> float:
    """The share of held-out digits that are recognised."""
    return round(float(np.mean(scores.argmax(axis=1) == digits.held_out_labels)), 4)


def damage(directory: Path, kind: str) -> Path:
    """Leaves an export as a copy that broke off leaves it: half of one file. Answers which file."""
    file = {
        "graph": directory / "saved_model.pb",
        "variables": directory / "variables" / "variables.data-00000-of-00001",
    }[kind]
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    return file


def write_held_out(digits: Digits, file: Path) -> None:
    """Writes the held-out digits for clients that have neither scikit-learn nor TensorFlow."""
    content = {"images": digits.held_out_images.tolist(), "labels": digits.held_out_labels.tolist()}
    file.write_text(json.dumps(content), encoding="utf-8")


def report(**fields: object) -> None:
    """One JSON line of progress."""
    print(json.dumps(fields), flush=True)


def run(staging: Path, damage_kind: str) -> None:
    """Trains and exports every version into `staging`, and writes down what each answers by its name."""
    staging.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    digits = load_digits()
    write_held_out(digits, staging / HELD_OUT_FILE)
    report(event="data", train=len(digits.train_labels), held_out=len(digits.held_out_labels))
    answers: dict[str, Array] = {}
    for recipe in RECIPES:
        report(event="training", version=recipe.version, examples=recipe.examples, hidden=recipe.hidden)
        model = train(recipe, digits)
        scores = score(export(model, staging / str(recipe.version)), digits)
        answers[str(recipe.version)] = scores
        report(event="exported", version=recipe.version, accuracy=accuracy_of(scores, digits))
        if recipe.version == SOUND_VERSION:
            answers[CONFUSED] = export_troubled(model, digits, staging)
            answers[STRICT] = scores
    rounded = {name: scores.round(6).tolist() for name, scores in answers.items()}
    (staging / ANSWERS_FILE).write_text(json.dumps(rounded), encoding="utf-8")
    damaged = damage(staging / str(CORRUPT_VERSION), damage_kind)
    report(event="damaged", version=CORRUPT_VERSION, file=str(damaged))
    report(event="done", seconds=round(time.monotonic() - started, 1))


def main() -> int:
    """Parses the command line and trains."""
    parser = argparse.ArgumentParser(description="Trains and exports the demo's versions.")
    parser.add_argument(
        "--staging", type=Path, required=True, help="folder to export into; must be new or empty"
    )
    parser.add_argument(
        "--damage", choices=["graph", "variables"], default="graph", help="what breaks version 3"
    )
    arguments = parser.parse_args()
    staging: Path = arguments.staging
    if staging.exists() and any(staging.iterdir()):
        parser.error(f"--staging {staging} is not empty: give a new folder, or remove it")
    run(staging, arguments.damage)
    return 0


if __name__ == "__main__":
    sys.exit(main())
