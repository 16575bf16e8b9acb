"""Attribution of every run in the warehouse, and the engine weights that follow from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from chimera_platform.execution.records import SIGNAL_ENGINES, Engine
from chimera_platform.learning.attribution import WeightSettings, attribute, engine_weights, trade_returns
from chimera_platform.workdir import WorkDir
from pipelines.rows import Array, as_columns, read_rows, replace_days, run_days, run_universe
from warehouse.connection import connect

_PARTS = ("mid_alpha", "spread", "slippage", "fee", "net")


def attribute_days(workdir: WorkDir, days: list[str] | None = None) -> dict[str, Any]:
    """Split net P&L of the given UTC days (None: all), write ``learning.attribution``, return the totals.

    Returns
    -------
    JSON values: ``rows`` one for each run, day, engine and symbol with money in the instrument's currency, and
    ``engines``: the sums by engine. ``mid_alpha - spread - slippage - fee = net``, exactly, in nanos.
    """
    connection = connect(workdir)
    try:
        runs = run_days(connection, days)
        rows: list[dict[str, Any]] = []
        tables: dict[tuple[str, str], dict[str, pa.Table]] = {}
        for run_id, its_days in runs.items():
            universe = run_universe(workdir, run_id)
            fills = read_rows(connection, "fills", "run_id = ?", [run_id])
            closing = {
                (int(np.datetime64(day, "D").astype(np.int64)), instrument): bid + ask
                for day, instrument, bid, ask in connection.execute(
                    "SELECT CAST(day AS VARCHAR), instrument_id, bid_price, ask_price "
                    "FROM learning.closing_quotes WHERE run_id = ?",
                    [run_id],
                ).fetchall()
            }
            parts = attribute(fills, closing, universe.records)
            for day in its_days:
                of_day = parts[parts["day"] == np.datetime64(day, "D").astype(np.int64)]
                columns = as_columns(of_day).drop_columns(["day"])
                tables[run_id, day] = {"attribution": columns}
                rows += [_row(run_id, day, universe.symbols[row["instrument_id"]], row) for row in of_day]
    finally:
        connection.close()
    replace_days(workdir, tables)
    return {"rows": rows, "engines": _by_engine(rows)}


def _row(run_id: str, day: str, symbol: str, row: Any) -> dict[str, Any]:
    head = {"run_id": run_id, "day": day, "engine": Engine(row["engine"]).name.lower(), "symbol": symbol}
    counts = {"fills": int(row["fills"]), "closed_trades": int(row["closed_trades"])}
    return head | counts | {f"{part}_nanos": int(row[f"{part}_nanos"]) for part in _PARTS}


def _by_engine(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    sums: dict[str, dict[str, float]] = {}
    for row in rows:
        total = sums.setdefault(row["engine"], dict.fromkeys(("fills", "closed_trades", *_PARTS), 0))
        for name in ("fills", "closed_trades"):
            total[name] += row[name]
        for part in _PARTS:
            total[part] += row[f"{part}_nanos"]
    for total in sums.values():
        for part in _PARTS:
            total[part] /= 1e9
    return sums


_UNFIT_INTENTS = """
    SELECT f.intent_no FROM staging.fills AS f
    JOIN learning.data_quality AS q ON q.run_id = f.run_id AND q.day = f.day AND q.quarantined
    WHERE f.run_id = ?"""


def weights_from_fills(workdir: WorkDir, settings: WeightSettings | None = None) -> dict[str, Any]:
    """Return the engine weights that the closed trades of all runs speak for, and how many trades there are.

    A trade with a fill on a quarantined day does not count, and no hedge does.
    """
    connection = connect(workdir)
    try:
        returns: dict[int, list[Array]] = {int(engine): [] for engine in SIGNAL_ENGINES}
        for run_id in run_days(connection):
            fills = read_rows(connection, "fills", f"run_id = ? AND intent_no NOT IN ({_UNFIT_INTENTS})", [run_id] * 2)
            found = trade_returns(fills, run_universe(workdir, run_id).records)
            for engine, parts in returns.items():
                parts.append(found[engine])
    finally:
        connection.close()
    pooled = {engine: np.concatenate([np.zeros(0), *parts]) for engine, parts in returns.items()}
    return {
        "weights": engine_weights(pooled, settings),
        "trades": {Engine(engine).name.lower(): len(trades) for engine, trades in pooled.items()},
        "mean_bps": {
            Engine(engine).name.lower(): float(trades.mean()) if len(trades) else 0.0
            for engine, trades in pooled.items()
        },
    }
