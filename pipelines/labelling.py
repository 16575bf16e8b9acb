"""Labelling a day's intents from the warehouse's events, and checking the recorded features on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa

from chimera_platform.execution.records import Engine
from chimera_platform.journal.manifest import RunManifest
from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.learning.labels import LabelSettings, is_labelled, label_intents
from chimera_platform.learning.quotes import QUOTE_CHANGE_DTYPE, QuotePath
from chimera_platform.microstructure.feature_names import FEATURE_COUNT
from chimera_platform.releases import ReleaseStore
from chimera_platform.workdir import WorkDir
from pipelines.feature_replay import FeatureReplay, release_changes
from pipelines.quality import quarantined_days
from pipelines.rows import Array, as_columns, event_batches, read_rows, replace_days, run_days, run_universe
from warehouse.connection import connect

_LAST_EVENT = "SELECT max(last_row) FROM staging.segments WHERE table_name = 'events' AND run_id = ?"


@dataclass(frozen=True)
class DayLabels:
    """What labelling one run's day gave."""

    run_id: str
    day: str
    intents: int
    labelled: int
    won: int
    net_bps_mean: float
    features_differ: int


@dataclass
class _MarketDay:
    """What a day's labels need of its events."""

    end_ns: int = 0
    features: list[Array] = field(default_factory=list)


def label_days(workdir: WorkDir, days: Sequence[str] | None = None) -> list[DayLabels]:
    """Label the intents of the given UTC days (None: all) and replace them in ``learning.labelled_intents``.

    Hedges are left out: they rest on no features and forecast nothing.

    A run's events are followed from its start, because a book is the sum of all that came before. A quarantined day
    gets no labels, only its closing quotes: money was made or lost on it all the same.
    """
    connection = connect(workdir)
    try:
        unfit = quarantined_days(connection)
        done: list[DayLabels] = []
        tables: dict[tuple[str, str], dict[str, pa.Table]] = {}
        for run_id, its_days in run_days(connection, days).items():
            unfit_days = {day for day in its_days if (run_id, day) in unfit}
            for result, columns in _label_run(connection, workdir, run_id, its_days, unfit_days):
                done.append(result)
                tables[run_id, result.day] = columns
    finally:
        connection.close()
    replace_days(workdir, tables)
    return done


def unlabelled_days(workdir: WorkDir) -> list[str]:
    """Return the UTC days on which some run has other labels than intents, or any although it is quarantined."""
    connection = connect(workdir)
    try:
        query = f"""
            SELECT DISTINCT CAST(s.day AS VARCHAR) FROM staging.segments AS s
            LEFT JOIN (SELECT run_id, day, count(*) AS n FROM learning.labelled_intents GROUP BY ALL) AS l
                ON l.run_id = s.run_id AND l.day = s.day
            LEFT JOIN (
                SELECT run_id, day, count(*) AS n FROM staging.intents
                WHERE engine <> {int(Engine.HEDGE)} GROUP BY ALL
            ) AS i
                ON i.run_id = s.run_id AND i.day = s.day
            LEFT JOIN (SELECT DISTINCT run_id, day FROM learning.closing_quotes) AS q
                ON q.run_id = s.run_id AND q.day = s.day
            LEFT JOIN (SELECT run_id, day FROM learning.data_quality WHERE quarantined) AS u
                ON u.run_id = s.run_id AND u.day = s.day
            WHERE s.table_name = 'events'
                AND (q.day IS NULL OR coalesce(l.n, 0) <> CASE WHEN u.day IS NULL THEN coalesce(i.n, 0) ELSE 0 END)
            ORDER BY ALL"""
        return [day for (day,) in connection.execute(query).fetchall()]
    finally:
        connection.close()


def _label_run(
    connection: duckdb.DuckDBPyConnection, workdir: WorkDir, run_id: str, days: list[str], unfit_days: set[str]
) -> Iterator[tuple[DayLabels, dict[str, pa.Table]]]:
    universe = run_universe(workdir, run_id)
    manifest = RunManifest.read(workdir.run_folder(run_id))
    latency = manifest.configuration.get("venue", {}).get("order_latency_ns", 0)
    settings = LabelSettings(entry_latency_ns=int(latency))
    known = f"event_no <= ({_LAST_EVENT})"  # a running flow may have sealed intents before their events
    intents = {
        _day_number(day): read_rows(
            connection,
            "intents",
            f"run_id = ? AND day = ?::DATE AND engine <> {int(Engine.HEDGE)} AND {known}",
            [run_id, day, run_id],
        )[: 0 if day in unfit_days else None]
        for day in days
    }
    replay = FeatureReplay(universe, release_changes(connection, run_id), ReleaseStore(workdir.releases))
    market, quotes = _follow_market(connection, run_id, max(days), replay, intents)
    for number, day in ((_day_number(day), day) for day in days):
        of_day = intents[number]
        labels = label_intents(of_day, quotes, market[number].end_ns, universe.records, settings)
        equal = _same_features(of_day, market[number].features)
        carried = labels[is_labelled(labels)]
        result = DayLabels(
            run_id=run_id,
            day=day,
            intents=len(of_day),
            labelled=len(carried),
            won=int(carried["won"].sum()),
            net_bps_mean=float(carried["net_bps"].mean()) if len(carried) else 0.0,
            features_differ=int((~equal).sum()),
        )
        yield (
            result,
            {
                "labelled_intents": as_columns(labels, features_equal=equal),
                "closing_quotes": _closing_quotes(quotes, market[number].end_ns),
            },
        )


def _follow_market(
    connection: duckdb.DuckDBPyConnection, run_id: str, last_day: str, replay: FeatureReplay, intents: dict[int, Array]
) -> tuple[dict[int, _MarketDay], Array]:
    """Run the events once; return what each wanted day needs, and all changes of the touch."""
    path = QuotePath(len(replay.universe))
    market = {day: _MarketDay() for day in intents}
    changes = [np.zeros(0, QUOTE_CHANGE_DTYPE)]
    for first, events in event_batches(connection, run_id, last_day):
        changes.append(path.run(events, first))
        positions, values = replay.run(events, first)
        day_of = events["ts_event"] // NS_PER_DAY
        for day in intents.keys() & set(np.unique(day_of).tolist()):
            market[day].end_ns = max(market[day].end_ns, int(events["ts_event"][day_of == day].max()))
            inside = (intents[day]["event_no"] >= first) & (intents[day]["event_no"] < first + len(events))
            rows = np.searchsorted(positions, intents[day]["event_no"][inside] - first)
            market[day].features.append(values[rows].copy())
    return market, np.concatenate(changes)


def _same_features(intents: Array, recomputed: list[Array]) -> Array:
    """Return whether each intent's recorded features equal the recomputed ones, undefined ones included."""
    values = np.concatenate([np.zeros((0, FEATURE_COUNT)), *recomputed])
    if len(values) != len(intents):
        return np.zeros(len(intents), np.bool_)
    recorded = intents["features"]
    return np.asarray(((recorded == values) | (np.isnan(recorded) & np.isnan(values))).all(axis=1))


def _closing_quotes(quotes: Array, end_ns: int) -> pa.Table:
    known = quotes[quotes["ts_event"] <= end_ns]
    rows = []
    for instrument in np.unique(known["instrument_id"]):
        mine = known[(known["instrument_id"] == instrument) & (known["bid_price"] > 0)]
        if len(mine):
            rows.append((int(instrument), int(mine["bid_price"][-1]), int(mine["ask_price"][-1])))
    names = ("instrument_id", "bid_price", "ask_price")
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    return pa.table({name: pa.array(column, pa.int64()) for name, column in zip(names, columns, strict=True)})


def _day_number(day: str) -> int:
    return int(np.datetime64(day, "D").astype(np.int64))
