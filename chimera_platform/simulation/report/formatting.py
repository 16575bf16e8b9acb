"""How figures, times and tables are written in HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chimera_platform.portfolio.performance import PERCENT_METRICS

MISSING = "–"
_SECONDS = 60.0
_HOUR = 3600.0
_DAY = 86_400.0


def money(value: float | None) -> str:
    """Return an amount with two decimals and thousands apart."""
    return MISSING if value is None or not math.isfinite(value) else f"{value:,.2f}"


def percent(value: float | None) -> str:
    """Return a share in percent with two decimals."""
    return MISSING if value is None or not math.isfinite(value) else f"{value:.2%}"


def number(value: Any) -> str:
    """Return a count with thousands apart, or a figure with two to four digits that count."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return MISSING
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    return f"{value:,.2f}" if abs(value) >= 1.0 or value == 0.0 else f"{value:.3g}"


def duration(seconds: float | None) -> str:
    """Return a time span in the unit that suits it."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    for limit, unit, name in ((1.0, 1e-3, "ms"), (_SECONDS, 1.0, "s"), (_HOUR, _SECONDS, "min"), (_DAY, _HOUR, "h")):
        if seconds < limit:
            return f"{seconds / unit:,.1f} {name}"
    return f"{seconds / _DAY:,.1f} days"


def metric(name: str, value: Any) -> str:
    """Return a metric by its name: percent, duration, or number."""
    if name in PERCENT_METRICS:
        return percent(value)
    return duration(value) if "_seconds" in name else number(value)


def words(name: str) -> str:
    """Return a field's name as words, safe in HTML."""
    return html.escape(name.replace("_", " "))


def time_text(ts: int) -> str:
    """Return ns UTC to the second."""
    return str(np.datetime64(int(ts), "ns").astype("datetime64[s]")).replace("T", " ")


def toned(value: float | None, text: str) -> str:
    """Return ``text`` in the tone of a gain or a loss."""
    if value is None or not math.isfinite(value) or value == 0.0:
        return text
    return f'<span class="{"gain" if value > 0 else "loss"}">{text}</span>'


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], foot: Sequence[str] | None = None, attributes: str = ""
) -> str:
    """Return a table of cells that are HTML already; all columns but the first are figures."""
    lines = [f"<table {attributes}>" if attributes else "<table>"]
    if head:
        lines.append(f"<thead><tr>{_cells(head, 'th')}</tr></thead>")
    lines.append("<tbody>")
    lines += [f"<tr>{_cells(row, 'td')}</tr>" for row in rows]
    lines.append("</tbody>")
    if foot is not None:
        lines.append(f"<tfoot><tr>{_cells(foot, 'td')}</tr></tfoot>")
    return "\n".join([*lines, "</table>"])


def grouped_table(
    head: Sequence[str], bodies: Iterable[tuple[str, Iterable[Sequence[str]]]], foot: Sequence[str]
) -> str:
    """Return a table of (title, rows), each below its title, with a last row for all."""
    lines = [f'<table class="dense"><thead><tr>{_cells(head, "th")}</tr></thead>']
    for title, rows in bodies:
        lines.append(f'<tbody><tr><th colspan="{len(head)}">{html.escape(title)}</th></tr>')
        lines += [f"<tr>{_cells(row, 'td')}</tr>" for row in rows]
        lines.append("</tbody>")
    return "\n".join([*lines, f"<tfoot><tr>{_cells(foot, 'td')}</tr></tfoot></table>"])


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and values; names are words, values HTML."""
    return table((), ((words(name), value) for name, value in rows))


def section(title: str, *parts: str, note: str = "", anchor: str = "") -> str:
    """Return a section of the page; ``note`` is a sentence below its heading."""
    identity = f' id="{anchor}"' if anchor else ""
    return f"<section{identity}><h2>{html.escape(title)}</h2>{_note(note)}{''.join(parts)}</section>"


def _note(text: str) -> str:
    return f'<p class="note">{text}</p>' if text else ""


def _cells(cells: Sequence[str], tag: str) -> str:
    return "".join(f"<{tag}{'' if k == 0 else ' class=n'}>{cell}</{tag}>" for k, cell in enumerate(cells))
