"""The audit's pictures as SVG that stands inside the page."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np

from chimera_platform.simulation.audit.plateau import Curve, HeatMap
from chimera_platform.simulation.audit.wording import decimal, parameter_value

_GAIN, _LOSS, _INK, _GRID = (31, 111, 139), (179, 57, 57), "#222", "#ccc"


def curve_chart(curve: Curve, low: float, high: float) -> str:
    """Return one parameter's curve; ``low`` and ``high`` are the scale that the page's curves share."""
    width, height, left, bottom, top = 250, 165, 52, 34, 24
    parameter = curve.parameter
    x = _scale(parameter.values, left, width - 12)
    y = [_between(r, low, high, height - bottom, top) for r in curve.results]
    known = [(a, b) for a, b, r in zip(x, y, curve.results, strict=True) if not math.isnan(r)]
    parts = [_text(width / 2, 13, parameter.label, "middle", 11)]
    for value in {low, high, *([0.0] if low < 0 < high else [])}:
        at = _between(value, low, high, height - bottom, top)
        parts.append(_line(left, at, width - 8, at, "#888" if value == 0 else _GRID))
        parts.append(_text(left - 5, at + 4, decimal(value), "end", 10))
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in known)
    parts.append(f'<polyline points="{points}" fill="none" stroke="rgb{_GAIN}" stroke-width="1.6"/>')
    parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.4" fill="rgb{_GAIN}"/>' for a, b in known]
    a, b = x[parameter.centre], y[parameter.centre]
    parts.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4.5" fill="none" stroke="{_INK}" stroke-width="1.5"/>')
    for i in sorted({0, parameter.centre, len(x) - 1}):
        anchor = "start" if i == 0 < parameter.centre else "end" if i == len(x) - 1 > parameter.centre else "middle"
        shift = -10 if anchor == "start" else 10 if anchor == "end" else 0
        parts.append(
            _text(x[i] + shift, height - 16, parameter_value(parameter.label, parameter.values[i]), anchor, 10)
        )
    return _svg(width, height, parts, f"{parameter.label}: net profit by value")


def heat_chart(heat_map: HeatMap) -> str:
    """Return the map of two parameters: a cell each, coloured by what it earns, the present one framed."""
    first, second, results = heat_map
    cell_w, cell_h, left, top = 78, 34, 96, 34
    rows, columns = results.shape
    width, height = left + columns * cell_w + 12, top + rows * cell_h + 46
    known = np.abs(results[~np.isnan(results)])
    largest = float(known.max()) if len(known) else 1.0
    parts = [_text(left + columns * cell_w / 2, 14, f"{first.label} (down) and {second.label} (across)", "middle", 12)]
    for i in range(rows):
        at = top + (rows - 1 - i) * cell_h
        parts.append(_text(left - 8, at + cell_h / 2 + 4, parameter_value(first.label, first.values[i]), "end", 11))
        for j in range(columns):
            x, value = left + j * cell_w, float(results[i, j])
            parts.append(
                f'<rect x="{x}" y="{at}" width="{cell_w}" height="{cell_h}" fill="{_color(value, largest)}" '
                f'stroke="#fff"/>'
            )
            strong = abs(value) > 0.6 * largest
            parts.append(_text(x + cell_w / 2, at + cell_h / 2 + 4, decimal(value), "middle", 11, strong))
    at = top + (rows - 1 - first.centre) * cell_h
    parts.append(
        f'<rect x="{left + second.centre * cell_w + 1}" y="{at + 1}" width="{cell_w - 2}" height="{cell_h - 2}" '
        f'fill="none" stroke="{_INK}" stroke-width="2.5"/>'
    )
    for j in range(columns):
        text = parameter_value(second.label, second.values[j])
        parts.append(_text(left + (j + 0.5) * cell_w, top + rows * cell_h + 17, text, "middle", 11))
    return _svg(width, height, parts, f"net profit by {first.label} and {second.label}")


def whisker_chart(names: Sequence[str], values: Sequence[float], errors: Sequence[float], unit: str) -> str:
    """Return a dot with two standard errors to each side for each name."""
    row, left, width, top = 20, 210, 720, 24
    height = top + row * len(names) + 24
    spans = [(v - 2 * e, v + 2 * e) for v, e in zip(values, errors, strict=True) if not math.isnan(v + e)]
    low, high = min([0.0, *(s[0] for s in spans)]), max([0.0, *(s[1] for s in spans)])
    if high <= low:
        high = low + 1.0
    parts = [_text(left, 13, f"{unit}, with two standard errors", "start", 11)]
    zero = _between(0.0, low, high, left, width - 16)
    parts.append(_line(zero, top - 4, zero, height - 20, "#888"))
    for k, (name, value, error) in enumerate(zip(names, values, errors, strict=True)):
        y = top + row * (k + 0.5)
        parts.append(_text(left - 12, y + 4, name, "end", 11))
        if math.isnan(value + error):
            continue
        a, b, c = (_between(v, low, high, left, width - 16) for v in (value - 2 * error, value, value + 2 * error))
        color = _INK if name == "as decided" else f"rgb{_LOSS}" if name.startswith("control") else f"rgb{_GAIN}"
        parts.append(_line(a, y, c, y, color))
        parts.append(f'<circle cx="{b:.1f}" cy="{y:.1f}" r="3.6" fill="{color}"/>')
    for value in (low, 0.0, high):
        if value == 0.0 or abs(_between(value, low, high, left, width - 16) - zero) > 40:
            at = _between(value, low, high, left, width - 16)
            parts.append(_text(at, height - 6, decimal(value), "middle", 10))
    return _svg(width, height, parts, unit)


def _scale(values: Sequence[float], left: float, right: float) -> list[float]:
    """Return positions, by logarithm where all values are above 0."""
    at = [math.log(v) for v in values] if values[0] > 0 else list(values)
    return [_between(v, at[0], at[-1], left + 10, right - 4) for v in at]


def _between(value: float, low: float, high: float, start: float, end: float) -> float:
    return start + (end - start) * ((value - low) / (high - low) if high > low else 0.5)


def _color(value: float, largest: float) -> str:
    if math.isnan(value):
        return "#eee"
    share = min(abs(value) / largest, 1.0) if largest > 0 else 0.0
    ends = _GAIN if value > 0 else _LOSS
    return f"rgb({', '.join(str(round(250 + (c - 250) * share)) for c in ends)})"


def _line(x1: float, y1: float, x2: float, y2: float, color: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"/>'


def _text(x: float, y: float, text: str, anchor: str, size: int, light: bool = False) -> str:
    fill = "#fff" if light else _INK
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}"'
    return f"<text {place}>{html.escape(text)}</text>"


def _svg(width: float, height: float, parts: Sequence[str], label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{html.escape(label, quote=True)}">{"".join(parts)}</svg>'
    )
