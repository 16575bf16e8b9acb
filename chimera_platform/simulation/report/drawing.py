"""Charts as inline SVG: coordinates, axes, lines, bands and bars. Colours come from the page's style sheet."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, Any]
WIDTH = 920
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 14, 10, 24
_TIME_STEPS = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60)
_TICKS_MAX = 9


class Chart:
    """One chart with linear axes.

    Parameters
    ----------
    title : what it shows, for readers that cannot see it.
    x, y : lowest and highest value shown on each axis.
    height : of the chart; the width is :data:`WIDTH`.
    """

    def __init__(self, title: str, x: tuple[float, float], y: tuple[float, float], height: int = 260) -> None:
        self._title, self._height = title, height
        self._x, self._y = _apart(x), _apart(y)
        self._parts: list[str] = []

    def across(self, x: Array) -> Array:
        """Return where values of x are drawn."""
        return _LEFT + (np.asarray(x, float) - self._x[0]) / (self._x[1] - self._x[0]) * (WIDTH - _LEFT - _RIGHT)

    def up(self, y: Array) -> Array:
        """Return where values of y are drawn."""
        share = (np.asarray(y, float) - self._y[0]) / (self._y[1] - self._y[0])
        return self._height - _BOTTOM - share * (self._height - _TOP - _BOTTOM)

    def line(self, x: Array, y: Array, kind: str) -> None:
        """Draw a line in the style ``kind``."""
        self._parts.append(f'<path class="{kind}" d="{_path(self.across(x), self.up(y))}"/>')

    def steps(self, x: Array, y: Array, kind: str) -> None:
        """Draw a line that holds each value until the next one."""
        self.line(np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1], kind)

    def band(self, x: Array, low: Array, high: Array, kind: str) -> None:
        """Fill what is between two lines."""
        over, back = _path(self.across(x), self.up(high)), _path(self.across(x)[::-1], self.up(low)[::-1])
        self._parts.append(f'<path class="{kind}" d="{over}L{back[1:]}Z"/>')

    def bars(self, edges: Array, heights: Array, kind: str) -> None:
        """Draw bars between ``edges`` (one more than there are heights)."""
        left, right = self.across(edges[:-1]), self.across(edges[1:])
        base = float(self.up(np.array(self._y[0])))
        for x, end, top in zip(left, right, self.up(heights), strict=True):
            wide = max(end - x - 1.0, 0.5)
            self._parts.append(f'<rect class="{kind}" x="{x:.1f}" y="{top:.1f}" width="{wide:.1f}" '
                               f'height="{max(base - top, 0.0):.1f}"/>')  # fmt: skip

    def upright(self, x: float, kind: str, label: str) -> None:
        """Draw a line across the whole height with a label beside it."""
        at = float(self.across(np.array(x)))
        is_right = at < WIDTH * 0.6
        text_x, anchor = (at + 6, "start") if is_right else (at - 6, "end")
        self._parts.append(
            f'<line class="{kind}" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{self._height - _BOTTOM}"/>'
        )
        self._parts.append(
            f'<text class="label" x="{text_x:.1f}" y="{_TOP + 12}" text-anchor="{anchor}">{label}</text>'
        )

    def svg(self, x_axis: Literal["number", "count", "time"] = "number") -> str:
        """Return the chart; ``x_axis``: what x is, a time being ns UTC."""
        x_ticks = _time_ticks(*self._x) if x_axis == "time" else _ticks(*self._x, 8, 1.0 if x_axis == "count" else 0.0)
        grid = []
        for value, text in _ticks(*self._y, max(3, self._height // 45)):
            y = float(self.up(np.array(value)))
            grid.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            grid.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        for value, text in x_ticks:
            x = float(self.across(np.array(value)))
            grid.append(f'<text x="{x:.1f}" y="{self._height - 6}" text-anchor="middle">{text}</text>')
        name = html.escape(self._title)
        return (
            f'<svg viewBox="0 0 {WIDTH} {self._height}" role="img" aria-label="{name}"><title>{name}</title>'
            f"{''.join(grid)}{''.join(self._parts)}</svg>"
        )


def _apart(span: tuple[float, float]) -> tuple[float, float]:
    """Return the span, widened where it is too narrow for labels that differ."""
    low, high = float(span[0]), float(span[1])
    if high - low > max(abs(low), abs(high), 1.0) * 1e-9:
        return low, high
    room = max(abs(low) * 0.01, 1.0)
    return low - room, high + room


def _path(x: Array, y: Array) -> str:
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def _ticks(low: float, high: float, count: int, step_min: float = 0.0) -> list[tuple[float, str]]:
    """Return round values within the span, about ``count``, with their texts."""
    rough = max((high - low) / count, step_min)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= rough * (1.0 - 1e-9))
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) + (1 if f"{step:e}".startswith("2.5") and step < 10 else 0)
    first = math.ceil(low / step - 1e-9)
    values = [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]
    return [(value, f"{value + 0.0:,.{digits}f}") for value in values]


def _time_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return round times within the span (ns UTC) with their texts; beginnings of months where it is long."""
    seconds = (high - low) / 1e9
    step = next((s for s in _TIME_STEPS if seconds / s <= _TICKS_MAX), None)
    if step is None:
        return _month_ticks(low, high)
    first, last = math.ceil(low / 1e9 / step), math.floor(high / 1e9 / step)
    return [(k * step * 1e9, _time_label(k * step, step)) for k in range(first, last + 1)]


def _month_ticks(low: float, high: float) -> list[tuple[float, str]]:
    first, last = (int(np.datetime64(int(ts), "ns").astype("datetime64[M]").astype(int)) for ts in (low, high))
    step = next((s for s in _MONTH_STEPS if (last - first) / s <= _TICKS_MAX), math.ceil((last - first) / _TICKS_MAX))
    months = np.arange(-(-(first + 1) // step) * step, last + 1, step).astype("datetime64[M]")
    return [(float(month.astype("datetime64[ns]").astype(np.int64)), str(month)) for month in months]


def _time_label(seconds: int, step: int) -> str:
    moment = str(np.datetime64(seconds, "s"))
    if step >= 86_400 or seconds % 86_400 == 0:
        return moment[5:10]
    return moment[11:16] if step >= 60 else moment[11:19]


def thinned(x: Array, y: Array, points: int = 1_600) -> tuple[Array, Array]:
    """Return at most about ``points`` of a curve: of each stretch its first, lowest, highest and last value.

    Extremes are kept, so a drawdown looks as deep as it was.
    """
    if len(x) <= points:
        return x, y
    bounds = np.unique(np.searchsorted(x, np.linspace(x[0], x[-1], points // 4 + 1)))
    bounds = np.append(bounds[bounds < len(x)], len(x))
    kept: set[int] = {0, len(x) - 1}
    for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        kept |= {a, b - 1, a + int(y[a:b].argmin()), a + int(y[a:b].argmax())}
    at = np.array(sorted(kept))
    return x[at], y[at]


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Return (style, text) as a line below a chart."""
    keys = (f'<span class="key"><i class="{kind}"></i>{html.escape(text)}</span>' for kind, text in entries)
    return f'<p class="legend">{"".join(keys)}</p>'
