"""The fitted microprice of every instrument, from the newest usable days' events, for the release candidate."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np

from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.journal.storage import make_folder, write_atomically
from chimera_platform.learning.microprice_trial import MicropriceTrial, try_microprice
from chimera_platform.learning.touches import TOUCH_DTYPE, TouchPath
from chimera_platform.microstructure.fitted_microprice_estimation import MicropriceSettings
from chimera_platform.release_microprice import Tables, microprice_values
from chimera_platform.releases import canonical_json
from chimera_platform.workdir import WorkDir
from pipelines.rows import Array, event_batches, run_universe
from warehouse.connection import connect
from warehouse.snapshots import current_snapshot

DAYS = 5  # newest usable days of an instrument that its microprice is fitted on
CHANGE_SHARE = 0.05
"""A table whose adjustments all move by less than this share of a spread row is no change."""

_USABLE = """
    FROM learning.data_quality AS q JOIN staging.runs AS r USING (run_id)
    SELECT CAST(q.day AS VARCHAR), q.run_id
    WHERE NOT q.quarantined ORDER BY q.day, r.created DESC, q.run_id"""


def fit_microprices(workdir: WorkDir, settings: MicropriceSettings | None = None) -> dict[str, Any]:
    """Fit and judge the microprice of every instrument and leave the accepted ones for the candidate.

    A day that several runs have seen counts once, by its newest run.

    Returns
    -------
    JSON values: ``snapshot``, ``accepted`` (symbol → table as in ``microprice.json``), ``trials`` (symbol → ``days``,
    ``states``, ``tested``, ``error_mid``, ``error_fitted``, ``reason``; half ticks).
    """
    connection = connect(workdir)
    try:
        snapshot = current_snapshot(connection)
        touches, days = _touches(connection, workdir)
    finally:
        connection.close()
    trials = {symbol: try_microprice(touches[symbol], settings) for symbol in sorted(touches)}
    tables = {symbol: trial.fit.table for symbol, trial in trials.items() if trial.is_accepted and trial.fit}
    result = {
        "snapshot": snapshot,
        "accepted": microprice_values(tables),
        "trials": {symbol: {"days": days[symbol], **_figures(trial)} for symbol, trial in trials.items()},
    }
    make_folder(workdir.path / "learning")
    write_atomically(workdir.path / "learning" / "microprice.json", canonical_json(result))
    return result


def differ(new: Tables, old: Mapping[str, Array]) -> bool:
    """Return whether a table of ``new`` is not in ``old``, or of another shape or other values than there."""
    for symbol, table in new.items():
        before = old.get(symbol)
        if before is None:
            return True
        if any(table[name] != before[name] for name in ("imbalance_bins", "spreads_max", "spread_step")):
            return True
        moved = np.nanmax(np.abs(table["adjustment"] - before["adjustment"]))
        if moved >= CHANGE_SHARE * 2 * int(table["spread_step"][0]):
            return True
    return False


def _touches(connection: duckdb.DuckDBPyConnection, workdir: WorkDir) -> tuple[dict[str, Array], dict[str, list[str]]]:
    """Return symbol → touches of its newest usable days, in time order, and the days."""
    chosen: dict[str, dict[str, str]] = defaultdict(dict)  # symbol → day → run
    for day, run_id in connection.execute(_USABLE).fetchall():
        for symbol in run_universe(workdir, run_id).symbols:
            chosen[symbol].setdefault(day, run_id)
    wanted: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))  # run → day → symbols
    for symbol, runs in chosen.items():
        for day in sorted(runs)[-DAYS:]:
            wanted[runs[day]][day].append(symbol)
    parts: dict[str, dict[str, Array]] = defaultdict(dict)
    for run_id, days in wanted.items():
        for symbol, day, rows in _run_touches(connection, workdir, run_id, days):
            parts[symbol][day] = rows
    empty = np.zeros(0, TOUCH_DTYPE)
    return (
        {symbol: np.concatenate([empty, *(days[day] for day in sorted(days))]) for symbol, days in parts.items()},
        {symbol: sorted(days) for symbol, days in parts.items()},
    )


def _run_touches(
    connection: duckdb.DuckDBPyConnection, workdir: WorkDir, run_id: str, days: Mapping[str, list[str]]
) -> list[tuple[str, str, Array]]:
    """Return (symbol, day, touches) of a run: its events are followed from the start, as a book needs."""
    universe = run_universe(workdir, run_id)
    path = TouchPath(len(universe))
    kept: dict[tuple[str, str], list[Array]] = {(s, day): [] for day, symbols in days.items() for s in symbols}
    for _, events in event_batches(connection, run_id, max(days)):
        rows = path.run(events)
        number = rows["ts_event"] // NS_PER_DAY
        for (symbol, day), parts in kept.items():
            is_of = (number == int(np.datetime64(day, "D").astype(np.int64))) & (
                rows["instrument_id"] == universe.index(symbol)
            )
            parts.append(rows[is_of])
    found = []
    for (symbol, day), parts in kept.items():
        rows = np.concatenate([np.zeros(0, TOUCH_DTYPE), *parts])
        rows["is_start"][:1] = 1
        found.append((symbol, day, rows))
    return found


def _figures(trial: MicropriceTrial) -> dict[str, Any]:
    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    return {
        "states": trial.states,
        "tested": trial.tested,
        "error_mid": known(trial.error_mid),
        "error_fitted": known(trial.error_fitted),
        "reason": trial.reason,
    }
