"""What a command says: a table for people, one JSON object for programs; progress goes to stderr."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

errors = Console(stderr=True, highlight=False)
_people = Console(highlight=False)


def say(text: str) -> None:
    """Print one line of progress on stderr, not folded and not interpreted."""
    errors.print(text, soft_wrap=True, markup=False)


def _plain(value: Any) -> Any:
    """Return ``value`` as JSON knows it: NaN and infinities become null, NumPy scalars Python's."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def emit(result: Mapping[str, Any], *, as_json: bool, title: str = "") -> None:
    """Print ``result``: nested mappings become rows ``key.subkey`` in the table."""
    if as_json:
        print(json.dumps(_plain(result), default=str))
        return
    table = Table(title=title or None, show_header=False, title_justify="left", box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for key, value in _flat(result):
        table.add_row(key, value)
    _people.print(table)


def _flat(result: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in result.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            rows += _flat(value, f"{name}.")
        elif isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
            for k, each in enumerate(value):
                rows += _flat(each, f"{name}[{k}].") if isinstance(each, Mapping) else [(f"{name}[{k}]", _text(each))]
        elif isinstance(value, list | tuple):
            rows.append((name, ", ".join(_text(each) for each in value)))
        else:
            rows.append((name, _text(value)))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    return str(value)
