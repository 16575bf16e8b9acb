"""Running the detectors over the warehouse's events: what they said, and what the price did afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from chimera_platform.configuration import Configuration
from chimera_platform.journal.manifest import RunManifest
from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.market.city_sessions import city_sessions
from chimera_platform.signals.detector_stream import DetectorStream
from chimera_platform.signals.detectors import DetectorSettings
from chimera_platform.signals.directional import SIGNALS, directions, signal_numbers
from chimera_platform.signals.forward_returns import HORIZONS_NS, OUTCOME_DTYPE, ForwardReturns
from chimera_platform.signals.records import DETECTION_DTYPE
from chimera_platform.signals.regime_path import RegimePath
from chimera_platform.workdir import WorkDir
from pipelines.rows import Array, days_behind, event_batches, replace_days, run_days, run_universe
from warehouse.connection import connect

_MINUTE_NS = 60_000_000_000
_SECTIONS = ("detectors", "timeframes", "regime")
CHANGE_COLUMNS = tuple(f"change_{h // 1_000_000_000}s" for h in HORIZONS_NS)


@dataclass(frozen=True)
class DayDetections:
    """What the detectors said in one run's day: confirmed detections by signal's name."""

    run_id: str
    day: str
    events: int
    rows: int
    signals: dict[str, int]


def detect_days(workdir: WorkDir, days: Sequence[str] | None = None) -> list[DayDetections]:
    """Run the detectors over the given UTC days (None: all) and replace them in the three tables of detections.

    A run's events are followed from its start, because a book is the sum of all that came before. The detectors'
    settings are those that the run itself had in force.
    """
    connection = connect(workdir)
    try:
        done: list[DayDetections] = []
        tables: dict[tuple[str, str], dict[str, pa.Table]] = {}
        for run_id, its_days in run_days(connection, days).items():
            settings = _settings_of(workdir, run_id)
            count = len(run_universe(workdir, run_id))
            market = _follow(connection, workdir, run_id, max(its_days), settings)
            for day in its_days:
                columns = _day_tables(market, day, settings.detectors, count)
                tables[run_id, day] = columns
                done.append(_summary(run_id, day, columns))
    finally:
        connection.close()
    replace_days(workdir, tables)
    return done


def undetected_days(workdir: WorkDir) -> list[str]:
    """Return the UTC days on which some run has other events than the detectors have been through."""
    return days_behind(workdir, "learning.detection_days")


@dataclass(frozen=True)
class _Market:
    """What a run's days need of its events: rows in stream order, and by day how many there were and until when."""

    detections: Array  # DETECTION_DTYPE
    regimes: Array  # in force at each detection
    outcomes: Array  # OUTCOME_DTYPE, of the detections, then of any second
    free_regimes: Array  # at any second's moment
    events: dict[int, int]
    last_ts: dict[int, int]


def _settings_of(workdir: WorkDir, run_id: str) -> Configuration:
    """Return the run's own settings of what is used here; the built-in ones of what it did not know."""
    known = RunManifest.read(workdir.run_folder(run_id)).configuration
    return Configuration.model_validate({name: known[name] for name in _SECTIONS if name in known})


def _follow(
    connection: duckdb.DuckDBPyConnection, workdir: WorkDir, run_id: str, last_day: str, settings: Configuration
) -> _Market:
    """Run the events once through detectors, prices and regimes."""
    universe = run_universe(workdir, run_id)
    count = len(universe)
    detectors, prices = DetectorStream(universe, settings.detectors), ForwardReturns(count)
    regime = RegimePath(count, settings.timeframes, settings.regime)
    said, regimes, outcomes = [np.zeros(0, DETECTION_DTYPE)], [np.zeros(0, np.int64)], [np.zeros(0, OUTCOME_DTYPE)]
    began: list[Array] = []
    totals: dict[int, int] = {}
    last_ts: dict[int, int] = {}
    for first, events in event_batches(connection, run_id, last_day):
        rows = detectors.run(events, first)
        in_force = regime.run(events, first)
        outcomes.append(prices.run(events, first, rows))
        said.append(rows)
        regimes.append(in_force[rows["event_no"] - first])
        began.append(_regime_changes(events, in_force))
        day_of = events["ts_event"] // NS_PER_DAY
        for day in np.unique(day_of).tolist():
            inside = events["ts_event"][day_of == day]
            totals[day] = totals.get(day, 0) + len(inside)
            last_ts[day] = max(last_ts.get(day, 0), int(inside.max()))
    outcomes.append(prices.finish())
    found = np.concatenate(outcomes)
    _forget_beyond_the_day(found, last_ts)
    own, free = found[found["number"] >= 0], found[found["number"] < 0]
    free = free[np.lexsort((free["instrument_id"], free["ts_event"]))]
    return _Market(
        np.concatenate(said),
        np.concatenate(regimes),
        np.concatenate([own[np.argsort(own["number"])], free]),
        _regimes_at(free, began),
        totals,
        last_ts,
    )


def _forget_beyond_the_day(outcomes: Array, last_ts: dict[int, int]) -> None:
    """Make unknown what is only known because the run went on after the day."""
    days, which = np.unique(outcomes["ts_event"] // NS_PER_DAY, return_inverse=True)
    until = np.array([last_ts[day] for day in days.tolist()], np.int64)
    for h, horizon in enumerate(HORIZONS_NS):
        if len(outcomes):
            outcomes["change"][outcomes["ts_event"] + horizon > until[which], h] = np.nan


def _regime_changes(events: Array, in_force: Array) -> Array:
    """Return (instrument, time, regime) rows, int64 (n, 3): each instrument's first of the batch and each change."""
    rows = []
    for k in np.unique(events["instrument_id"]).tolist():
        mine = np.flatnonzero(events["instrument_id"] == k)
        own = in_force[mine]
        at = np.flatnonzero(np.diff(own, prepend=own[0] - 1) != 0)
        rows.append(np.column_stack([np.full(len(at), k), events["ts_event"][mine[at]], own[at]]))
    return np.concatenate(rows)


def _regimes_at(free: Array, began: list[Array]) -> Array:
    """Return the regime in force at each unconditional moment."""
    changes, regimes = np.concatenate([np.zeros((0, 3), np.int64), *began]), np.full(len(free), -1, np.int64)
    for k in np.unique(free["instrument_id"]).tolist():
        own, mine = changes[changes[:, 0] == k], free["instrument_id"] == k
        at = np.searchsorted(np.maximum.accumulate(own[:, 1]), free["ts_event"][mine], "right") - 1
        regimes[mine] = own[np.maximum(at, 0), 2]
    return regimes


def _day_tables(market: _Market, day: str, settings: DetectorSettings, instruments: int) -> dict[str, pa.Table]:
    number = int(np.datetime64(day, "D").astype(np.int64))
    said = market.detections["ts_event"] // NS_PER_DAY == number
    count = len(market.detections)
    own, free = market.outcomes[:count][said], market.outcomes[count:]
    chosen = free["ts_event"] // NS_PER_DAY == number
    rows = market.detections[said]
    ledger = {
        "events": [market.events.get(number, 0)],
        "detections": [len(rows)],
        "settings": [json.dumps(settings.model_dump(mode="json"), sort_keys=True)],
    }
    return {
        "detection_days": pa.table(ledger),
        "detections": _detections(rows, market.regimes[said], own),
        "price_changes": _price_changes(free[chosen], market.free_regimes[chosen], instruments),
    }


def _detections(rows: Array, regimes: Array, outcomes: Array) -> pa.Table:
    signals = signal_numbers(rows)
    names = np.array([*(signal.name for signal in SIGNALS), None], object)
    columns: dict[str, Any] = {
        name: pa.array(rows[name].astype(np.int64))
        for name in (
            "event_no",
            "ts_event",
            "instrument_id",
            "detector",
            "stage",
            "side",
            "detection_no",
            "ts_start",
            "price_low",
            "price_high",
            "size",
        )
    }
    columns["strength"] = pa.array(rows["strength"])
    for k in range(rows["evidence"].shape[1]):
        columns[f"evidence_{k + 1}"] = pa.array(rows["evidence"][:, k].copy())
    columns["direction"] = pa.array(directions(rows, signals).astype(np.int64))
    columns["signal"] = pa.array(names[signals].tolist(), pa.string())
    columns["session"] = pa.array(city_sessions(rows["ts_event"]))
    columns["regime"] = pa.array(regimes)
    columns["mid"] = pa.array(0.5 * outcomes["mid2"], mask=outcomes["mid2"] == 0)
    columns["spread"] = pa.array(outcomes["spread"].copy())
    for h, name in enumerate(CHANGE_COLUMNS):
        change = outcomes["change"][:, h].copy()
        columns[name] = pa.array(change, mask=np.isnan(change))
    return pa.table(columns)


def _price_changes(free: Array, regimes: Array, instruments: int) -> pa.Table:
    """Return the sums by minute, instrument and horizon of the unconditional moments, in time order."""
    minute = free["ts_event"] // _MINUTE_NS
    keys, first, at = np.unique(minute * instruments + free["instrument_id"], return_index=True, return_inverse=True)
    parts = []
    for h, horizon in enumerate(HORIZONS_NS):
        change = free["change"][:, h]
        known = ~np.isnan(change)
        moments = np.bincount(at, known, len(keys)).astype(np.int64)
        columns = {
            "instrument_id": keys % instruments,
            "minute_ts": keys // instruments * _MINUTE_NS,
            "horizon_s": np.full(len(keys), horizon // 1_000_000_000),
            "session": city_sessions(free["ts_event"][first]),
            "regime": regimes[first],
            "moments": moments,
            "ups": np.bincount(at, change > 0, len(keys)).astype(np.int64),
            "downs": np.bincount(at, change < 0, len(keys)).astype(np.int64),
            "ticks": np.bincount(at, np.where(known, change, 0.0), len(keys)),
        }
        parts.append(pa.table({name: pa.array(np.asarray(values)) for name, values in columns.items()}))
    return pa.concat_tables(parts)


def _summary(run_id: str, day: str, columns: dict[str, pa.Table]) -> DayDetections:
    said = columns["detections"]["signal"].to_pylist()
    counts = {signal.name: said.count(signal.name) for signal in SIGNALS}
    events = columns["detection_days"]["events"][0].as_py()
    return DayDetections(run_id, day, events, columns["detections"].num_rows, counts)
