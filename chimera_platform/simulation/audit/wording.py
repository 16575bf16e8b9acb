"""Figures of the audit as text: the same on the terminal, in Markdown and on the page."""

from __future__ import annotations

import math
from typing import Any

NONE = "–"


def shown(value: Any) -> str:
    """Return a value as text: whole numbers with separators, others to four figures, a dash where undefined."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NONE
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if math.isinf(value):
        return "never" if value > 0 else "-∞"
    return decimal(value)


def decimal(value: float) -> str:
    """Return a number to about four figures, without an exponent where it can be read without."""
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        return f"{value:.3g}"
    if size >= 1_000:
        return f"{value:,.0f}"
    places = 2 if size >= 10 else 3 if size >= 1 else 4
    text = f"{value:.{places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def nanoseconds(value: float) -> str:
    """Return a duration with the unit that suits it."""
    for unit, name in ((3.6e12, "h"), (6e10, "min"), (1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if abs(value) >= unit:
            return f"{decimal(value / unit)} {name}"
    return f"{decimal(value)} ns"


def parameter_value(label: str, value: float) -> str:
    """Return a parameter's value; durations in a unit that suits them."""
    return nanoseconds(value) if label.endswith("_ns") else decimal(value)
