"""Reports of what a flow recorded: a run's whole journal, or one UTC day of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chimera_platform.digest import digest_of
from chimera_platform.engines.step import writable
from chimera_platform.errors import DataError
from chimera_platform.journal.reader import JournalReader
from chimera_platform.journal.schema import day_name
from chimera_platform.journal.source import run_instruments
from chimera_platform.market.instruments import Universe
from chimera_platform.portfolio.daily_returns import daily_equity
from chimera_platform.portfolio.event_time import DAY_DTYPE, DAY_NS, event_days, merge_days
from chimera_platform.portfolio.market_path import MarketObserver, MarketPaths, market_activity
from chimera_platform.portfolio.monte_carlo import monte_carlo
from chimera_platform.portfolio.performance import measure
from chimera_platform.portfolio.trade_moves import trade_moves
from chimera_platform.portfolio.trades import trades_of
from chimera_platform.simulation.report.page import write_page
from chimera_platform.simulation.report.reported_run import ReportedRun
from chimera_platform.workdir import WorkDir

Array = np.ndarray[Any, Any]
_BATCH = 65_536
_TABLES = ("intents", "decisions", "orders", "fills", "marks")
_WHOLE_TRADE = ("ts_open", "size", "position", "reason", "regime")


@dataclass(frozen=True)
class WrittenReport:
    """A page that was written.

    Attributes
    ----------
    run_id, day : what it is about; the day is None for a whole run.
    path : the page.
    run : the figures in it.
    """

    run_id: str
    day: str | None
    path: Path
    run: ReportedRun


def write_recorded_reports(workdir: WorkDir, day: str | None = None, seed: int = 7) -> list[WrittenReport]:
    """Write a page for each run in the journal, or for each that has events of ``day`` (``YYYY-MM-DD``).

    Raises
    ------
    DataError
        If there is no run, or none with events of the day, naming the days that there are.
    JournalError
        If the journal is damaged.
    """
    readers = [JournalReader(workdir.run_folder(run_id)) for run_id in workdir.runs()]
    days = {reader.run_id: {footer.day for footer in reader.footers("events")} for reader in readers}
    wanted = [reader for reader in readers if (day in days[reader.run_id] if day else days[reader.run_id])]
    if not wanted:
        known = ", ".join(sorted(set().union(*days.values()))) or "none"
        raise DataError(f"{workdir.journal}: no events{f' of {day}' if day else ''}. Days in the journal: {known}")
    written = []
    for reader in wanted:
        run = recorded_run(reader, day, seed)
        path = workdir.reports / f"{day or 'run'}-{reader.run_id}.html"
        write_page(run, path)
        written.append(WrittenReport(reader.run_id, day, path, run))
    return written


def recorded_run(reader: JournalReader, day: str | None = None, seed: int = 7) -> ReportedRun:
    """Return what a report of a run's journal, or of one day of it, is about.

    A day starts with the equity of its eve and has the fills of that day: of a trade that was entered earlier, what
    its fills of the day earned. The market is followed from the run's first event on, so that its books are whole.
    """
    universe = Universe(run_instruments(reader.manifest))
    start, end = _bounds(day)
    tables = {name: reader.read(name) for name in _TABLES}
    rows = {name: table[(table["ts_event"] >= start) & (table["ts_event"] < end)] for name, table in tables.items()}
    before = tables["marks"][tables["marks"]["ts_event"] < start]
    account = reader.manifest.configuration["account"]["starting_equity"]
    equity = float(before["equity_nanos"][-1]) / 1e9 if len(before) else float(account)
    market, days, events = _observed(reader, universe, start, end)
    trades = _trades(tables["fills"], tables["intents"], start, end)
    metrics = measure(rows["fills"], rows["marks"], days, equity, market_activity(market), trades=trades)
    moves = trade_moves(rows["fills"], trades, market.tick_values)
    daily = np.diff(daily_equity(rows["marks"], days["day"], equity), prepend=equity)
    return ReportedRun(
        title=f"{', '.join(universe.symbols)}{f', {day}' if day else ''}",
        description=reader.manifest.source,
        symbols=universe.symbols,
        events=events,
        notes=(f"run {reader.run_id}",),
        digest=None if day else digest_of(rows["intents"], rows["orders"], rows["fills"]),
        starting_equity=equity,
        event_days=days,
        **rows,
        trades=trades,
        metrics=metrics,
        monte_carlo=monte_carlo(moves.trades["net_nanos"] / 1e9, daily, seed, moves, market),
        settings=json.loads(json.dumps(reader.manifest.configuration)),
    )


def _bounds(day: str | None) -> tuple[int, int]:
    """Return first and end of the day in ns UTC; of all time for None."""
    if day is None:
        return np.iinfo(np.int64).min, np.iinfo(np.int64).max
    try:
        first = int(np.datetime64(day, "D").astype(np.int64)) * DAY_NS
        if day_name(first) != day:
            raise ValueError
    except ValueError:
        raise DataError(f"'{day}' is not a day; expected YYYY-MM-DD") from None
    return first, first + DAY_NS


def _observed(reader: JournalReader, universe: Universe, start: int, end: int) -> tuple[MarketPaths, Array, int]:
    """Return mids, DAY_DTYPE rows and number of the events within the bounds."""
    observer, days, events = MarketObserver(universe.records), np.zeros(0, DAY_DTYPE), 0
    for part, is_inside in _parts(reader, start, end):
        if is_inside and events == 0:
            observer.restart()
        observer.observe(writable(part))
        if is_inside:
            days = merge_days(days, event_days(part["ts_event"]))
            events += len(part)
    return observer.market, days, events


def _parts(reader: JournalReader, start: int, end: int) -> Iterator[tuple[Array, bool]]:
    """Yield the run's events up to ``end`` in order, each part wholly before ``start`` or wholly after it."""
    for batch in reader.batches("events", _BATCH):
        first, last = np.searchsorted(batch["ts_event"], [start, end])
        if first > 0:
            yield batch[:first], False
        if last > first:
            yield batch[first:last], True
        if last < len(batch):
            return


def _trades(fills: Array, intents: Array, start: int, end: int) -> Array:
    """Return the trades with fills within the bounds: their money of that time, all else of the whole trade so far."""
    until = fills[fills["ts_event"] < end]
    trades = trades_of(until[until["ts_event"] >= start], intents)
    whole = trades_of(until, intents)
    whole = whole[np.argsort(whole["intent_no"])]
    own = whole[np.searchsorted(whole["intent_no"], trades["intent_no"])]
    for name in _WHOLE_TRADE:
        trades[name] = own[name]
    return trades
