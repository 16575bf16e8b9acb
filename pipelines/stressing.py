"""Stress scenarios on what every run held at the end of each UTC day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb
import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.journal.manifest import RunManifest
from chimera_platform.risk.stress import StressScenario, apply_stress, new_stress, stress_record
from chimera_platform.workdir import WorkDir
from pipelines.rows import replace_days, run_days, run_universe, tables_by_day
from warehouse.connection import connect

VOLATILITY_MINUTES = 500  # returns that a volatility is measured from, up to the day's end
RETURNS_MIN = 20  # below that a volatility is unknown
_MINUTE_NS = 60_000_000_000
Array = np.ndarray[Any, Any]
_SECTIONS = ("covariance", "value_at_risk", "stress", "account")

_LOTS = """
    SELECT CAST(day AS VARCHAR), instrument_id, sum(side * size)::BIGINT
    FROM staging.fills WHERE run_id = ? GROUP BY ALL"""
_QUOTES = """
    SELECT CAST(day AS VARCHAR), instrument_id, bid_price, ask_price FROM learning.closing_quotes WHERE run_id = ?"""
_EQUITY = """
    SELECT CAST(day AS VARCHAR), arg_max(equity_nanos, mark_no) FROM staging.marks WHERE run_id = ? GROUP BY ALL"""
_VOLATILITIES = f"""
    WITH closes AS (
        SELECT instrument_id, day, ts_ns, close, basis = min(basis) OVER (PARTITION BY instrument_id) AS is_best
        FROM core.bars_1m WHERE run_id = ? AND close > 0
    ),
    changes AS (
        SELECT instrument_id, day, ts_ns,
            ln(close / lag(close) OVER one) AS change,
            ts_ns - lag(ts_ns) OVER one AS apart
        FROM closes WHERE is_best
        WINDOW one AS (PARTITION BY instrument_id ORDER BY ts_ns)
    ),
    volatilities AS (
        SELECT instrument_id, day, ts_ns,
            sqrt(avg(change * change) OVER recent) AS volatility,
            count(*) OVER recent AS n
        FROM changes WHERE apart = {_MINUTE_NS}
        WINDOW recent AS (PARTITION BY instrument_id ORDER BY ts_ns ROWS {VOLATILITY_MINUTES - 1} PRECEDING)
    )
    SELECT CAST(day AS VARCHAR), instrument_id, arg_max(volatility, ts_ns) FILTER (n >= {RETURNS_MIN})
    FROM volatilities GROUP BY ALL"""


@dataclass(frozen=True)
class DayEnd:
    """What an account held at a day's end, and what its instruments were worth and did; arrays by instrument.

    Attributes
    ----------
    values : signed market value of the net position at the closing mid, nanos; NaN where held without any quote.
    half_spreads : half of the closing spread, fraction of the mid.
    volatilities : of the return over the risk horizon.
    """

    values: Array
    half_spreads: Array
    volatilities: Array
    equity_nanos: int


def stress_days(workdir: WorkDir) -> list[dict[str, Any]]:
    """Apply every scenario to each run's positions at each day's end, write ``learning.stress``, return its rows.

    Positions are those of all engines together, from the fills; prices are the day's closing quotes, or the last ones
    before; volatilities those of one-minute returns (of quotes, else of trades) over the latest
    :data:`VOLATILITY_MINUTES`, times the root of the run's risk horizon. Settings are the run's own.
    """
    connection = connect(workdir)
    try:
        rows = [
            {"run_id": run_id, "day": day} | row
            for run_id, days in run_days(connection).items()
            for day, end, settings in _day_ends(connection, workdir, run_id, days)
            for row in stress_rows(end, settings)
        ]
    finally:
        connection.close()
    replace_days(workdir, tables_by_day("stress", rows))
    return rows


def stress_rows(end: DayEnd, settings: Configuration) -> list[dict[str, Any]]:
    """Return the columns of ``learning.stress`` but run and day, one row a scenario."""
    stress, record = new_stress(), stress_record(settings.stress, settings.value_at_risk.var_confidence)
    equity = float(end.equity_nanos)
    apply_stress(stress[0], end.values, end.half_spreads, end.volatilities, equity, record[0])
    gross, net = float(np.abs(end.values).sum()), float(end.values.sum())
    return [
        {
            "scenario": str(scenario),
            "loss": _known(float(stress[0][scenario])),
            "equity_nanos": end.equity_nanos,
            "gross_nanos": None if math.isnan(gross) else round(gross),
            "net_nanos": None if math.isnan(net) else round(net),
            "instruments": int(np.count_nonzero(end.values)),
        }
        for scenario in StressScenario
    ]


def _known(figure: float) -> float | None:
    return None if math.isnan(figure) else figure


def settings_of(workdir: WorkDir, run_id: str) -> Configuration:
    """Return the run's own settings of risk; the built-in ones of what it did not know."""
    known = RunManifest.read(workdir.run_folder(run_id)).configuration
    return Configuration.model_validate({name: known[name] for name in _SECTIONS if name in known})


def _day_ends(
    connection: duckdb.DuckDBPyConnection, workdir: WorkDir, run_id: str, days: Sequence[str]
) -> list[tuple[str, DayEnd, Configuration]]:
    settings, universe = settings_of(workdir, run_id), run_universe(workdir, run_id)

    def by_day(query: str) -> Array:
        rows = connection.execute(query, [run_id]).fetchall()
        return _by_day(rows, days, len(universe))

    lots = np.nan_to_num(by_day(_LOTS)[:, :, 0]).cumsum(axis=0)
    quotes, volatilities = _carried(by_day(_QUOTES)), _carried(by_day(_VOLATILITIES))[:, :, 0]
    sums, spreads = np.abs(quotes.sum(axis=2)), quotes[:, :, 1] - quotes[:, :, 0]
    worth = lots * sums / 2.0 * universe.records["tick_value_nanos"].astype(float)
    values = np.where(lots == 0.0, 0.0, worth)
    volatilities *= math.sqrt(settings.covariance.risk_horizon_ns / _MINUTE_NS)
    found, equity = [], settings.account.starting_equity_nanos
    at_close = {str(day): int(nanos) for day, nanos in connection.execute(_EQUITY, [run_id]).fetchall()}
    for n, day in enumerate(days):
        equity = at_close.get(day, equity)
        found.append((day, DayEnd(values[n], spreads[n] / sums[n], volatilities[n], equity), settings))
    return found


def _by_day(rows: Sequence[tuple[Any, ...]], days: Sequence[str], instruments: int) -> Array:
    """Return rows (day, instrument, figures…) as f8 (days, instruments, figures), NaN where there is none."""
    width = len(rows[0]) - 2 if rows else 2
    table = np.full((len(days), instruments, width), np.nan)
    number = {day: n for n, day in enumerate(days)}
    for day, instrument, *figures in rows:
        if day in number:
            table[number[day], instrument] = [math.nan if figure is None else figure for figure in figures]
    return table


def _carried(table: Array) -> Array:
    """Return ``table`` with each missing figure replaced by that of the latest day before, along the first axis."""
    filled = table.copy()
    for n in range(1, len(filled)):
        filled[n] = np.where(np.isnan(filled[n]), filled[n - 1], filled[n])
    return filled


def stress_markdown(rows: list[dict[str, Any]]) -> dg.MarkdownMetadataValue:
    """Return the losses as a table, one row a day."""
    lines = ["| run | day | instruments | " + " | ".join(StressScenario) + " |", "|---|---|---|" + "---|" * 4]
    by_day: dict[tuple[str, str, int], list[str]] = {}
    for row in rows:
        loss = "–" if row["loss"] is None else f"{row['loss']:.4%}"
        by_day.setdefault((row["run_id"], row["day"], row["instruments"]), []).append(loss)
    lines += [f"| {run} | {day} | {held} | " + " | ".join(losses) + " |" for (run, day, held), losses in by_day.items()]
    return dg.MetadataValue.md("\n".join(lines))
