"""What a run earned by trading day and engine, to the nano.

A position is worth what its last mark says, at most a mark's interval old, so days and engines add up exactly::

    net   = realised - fees + change of the open positions' value against their cost
    cost  = what fills paid against the mid of their decision: half the spread, delay and impact
    gross = net + fees + cost: what the same decisions would have earned at the mid, at once and for nothing
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from chimera_platform.execution.records import ENGINE_COUNT
from chimera_platform.market.instruments import Universe
from chimera_platform.market.sessions import TradingHours
from chimera_platform.portfolio.performance import trades_of

Array = np.ndarray[Any, Any]

DAY_DTYPE = np.dtype(
    [
        ("day", "<i8"),  # days since 1970 of the trading day's date
        ("engine", "<i8"),  # Engine
        ("net_nanos", "<i8"),
        ("gross_nanos", "<i8"),
        ("fees_nanos", "<i8"),
        ("cost_nanos", "<i8"),
        ("trades", "<i8"),  # closed on the day
        ("wins", "<i8"),  # of those, with a net profit above 0
        ("won_nanos", "<i8"),  # by them
        ("lost_nanos", "<i8"),  # by the losing ones, >= 0
    ]
)
_EPOCH = date(1970, 1, 1).toordinal()


def day_ends(first_ts: int, last_ts: int, hours: TradingHours) -> tuple[Array, Array]:
    """Return the dates of the trading days that may have events, and where each ends.

    A trading day ends with the session, at the venue's close; one that opens in the evening belongs to the next date.

    Parameters
    ----------
    first_ts, last_ts : ns UTC, both inside the range.
    hours : the venue's.

    Returns
    -------
    days, ends : i8 arrays of one shape: days since 1970, and ns UTC of the end (not part of the day).
    """
    zone = ZoneInfo(hours.timezone)
    close = time.fromisoformat(hours.close)
    is_overnight = hours.close <= hours.open and hours.close != "00:00"
    # A session within a date, and one that ends at midnight, ends its day at midnight; an overnight one at its close.
    clock, days_later = (close, 0) if is_overnight else (time(0), 1)

    def end_of(day: date) -> int:
        local = datetime.combine(day + timedelta(days=days_later), clock, zone)
        return int(local.astimezone(UTC).timestamp()) * 1_000_000_000

    day = datetime.fromtimestamp(first_ts // 1_000_000_000, UTC).date() - timedelta(days=2)
    days: list[int] = []
    ends: list[int] = []
    while not ends or ends[-1] <= last_ts:
        if (end := end_of(day)) > first_ts:
            days.append(day.toordinal() - _EPOCH)
            ends.append(end)
        day += timedelta(days=1)
    return np.array(days, np.int64), np.array(ends, np.int64)


def days_with_events(times: Array, ends: Array) -> Array:
    """Return a mask of the trading days in which at least one of ``times`` (ns UTC, ascending) lies."""
    at = np.searchsorted(times, ends, side="left")
    return np.diff(at, prepend=0) > 0


def day_rows(fills: Array, marks: Array, universe: Universe, days: Array, ends: Array) -> Array:
    """Return DAY_DTYPE rows, one a day and engine, days ascending and engines in their order within each.

    Parameters
    ----------
    fills, marks : FILL_DTYPE and MARK_DTYPE of a whole run.
    days, ends : of the trading days, as :func:`day_ends` has them; all fills lie within them.
    """
    count = len(days)
    rows = np.zeros((count, ENGINE_COUNT), DAY_DTYPE)
    rows["day"], rows["engine"] = days[:, None], np.arange(ENGINE_COUNT)
    rows["net_nanos"] = np.diff(_earned(marks, len(universe), ends), axis=0, prepend=0)
    at = np.searchsorted(ends, fills["ts_event"], side="right"), fills["engine"].astype(np.int64)
    np.add.at(rows["fees_nanos"], at, fills["fee_nanos"])
    np.add.at(rows["cost_nanos"], at, _cost(fills, universe))
    rows["gross_nanos"] = rows["net_nanos"] + rows["fees_nanos"] + rows["cost_nanos"]
    _enter_trades(rows, fills, ends)
    return rows.reshape(-1)


def _earned(marks: Array, instruments: int, ends: Array) -> Array:
    """Return what each engine has earned since the run's start at each day's end: i8, (days, engines)."""
    earned = np.zeros((len(ends), ENGINE_COUNT), np.int64)
    for instrument in range(instruments):
        for engine in range(ENGINE_COUNT):
            own = marks[(marks["instrument_id"] == instrument) & (marks["engine"] == engine)]
            worth = own["realised_nanos"] - own["fees_nanos"] + own["value_nanos"] - own["cost_nanos"]
            curve = np.concatenate([np.zeros(1, np.int64), worth])
            earned[:, engine] += curve[np.searchsorted(own["ts_event"], ends, side="left")]
    return earned


def _cost(fills: Array, universe: Universe) -> Array:
    """Return what each fill paid against the mid at which it was decided, nanos; negative where it gained."""
    half_ticks = 2 * fills["price"] - fills["decision_bid"] - fills["decision_ask"]
    tick_value = universe.records["tick_value_nanos"][fills["instrument_id"]]
    return np.asarray(fills["side"] * half_ticks * fills["size"] * tick_value // 2)


def _enter_trades(rows: Array, fills: Array, ends: Array) -> None:
    trades = trades_of(fills)
    closed = trades[trades["position"] == 0]
    at = np.searchsorted(ends, closed["ts_close"], side="right"), closed["engine"].astype(np.int64)
    net = closed["net_nanos"]
    np.add.at(rows["trades"], at, 1)
    np.add.at(rows["wins"], at, net > 0)
    np.add.at(rows["won_nanos"], at, np.maximum(net, 0))
    np.add.at(rows["lost_nanos"], at, np.maximum(-net, 0))


def fall(marks: Array, starting_nanos: int) -> tuple[int, int, int, int]:
    """Return of a run's equity curve against its start: deepest fall, highest, lowest and last value; nanos."""
    curve = np.concatenate([[0], marks["equity_nanos"] - starting_nanos]).astype(np.int64)
    peaks = np.maximum.accumulate(curve)
    return int((peaks - curve).max()), int(curve.max()), int(curve.min()), int(curve[-1])


def chained_fall(runs: list[tuple[int, int, int, int]]) -> int:
    """Return the deepest fall of runs one after another, each beginning where the one before has ended; nanos."""
    base, peak, deepest = 0, 0, 0
    for own, high, low, last in runs:
        deepest = max(deepest, own, peak - base - low)
        peak = max(peak, base + high)
        base += last
    return deepest
