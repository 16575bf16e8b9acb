"""Whether the value at risk that the flow journaled was right: its forecasts against what then happened.

A forecast is taken from a row of ``risk_marks`` while something is held, at most one a period, so that no two share a
loss. It is held against two things:

- *positions*: what was held at the mark, left alone, from the mids then to those a period later. That is what is
  forecast, so here the tests judge the forecast (regulators call it the hypothetical profit and loss);
- *equity*: what the account really lost, with what was traded within the period and with all costs, which no forecast
  of the positions held can know. Up to the first mark at or after the period's end; where that one comes much later,
  since nothing was held any more or the market was silent, to the last mark inside the period; without any mark inside
  there is no outcome, and the forecast is left out.

Two periods are judged: the sample interval, that the returns are of, and the risk horizon, that the figures are stated
for: a forecast of the one is that of the other times the root of the time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import Any

import dagster as dg
import duckdb
import numpy as np

from chimera_platform.learning.quotes import QuotePath
from chimera_platform.risk.value_at_risk import METHODS, coverage
from chimera_platform.workdir import WorkDir
from pipelines.rows import event_batches, replace_days, run_universe, tables_by_day
from pipelines.stressing import settings_of
from warehouse.connection import connect

LATE = 1.5
"""A mark later than this, in periods, says nothing of the period any more."""

Array = np.ndarray[Any, Any]

_FORECASTS = """
    SELECT CAST(day AS VARCHAR) AS day, event_no, ts_event, equity_nanos, var_historical, var_cornish_fisher,
        var_filtered
    FROM staging.risk_marks WHERE run_id = ? AND gross_nanos > 0 AND isfinite(var_historical)
    ORDER BY risk_mark_no"""
_EQUITY = """
    SELECT ts_event, arg_max(equity_nanos, (event_no, source, number)) AS equity_nanos FROM (
        SELECT ts_event, event_no, 0 AS source, mark_no AS number, equity_nanos FROM staging.marks WHERE run_id = ?
        UNION ALL
        SELECT ts_event, event_no, 1, risk_mark_no, equity_nanos FROM staging.risk_marks WHERE run_id = ?
    ) GROUP BY ts_event ORDER BY ts_event"""
_FILLS = """
    SELECT event_no, instrument_id, side * size AS lots FROM staging.fills WHERE run_id = ? ORDER BY fill_no"""


class Basis(StrEnum):
    """What a forecast is held against."""

    POSITIONS = "positions"
    EQUITY = "equity"


def judge_live_forecasts(workdir: WorkDir) -> list[dict[str, Any]]:
    """Judge each run's journaled forecasts by every method, write ``learning.live_coverage``, return its rows."""
    connection = connect(workdir)
    try:
        runs = connection.execute("SELECT DISTINCT run_id FROM staging.risk_marks ORDER BY ALL").fetchall()
        rows = [row for (run_id,) in runs for row in _judge_run(connection, workdir, run_id)]
    finally:
        connection.close()
    replace_days(workdir, tables_by_day("live_coverage", rows))
    return rows


def _judge_run(connection: duckdb.DuckDBPyConnection, workdir: WorkDir, run_id: str) -> list[dict[str, Any]]:
    forecasts = connection.execute(_FORECASTS, [run_id]).fetchnumpy()
    if not len(forecasts["day"]):
        return []
    settings = settings_of(workdir, run_id)
    path = connection.execute(_EQUITY, [run_id, run_id]).fetchnumpy()
    fills = connection.execute(_FILLS, [run_id]).fetchnumpy()
    universe = run_universe(workdir, run_id)
    touch = QuotePath(len(universe))
    last_day = connection.execute("SELECT max(CAST(day AS VARCHAR)) FROM staging.events WHERE run_id = ?", [run_id])
    batches = event_batches(connection, run_id, str(last_day.fetchall()[0][0]))
    quotes = np.concatenate([touch.run(events, first) for first, events in batches])
    tick_values = universe.records["tick_value_nanos"].astype(float)
    day, level = str(forecasts["day"][-1]), settings.value_at_risk.var_confidence
    horizon_ns = settings.covariance.risk_horizon_ns
    ts, equity = forecasts["ts_event"], forecasts["equity_nanos"]
    rows = []
    for period_ns in sorted({settings.covariance.sample_interval_ns, horizon_ns}):
        found = {
            Basis.EQUITY: outcomes(ts, equity, path["ts_event"], path["equity_nanos"], period_ns),
            Basis.POSITIONS: held_outcomes(forecasts, fills, quotes, tick_values, period_ns),
        }
        for basis, (chosen, losses, elapsed) in found.items():
            for method in METHODS:
                key = {"run_id": run_id, "day": day, "basis": str(basis), "method": method, "level": level}
                forecast = forecasts[f"var_{method}"][chosen] * np.sqrt(elapsed / horizon_ns)
                rows.append(key | {"period_s": period_ns / 1e9} | coverage_row(losses, forecast, level))
    return rows


def held_outcomes(
    forecasts: Mapping[str, Array], fills: Mapping[str, Array], quotes: Array, tick_values: Array, period_ns: int
) -> tuple[Array, Array, Array]:
    """Choose forecasts that do not overlap and return what the positions held at each then lost.

    Parameters
    ----------
    forecasts : ``event_no``, ``ts_event`` and ``equity_nanos`` of each, ascending; made before that event was applied.
    fills : ``event_no``, ``instrument_id`` and signed ``lots`` of each, ascending.
    quotes : QUOTE_CHANGE_DTYPE, in event order.
    tick_values : of one tick on one lot, nanos; by instrument.

    Returns
    -------
    As :func:`outcomes`; forecasts whose period ends after the last quote, or with a position without any quote, are
    left out.
    """
    ts, at_event = forecasts["ts_event"], forecasts["event_no"]
    last_ts = int(quotes["ts_event"][-1]) if len(quotes) else -1
    chosen, until = [], -1
    for n, start in enumerate(ts.tolist()):
        if start >= until and start + period_ns <= last_ts and forecasts["equity_nanos"][n] > 0:
            chosen.append(n)
            until = start + period_ns
    kept = np.array(chosen, np.int64)
    profits = np.zeros(len(kept))
    for i, tick_value in enumerate(tick_values):
        mine = quotes[(quotes["instrument_id"] == i) & ((quotes["bid_price"] != 0) | (quotes["ask_price"] != 0))]
        traded = fills["instrument_id"] == i
        held = np.concatenate([[0], np.cumsum(fills["lots"][traded])])
        lots = held[np.searchsorted(fills["event_no"][traded], at_event[kept], side="left")].astype(float)
        mids = np.concatenate([[math.nan], (mine["bid_price"] + mine["ask_price"]) / 2.0])
        before = mids[np.searchsorted(mine["event_no"], at_event[kept], side="left")]
        after = mids[np.searchsorted(mine["ts_event"], ts[kept] + period_ns, side="right")]
        profits += np.where(lots == 0.0, 0.0, lots * (after - before) * tick_value)
    known = ~np.isnan(profits)
    losses = -profits / forecasts["equity_nanos"][kept]
    return kept[known], losses[known], np.full(int(known.sum()), float(period_ns))


def outcomes(
    ts: Array, equity: Array, path_ts: Array, path_equity: Array, period_ns: int
) -> tuple[Array, Array, Array]:
    """Choose forecasts that do not overlap and return what followed each.

    Parameters
    ----------
    ts, equity : ns UTC of each forecast, ascending, and equity at it; shape (n,).
    path_ts, path_equity : ns UTC, ascending and distinct, and equity then; shape (m,).

    Returns
    -------
    Indices of the chosen forecasts, the loss that followed as a fraction of equity, and over how long (ns); shape (k,).
    """
    chosen, losses, elapsed = [], [], []
    n = 0
    while n < len(ts):
        start, end = int(ts[n]), int(ts[n]) + period_ns
        after = int(np.searchsorted(path_ts, end, side="left"))
        if after < len(path_ts) and path_ts[after] - start <= LATE * period_ns:
            at, passed = after, int(path_ts[after]) - start
        else:
            at, passed = after - 1, period_ns
        if equity[n] > 0 and at >= 0 and path_ts[at] > start and after < len(path_ts):
            chosen.append(n)
            losses.append(1.0 - float(path_equity[at]) / float(equity[n]))
            elapsed.append(passed)
        n = int(np.searchsorted(ts, start + max(passed, period_ns), side="left"))
    return np.array(chosen, np.int64), np.array(losses, float), np.array(elapsed, float)


def live_markdown(rows: list[dict[str, Any]]) -> dg.MarkdownMetadataValue:
    """Return the rows as a table."""
    lines = [
        "| run | against | method | period, s | forecasts | mean VaR | exceptions | expected | Kupiec p | "
        "Christoffersen p |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        tests = " | ".join("–" if row[name] is None else f"{row[name]:.3f}" for name in ("kupiec_p", "independence_p"))
        mean = "–" if row["mean_forecast"] is None else f"{row['mean_forecast']:.4%}"
        lines.append(
            f"| {row['run_id']} | {row['basis']} | {row['method']} | {row['period_s']:g} | {row['forecasts']} | "
            f"{mean} | {row['exceptions']} | {row['expected']:.1f} | {tests} |"
        )
    return dg.MetadataValue.md("\n".join(lines))


def coverage_row(losses: Array, forecasts: Array, level: float) -> dict[str, Any]:
    """Return the counts and tests of ``learning.live_coverage`` for one series of forecasts, shape (k,)."""
    tested = asdict(coverage(-losses, forecasts, level))
    excess = (losses - forecasts)[losses > forecasts]
    return {
        "forecasts": tested.pop("periods"),
        "mean_forecast": float(forecasts.mean()) if len(forecasts) else None,
        "mean_excess": float(excess.mean()) if len(excess) else None,
        **{name: None if math.isnan(value) else value for name, value in tested.items()},
    }
