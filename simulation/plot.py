"""Line charts as SVG text, without a library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 44, 84
COLOURS: Final = ("#1b6ca8", "#c8553d", "#4f7942", "#7a5195")
DASHES: Final = ("", "6 4", "2 3", "8 3 2 3")
"""Lines are told apart without colour too."""


@dataclass(frozen=True, slots=True)
class Line:
    """A name, and points (x, y) in the order of x."""

    name: str
    points: Sequence[tuple[float, float]]


def chart(title: str, x_label: str, y_label: str, lines: Sequence[Line], *, x_log: bool, y_log: bool) -> str:
    """An SVG picture. A linear axis of y begins at zero; logarithmic ones at a power of ten.

    ``ValueError`` without points, and for a point that a logarithmic axis cannot show.
    """
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    if not xs:
        raise ValueError("nothing to draw")
    x_axis, y_axis = _axis(xs, logarithmic=x_log), _axis(ys, logarithmic=y_log)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"',
        f'font-family="sans-serif" font-size="12" aria-label="{escape(title, quote=True)}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
    ]
    for tick in y_axis.ticks:
        y = _down(y_axis.share(tick))
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}</text>')
    for tick in x_axis.ticks:
        x = _across(x_axis.share(tick))
        out.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#eee"/>')
        out.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_number(tick)}</text>'
        )
    out.append(f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#333"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(
        f'<text x="{middle:.0f}" y="{HEIGHT - BOTTOM + 34}" text-anchor="middle">{escape(x_label)}</text>'
    )
    out.append(f'<text x="{LEFT}" y="38" font-size="11" fill="#555">{escape(y_label)}</text>')
    for number, line in enumerate(lines):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        places = [(_across(x_axis.share(x)), _down(y_axis.share(y))) for x, y in line.points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        out.append(
            f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        x, y = LEFT + 290 * (number % 2), HEIGHT - 28 + 18 * (number // 2)
        out.append(
            f'<path d="M{x} {y - 4}h26" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        out.append(f'<text x="{x + 32}" y="{y}">{escape(line.name)}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float
    logarithmic: bool
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where ``value`` is, from 0 to 1."""
        if self.logarithmic:
            return math.log10(value / self.low) / math.log10(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def _axis(values: Sequence[float], *, logarithmic: bool) -> _Axis:
    if logarithmic:
        if min(values) <= 0:
            raise ValueError("a logarithmic axis has no place for zero")
        first = math.floor(math.log10(min(values)))
        last = max(math.ceil(math.log10(max(values))), first + 1)
        ticks = tuple(10.0**power for power in range(first, last + 1))
    else:
        highest = max(values) or 1.0
        unit = 10.0 ** math.floor(math.log10(highest))
        step = next(unit * part for part in (0.1, 0.2, 0.25, 0.5, 1, 2) if highest / (unit * part) <= 6)
        ticks = tuple(step * number for number in range(math.ceil(highest / step) + 1))
    return _Axis(ticks[0], ticks[-1], logarithmic, ticks)


def _across(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _down(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"
