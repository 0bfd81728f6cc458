"""Numbers in REST answers, digit for digit, against the rule as Python's own `%g` states it."""

import json
import random
import struct
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import requests

from tests.live.process import LiveServer

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

COUNT = 4_000
SEED = 20_261_125
FLOAT_LIMITS = [3.4028234663852886e38, 1.1754943508222875e-38, 1e-45, 16777216.0, 999999.0, 9999995.0, 0.0001]
DOUBLE_LIMITS = [1.7976931348623157e308, 2.2250738585072014e-308, 5e-324, 0.1 + 0.2, 1e16, 123456.5, 0.00001]


def text_of(value: float, long: int, narrow: Callable[[float], float]) -> str:
    """Six significant digits if they read back as the same value of the type, else as many as any value needs."""
    if np.isnan(value) or np.isinf(value):
        return {True: "NaN", False: "Infinity" if value > 0 else "-Infinity"}[bool(np.isnan(value))]
    text = f"{value:.6g}" if narrow(float(f"{value:.6g}")) == value else f"{value:.{long}g}"
    return text if "." in text or "e" in text else text + ".0"


def answered(server: LiveServer, signature: str, values: Sequence[float]) -> list[str]:
    """The numbers of the answer, as they are written."""
    body = json.dumps({"signature_name": signature, "instances": list(values)})
    answer = requests.post(f"http://{server.rest}/v1/models/every_dtype:predict", data=body, timeout=60)
    assert answer.status_code == requests.codes.ok, answer.text
    before, _, rest = answer.text.partition('{\n    "predictions": [')
    numbers, _, after = rest.partition("\n    ]\n}")
    assert (before, after) == ("", "")
    return numbers.split(", ")


def narrow_float(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def test_floats_are_written_as_the_rule_says(server: LiveServer) -> None:
    draw = random.Random(SEED)  # noqa: S311 - a sequence, not a secret
    patterns = [struct.unpack("f", draw.randbytes(4))[0] for _ in range(COUNT)]
    decimals = [
        narrow_float(draw.randrange(10 ** draw.randrange(1, 9)) / 10 ** draw.randrange(9))
        for _ in range(COUNT)
    ]
    values = [
        *patterns,
        *decimals,
        *(narrow_float(sign * limit) for limit in FLOAT_LIMITS for sign in (1, -1)),
        0.0,
        -0.0,
    ]
    expected = [text_of(value, 9, narrow_float) for value in values]
    assert answered(server, "float32", values) == expected


def test_doubles_are_written_as_the_rule_says(server: LiveServer) -> None:
    draw = random.Random(SEED)  # noqa: S311 - as above
    patterns = [struct.unpack("d", draw.randbytes(8))[0] for _ in range(COUNT)]
    decimals = [draw.randrange(10 ** draw.randrange(1, 18)) / 10 ** draw.randrange(18) for _ in range(COUNT)]
    values = [*patterns, *decimals, *(sign * limit for limit in DOUBLE_LIMITS for sign in (1, -1)), 0.0, -0.0]
    expected = [text_of(value, 17, float) for value in values]
    assert answered(server, "float64", values) == expected


def test_every_half_is_written_in_six_digits_that_read_back(server: LiveServer) -> None:
    values = np.arange(2**16, dtype=np.uint16).view(np.float16)
    texts = answered(server, "float16", [float(value) for value in values])
    assert texts == [text_of(float(value), 6, float) for value in values]
    read = np.array([np.float16(float(text)) for text in texts])
    assert np.array_equal(read, values, equal_nan=True)
