"""Which changes of a signature a client can notice: one row each."""

import pytest

from understudy.signatures import Signature, TensorSpec, incompatibilities

PREDICT = "tensorflow/serving/predict"


def tensor(*shape: int, dtype: str = "DT_FLOAT") -> TensorSpec:
    return TensorSpec(dtype, shape)


ANY = TensorSpec("DT_FLOAT", None)


def signature(
    inputs: dict[str, TensorSpec],
    outputs: dict[str, TensorSpec] | None = None,
    *,
    method: str = PREDICT,
    optional: frozenset[str] = frozenset(),
) -> Signature:
    return Signature(method, inputs, {"y": tensor(-1)} if outputs is None else outputs, optional)


X = signature({"x": tensor(-1, 28)})


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        pytest.param(X, X, "", id="the same"),
        pytest.param(X, None, "signature s is gone", id="signature gone"),
        pytest.param(
            X,
            signature({"x": tensor(-1, 28)}, method="tensorflow/serving/classify"),
            "signature s: its method is 'tensorflow/serving/classify', was 'tensorflow/serving/predict'",
            id="another method",
        ),
        pytest.param(X, signature({"x": tensor(-1, -1)}), "", id="input takes more sizes"),
        pytest.param(X, signature({"x": ANY}), "", id="input takes any rank"),
        pytest.param(
            X,
            signature({"x": tensor(1, 28)}),
            "signature s: input x takes DT_FLOAT [1, 28], took DT_FLOAT [?, 28]",
            id="input takes fewer sizes",
        ),
        pytest.param(
            X,
            signature({"x": tensor(-1, 32)}),
            "signature s: input x takes DT_FLOAT [?, 32], took DT_FLOAT [?, 28]",
            id="input takes another size",
        ),
        pytest.param(
            X,
            signature({"x": tensor(-1, 28, 1)}),
            "signature s: input x takes DT_FLOAT [?, 28, 1], took DT_FLOAT [?, 28]",
            id="input takes another rank",
        ),
        pytest.param(
            signature({"x": ANY}),
            X,
            "signature s: input x takes DT_FLOAT [?, 28], took DT_FLOAT of any shape",
            id="input no longer takes any rank",
        ),
        pytest.param(
            X,
            signature({"x": tensor(-1, 28, dtype="DT_HALF")}),
            "signature s: input x takes DT_HALF [?, 28], took DT_FLOAT [?, 28]",
            id="input of another type",
        ),
        pytest.param(X, signature({}), "signature s: input x is gone", id="input gone"),
        pytest.param(
            X,
            signature({"x": tensor(-1, 28), "z": tensor()}),
            "signature s: input z is needed now, and was not known",
            id="input more",
        ),
        pytest.param(
            X,
            signature({"x": tensor(-1, 28), "z": tensor()}, optional=frozenset("z")),
            "",
            id="input more that may be left out",
        ),
        pytest.param(
            signature({"z": tensor()}, optional=frozenset("z")),
            signature({"z": tensor()}),
            "signature s: input z can no longer be left out",
            id="input no longer optional",
        ),
        pytest.param(
            X,
            signature({"x": tensor(-1, 28)}, {"z": tensor()}),
            "signature s: output y is gone",
            id="output gone",
        ),
        pytest.param(
            X,
            signature({"x": tensor(-1, 28)}, {"y": tensor(-1), "z": tensor()}),
            "",
            id="output more",
        ),
        pytest.param(
            X,
            signature({"x": tensor(-1, 28)}, {"y": tensor(-1, dtype="DT_INT64")}),
            "signature s: output y is DT_INT64 [?], was DT_FLOAT [?]",
            id="output of another type",
        ),
        pytest.param(
            signature({}, {"y": tensor(-1, 10)}),
            signature({}, {"y": tensor(-1, 11)}),
            "signature s: output y is DT_FLOAT [?, 11], was DT_FLOAT [?, 10]",
            id="output of another size",
        ),
        pytest.param(
            signature({}, {"y": tensor(-1)}),
            signature({}, {"y": tensor(-1, -1)}),
            "signature s: output y is DT_FLOAT [?, ?], was DT_FLOAT [?]",
            id="output of another rank",
        ),
        pytest.param(
            signature({}, {"y": tensor(-1, 10)}),
            signature({}, {"y": tensor(5, -1)}),
            "",
            id="output unknown sizes",
        ),
        pytest.param(
            signature({}, {"y": tensor(-1)}), signature({}, {"y": ANY}), "", id="output of unknown rank"
        ),
        pytest.param(
            signature({}, {"y": ANY}), signature({}, {"y": tensor(3)}), "", id="output of known rank"
        ),
    ],
)
def test_what_a_client_would_miss(before: Signature, after: Signature | None, lost: str) -> None:
    candidate = {"s": after} if after is not None else {}
    assert incompatibilities({"s": before}, candidate) == ((lost,) if lost else ())


def test_signatures_more_and_those_that_nobody_calls_are_no_loss() -> None:
    assert incompatibilities({"__saved_model_init_op": X}, {"more": X}) == ()


def test_every_loss_is_named_in_the_order_of_the_names() -> None:
    lost = incompatibilities({"b": X, "a": X}, {"b": signature({"x": tensor(1)}, {})})
    assert lost == (
        "signature a is gone",
        "signature b: input x takes DT_FLOAT [1], took DT_FLOAT [?, 28]",
        "signature b: output y is gone",
    )
