"""What benchmarks make of their measurements, where that is more than writing them down."""

from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from benchmarks.changeover import Parts
from benchmarks.memory import Run
from benchmarks.page import table, write
from benchmarks.plot import plot

SVG = "{http://www.w3.org/2000/svg}"


class Numbers(msgspec.Struct):
    name: str


def test_growth_is_that_of_the_second_half_of_the_cycles() -> None:
    warming = [float(10 * cycle) for cycle in range(10)]
    steady = [90.0 + 0.5 * cycle for cycle in range(10)]
    run = Run(before=1.0, loaded=tuple(up + 40 for up in warming + steady), unloaded=tuple(warming + steady))
    assert run.growth_a_cycle == pytest.approx(0.5)
    assert run.freed == 40.0


def test_the_parts_of_a_change_add_up_to_the_whole() -> None:
    parts = Parts(poll=1.0, decide=2.0, inspect=4.0, load=8.0, hand_over=16.0, publish=32.0, answer=64.0)
    assert parts.whole == 127.0


def test_a_plot_has_a_line_for_each_series_within_its_frame() -> None:
    root = ET.fromstring(plot("a < b", "cycle", "MiB", {"up": [0.0, 5.0], "down": [10.0, 0.0]}))  # noqa: S314 - our own text
    lines = [line.attrib["points"].split() for line in root.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [2, 2]
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for x, y in (point.split(",") for points in lines for point in points):
        assert 0 < float(x) < width
        assert 0 < float(y) < height
    assert "a < b" in [text.text for text in root.iter(f"{SVG}text")]


def test_a_page_and_its_numbers_lie_side_by_side(tmp_path: Path) -> None:
    page = write(tmp_path, "stem", table(("what", "ms"), [("one", "1")]), Numbers("one"))
    assert page.read_text() == "| what | ms |\n| --- | ---: |\n| one | 1 |\n"
    assert msgspec.json.decode((tmp_path / "stem.json").read_bytes()) == {"name": "one"}
