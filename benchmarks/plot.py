"""A line chart as SVG: what a page of results shows of a series of numbers. Not a plotting library."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 36, 44
COLOURS = ("#1b6ca8", "#9cc4e4", "#b3541e", "#e8b796", "#3f7d3f", "#b5d6ae")
GRID_LINES = 5


def plot(title: str, x_label: str, y_label: str, series: Mapping[str, Sequence[float]]) -> str:
    """Lines over 1, 2, 3, ..., from zero up; series of equal length."""
    top = max(max(values) for values in series.values()) * 1.05
    count = max(len(values) for values in series.values())

    def x(index: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * index / max(1, count - 1)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top

    def parts() -> Iterator[str]:
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        )
        yield _text(LEFT, TOP - 14, title, look='font-weight="bold"')
        for line in range(GRID_LINES + 1):
            value = top * line / GRID_LINES
            yield f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
            yield _text(LEFT - 6, y(value) + 4, f"{value:,.0f}", "end")
        yield _text(LEFT, HEIGHT - BOTTOM + 18, "1")
        yield _text(WIDTH - RIGHT, HEIGHT - BOTTOM + 18, f"{count:,}", "end")
        yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, f"{x_label} (across), {y_label} (up)", "middle")
        for place, (name, values) in enumerate(series.items()):
            colour = COLOURS[place % len(COLOURS)]
            points = " ".join(f"{x(index):.1f},{y(value):.1f}" for index, value in enumerate(values))
            yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
            yield _text(WIDTH - RIGHT + 8, TOP + 14 + 18 * place, name, look=f'fill="{colour}"')
        yield "</svg>"

    return "\n".join(parts()) + "\n"


def _text(x: float, y: float, text: str, anchor: str = "start", look: str = 'fill="#222"') -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {look}>{escape(text)}</text>'
