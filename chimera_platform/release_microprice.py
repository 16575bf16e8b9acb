"""The fitted microprices of a release: ``microprice.json``, a table an instrument, checked before anything uses it.

The file is an object, symbol → ``{"imbalance_bins", "spread_step", "rows"}``; ``rows[k][j]`` is microprice - mid in
half ticks for spread row k and imbalance bin j, antisymmetric in j. A symbol that is not in it is unfitted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from chimera_platform.errors import ReleaseError
from chimera_platform.microstructure.fitted_microprice import (
    IMBALANCE_BINS,
    SPREAD_BINS,
    new_microprice_table,
)

if TYPE_CHECKING:
    from chimera_platform.release_content import Release

MICROPRICE_BYTES_MAX = 16 * 2**20
SPREAD_STEP_MAX = 10**9  # ticks
ADJUSTMENT_SPREADS_MAX = 4.0  # an adjustment may be as many times the widest spread of its row
_KEYS = {"imbalance_bins", "spread_step", "rows"}

Tables = Mapping[str, np.ndarray[Any, Any]]


def microprice_record(release: Release | None, symbol: str) -> np.ndarray[Any, Any]:
    """Return the table that ``release`` has for ``symbol``, shape (1,), ``MICROPRICE_DTYPE``; unfitted without one."""
    table = None if release is None else release.microprice.get(symbol)
    return new_microprice_table() if table is None else table.copy()


def microprice_values(tables: Tables) -> dict[str, Any]:
    """Return fitted tables as plain JSON values by symbol."""
    values = {}
    for symbol, table in tables.items():
        rows, bins = int(table["spreads_max"][0]), int(table["imbalance_bins"][0])
        values[symbol] = {
            "imbalance_bins": bins,
            "spread_step": int(table["spread_step"][0]),
            "rows": table["adjustment"][0, :rows, :bins].tolist(),
        }
    return values


def parse_microprice(data: bytes, where: str) -> dict[str, np.ndarray[Any, Any]]:
    """Return the tables by symbol that ``microprice.json`` holds.

    Raises
    ------
    ReleaseError : it is too large, or a table is not one that a running flow could use; names symbol and field.
    """
    if len(data) > MICROPRICE_BYTES_MAX:
        raise ReleaseError(f"{where}: {len(data):,} bytes; at most {MICROPRICE_BYTES_MAX:,} are allowed")
    try:
        values = json.loads(data)
    except ValueError as error:
        raise ReleaseError(f"{where} is not JSON: {error}") from None
    return tables_of(values, where)


def tables_of(values: Any, where: str) -> dict[str, np.ndarray[Any, Any]]:
    """Return the tables that JSON values hold; raises as :func:`parse_microprice`."""
    if not isinstance(values, dict):
        raise ReleaseError(f"{where} holds {type(values).__name__}; expected an object by symbol")
    return {symbol: _table(value, f"{where}: {symbol}") for symbol, value in values.items()}


def _table(value: Any, where: str) -> np.ndarray[Any, Any]:
    if not isinstance(value, dict) or set(value) != _KEYS:
        raise ReleaseError(f"{where}: expected an object of {', '.join(sorted(_KEYS))}")
    bins = _whole(value, "imbalance_bins", 1, IMBALANCE_BINS, where)
    step = _whole(value, "spread_step", 1, SPREAD_STEP_MAX, where)
    rows = value["rows"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= SPREAD_BINS:
        raise ReleaseError(f"{where}.rows: expected 1 to {SPREAD_BINS} rows")
    table = new_microprice_table()
    for k, row in enumerate(rows):
        numbers = isinstance(row, list) and all(isinstance(x, int | float) and not isinstance(x, bool) for x in row)
        if not numbers or len(row) != bins:
            raise ReleaseError(f"{where}.rows[{k}]: expected {bins} numbers")
        cells, limit = np.array(row, float), ADJUSTMENT_SPREADS_MAX * 2.0 * (k + 1) * step
        if not (np.abs(cells) <= limit).all():
            raise ReleaseError(f"{where}.rows[{k}]: an adjustment beyond {limit:g} half ticks, or not a number")
        if not np.array_equal(cells, -cells[::-1]):
            raise ReleaseError(f"{where}.rows[{k}] is not antisymmetric: bids and asks would not be treated alike")
        table["adjustment"][0, k, :bins] = cells
    table["is_fitted"], table["imbalance_bins"], table["spreads_max"] = 1, bins, len(rows)
    table["spread_step"] = step
    return table


def _whole(value: dict[str, Any], name: str, low: int, high: int, where: str) -> int:
    number = value[name]
    if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
        raise ReleaseError(f"{where}.{name} is {number!r}; expected a whole number from {low} to {high:,}")
    return number
