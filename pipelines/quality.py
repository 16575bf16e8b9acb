"""Is a day's data fit to learn from: what is wrong with it, counted, and held against limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import duckdb
import numpy as np
import pyarrow as pa
from pydantic import Field

from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.market.book import apply_events, new_books
from chimera_platform.settings import Settings
from chimera_platform.workdir import WorkDir
from pipelines.rows import Array, event_batches, replace_days, run_days, run_universe
from warehouse.connection import connect

_COUNTERS = ("events", "gaps", "crossed", "unmatched")


class QualitySettings(Settings):
    """How much of what is wrong with a day is too much to learn from it."""

    missing_rows_max: int = Field(0, ge=0, le=10**12, description="event numbers that are not there")
    duplicate_rows_max: int = Field(0, ge=0, le=10**12, description="event numbers that are there twice")
    clock_reversals_share_max: float = Field(0.001, ge=0.0, le=1.0, description="share of rows that step back in time")
    gaps_max: int = Field(20, ge=0, le=10**9, description="losses reported by the feed")
    crossed_share_max: float = Field(0.01, ge=0.0, le=1.0, description="share of source events with a crossed book")
    unmatched_share_max: float = Field(0.05, ge=0.0, le=1.0, description="share of records that do not fit the book")


@dataclass(frozen=True)
class DayQuality:
    """What was found in one run's day, as in ``learning.data_quality``."""

    run_id: str
    day: str
    events: int
    source_events: int
    missing_rows: int
    duplicate_rows: int
    clock_reversals: int
    gaps: int
    crossed: int
    unmatched: int
    reasons: str

    @property
    def quarantined(self) -> bool:
        """Whether the day is kept out of training."""
        return bool(self.reasons)


def inspect_days(
    workdir: WorkDir, days: Sequence[str] | None = None, settings: QualitySettings | None = None
) -> list[DayQuality]:
    """Inspect the events of the given days (None: all) and write ``learning.data_quality``."""
    settings = settings or QualitySettings.model_validate({})
    connection = connect(workdir)
    try:
        found = [
            quality
            for run_id, its_days in run_days(connection, days).items()
            for quality in _inspect_run(connection, workdir, run_id, its_days, settings)
        ]
    finally:
        connection.close()
    replace_days(workdir, {(quality.run_id, quality.day): {"data_quality": _as_table(quality)} for quality in found})
    return found


def _as_table(quality: DayQuality) -> pa.Table:
    row = {k: v for k, v in asdict(quality).items() if k not in ("run_id", "day")}
    return pa.Table.from_pylist([row | {"quarantined": quality.quarantined}])


def _inspect_run(
    connection: duckdb.DuckDBPyConnection, workdir: WorkDir, run_id: str, days: list[str], settings: QualitySettings
) -> list[DayQuality]:
    books = new_books(len(run_universe(workdir, run_id)))
    wanted = {int(np.datetime64(day, "D").astype(np.int64)): day for day in days}
    totals = {day: np.zeros(len(_COUNTERS), np.int64) for day in wanted}
    reversals = dict.fromkeys(wanted, 0)
    before = 0
    for _, events in event_batches(connection, run_id, max(days)):
        steps_back = np.diff(events["ts_event"], prepend=before) < 0
        before = int(events["ts_event"][-1])
        day_of = events["ts_event"] // NS_PER_DAY
        for part in np.split(np.arange(len(events)), np.flatnonzero(np.diff(day_of)) + 1):
            start = _counters(books)
            apply_events(books, events[part[0] : part[-1] + 1])
            day = int(day_of[part[0]])
            if day in wanted:
                totals[day] += _counters(books) - start
                reversals[day] += int(steps_back[part].sum())
    return [
        _judge(run_id, name, totals[day], reversals[day], _row_numbers(connection, run_id, name), settings)
        for day, name in wanted.items()
    ]


def _counters(books: Array) -> Array:
    return np.array([books[name].sum() for name in _COUNTERS], np.int64)


def _row_numbers(connection: duckdb.DuckDBPyConnection, run_id: str, day: str) -> tuple[int, int, int]:
    """Return (rows, missing, duplicate) of a day's event numbers, against the ledger's ranges."""
    rows, distinct = connection.execute(
        "SELECT count(*), count(DISTINCT event_no) FROM staging.events WHERE run_id = ? AND day = ?::DATE",
        [run_id, day],
    ).fetchall()[0]
    sealed = connection.execute(
        "SELECT coalesce(sum(last_row - first_row + 1), 0)::BIGINT FROM staging.segments "
        "WHERE table_name = 'events' AND run_id = ? AND day = ?::DATE",
        [run_id, day],
    ).fetchall()[0][0]
    return rows, max(0, sealed - distinct), rows - distinct


def _judge(
    run_id: str,
    day: str,
    counters: Array,
    reversals: int,
    numbers: tuple[int, int, int],
    settings: QualitySettings,
) -> DayQuality:
    source_events, gaps, crossed, unmatched = counters.tolist()
    rows, missing, duplicates = numbers
    limits = {
        "missing rows": (missing, settings.missing_rows_max),
        "duplicate rows": (duplicates, settings.duplicate_rows_max),
        "clock reversals": (reversals, settings.clock_reversals_share_max * rows),
        "gaps": (gaps, settings.gaps_max),
        "crossed books": (crossed, settings.crossed_share_max * source_events),
        "records that do not fit the book": (unmatched, settings.unmatched_share_max * rows),
    }
    reasons = "; ".join(
        f"{name}: {value}, at most {limit:g}" for name, (value, limit) in limits.items() if value > limit
    )
    return DayQuality(
        run_id, day, rows, source_events, missing, duplicates, reversals, gaps, crossed, unmatched, reasons
    )


def quarantine(workdir: WorkDir, days: Sequence[str] | None = None) -> tuple[list[str], int]:
    """Return why which of the inspected days (None: all) are quarantined, and how many runs' days are usable."""
    where = "" if days is None else "WHERE day IN (SELECT unnest(?::DATE[]))"
    connection = connect(workdir)
    try:
        rows = connection.execute(
            "SELECT CAST(day AS VARCHAR), run_id, quarantined, reasons "
            f"FROM learning.data_quality {where} ORDER BY ALL",
            [] if days is None else [list(days)],
        ).fetchall()
    finally:
        connection.close()
    bad = [f"{day}, run {run_id}: {reasons}" for day, run_id, quarantined, reasons in rows if quarantined]
    return bad, len(rows) - len(bad)


def uninspected_days(workdir: WorkDir) -> list[str]:
    """Return the UTC days on which some run has other events than have been inspected."""
    connection = connect(workdir)
    try:
        query = """
            SELECT DISTINCT CAST(s.day AS VARCHAR)
            FROM (
                SELECT run_id, day, sum(last_row - first_row + 1) AS events
                FROM staging.segments WHERE table_name = 'events' GROUP BY ALL
            ) AS s
            LEFT JOIN learning.data_quality AS q ON q.run_id = s.run_id AND q.day = s.day
            WHERE q.events IS DISTINCT FROM s.events ORDER BY ALL"""
        return [day for (day,) in connection.execute(query).fetchall()]
    finally:
        connection.close()
