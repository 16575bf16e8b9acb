"""Scripted orders of one instrument against a stream of market events: what the venue reports of them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.execution.records import OrderReason
from chimera_platform.execution.reports import REPORT_DTYPE
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, new_books
from chimera_platform.simulation.exchange.lifecycle import is_alive
from chimera_platform.simulation.exchange.messages import send_cancel, send_order, send_replace
from chimera_platform.simulation.exchange.records import NEVER, REPORTS_MAX
from chimera_platform.simulation.exchange.reports_ring import copy_report, drop_report, has_report, next_report
from chimera_platform.simulation.exchange.settings import QueueModel, VenueSettings, venue_record
from chimera_platform.simulation.exchange.state import new_exchange
from chimera_platform.simulation.exchange.step import after_event, before_event, follow_market

if TYPE_CHECKING:
    from chimera_platform.market.sources import EventSource


class ScriptAction(IntEnum):
    """What a row of a script sends."""

    NEW = 1
    CANCEL = 2
    REPLACE = 3


_NEW, _CANCEL = int(ScriptAction.NEW), int(ScriptAction.CANCEL)
_NO_REASON = int(OrderReason.NONE)
_SLOTS_MAX = 4_096  # scripted orders alive at once
_BATCH = 65_536

SCRIPT_DTYPE = np.dtype(
    [
        ("ts", "<i8"),  # ns UTC of sending
        ("id", "<i8"),  # of the order: its order_no; unique among the NEW rows
        ("size", "<i8"),  # lots; of a replacement the new total
        ("price", "<i8"),  # ticks; 0: none; of a replacement the new one
        ("stop_price", "<i8"),  # ticks; 0: none
        ("display_size", "<i8"),  # lots; 0: all
        ("expire_ts", "<i8"),  # ns UTC; 0: never
        ("end_ts", "<i8"),  # ns UTC, of a TWAP or VWAP
        ("action", "u1"),  # ScriptAction
        ("order_type", "u1"),  # OrderType
        ("time_in_force", "u1"),  # TimeInForce
        ("side", "i1"),
    ],
    align=True,
)


@kernel
def _slot_of(orders: Any, used: int, order_no: int) -> int:
    """Return the slot of an order, -1 where it has none."""
    for k in range(used):
        if orders[k].state != 0 and orders[k].order_no == order_no:
            return k
    return -1


@kernel
def _free_slot(orders: Any, last_rows: Any, row_no: int) -> int:
    """Return the first slot whose order is at its end and not spoken of again; as many as slots where none is."""
    for k in range(orders.shape[0]):
        if not is_alive(orders[k]) and last_rows[k] < row_no:
            return k
    return orders.shape[0]


@kernel
def _send(venue: Any, session: Any, market: Any, orders: Any, used: int, row: Any, k: int) -> None:
    """Send what a row of the script says, for the order of slot ``k``."""
    order = orders[k]
    if row.action == _NEW:
        expire_ts = row.expire_ts if row.expire_ts != 0 else NEVER
        send_order(
            venue,
            session,
            market,
            order,
            row.id,
            0,
            row.side,
            row.order_type,
            row.time_in_force,
            row.size,
            row.price,
            row.stop_price,
            row.display_size,
            expire_ts,
            row.end_ts,
            row.ts,
        )
    elif row.action == _CANCEL:
        send_cancel(venue, session, market, order, _NO_REASON, row.ts)
    else:
        send_replace(venue, session, market, order, row.price, row.size, row.ts)


@kernel
def _take_reports(market: Any, reports: Any, count: int, ts: int) -> int:
    """Copy the reports that the client has at ``ts``; return how many there are now."""
    while has_report(market, ts):
        copy_report(next_report(market), reports[count])
        drop_report(market)
        count += 1
    return count


@kernel
def _run_script(
    venues: Any,
    sessions: Any,
    markets: Any,
    all_orders: Any,
    all_members: Any,
    books: Any,
    events: Any,
    instrument_id: int,
    script: Any,
    last_rows: Any,
    slot_rows: Any,
    progress: Any,
    reports: Any,
) -> Any:
    """Run events from ``progress[0]`` on; ``progress``: next event, next row of the script, slots used, reports."""
    venue, session, market, book = venues[0], sessions[0], markets[0], books[0]
    orders, members = all_orders[0], all_members[0]
    n, row_no, used, count = progress[0], progress[1], progress[2], 0
    while n < events.shape[0] and count + REPORTS_MAX <= reports.shape[0]:
        event = events[n]
        n += 1
        if event.instrument_id != instrument_id:
            continue
        ts = event.ts_event
        while row_no < script.shape[0] and script[row_no].ts <= ts:
            row = script[row_no]
            k = _free_slot(orders, slot_rows, row_no) if row.action == _NEW else _slot_of(orders, used, row.id)
            if row.action == _NEW:
                if k == orders.shape[0]:
                    progress[4] = 1
                    return
                slot_rows[k] = last_rows[row_no]
                used = max(used, k + 1)
            if k >= 0:
                _send(venue, session, market, orders, used, row, k)
            row_no += 1
        alive = orders[:used]
        before_event(venue, session, market, alive, members, book, event, ts)
        apply_event(book, event)
        follow_market(venue, market, book, event)
        after_event(venue, session, market, alive, members, book, event, ts)
        count = _take_reports(market, reports, count, ts)
    progress[0], progress[1], progress[2], progress[3] = n, row_no, used, count


@kernel
def _take_rest(markets: Any, reports: Any) -> int:
    """Copy all reports that are still under way; return how many."""
    return _take_reports(markets[0], reports, 0, NEVER)


def check_script(script: np.ndarray[Any, Any]) -> None:
    """Raise DataError where ``script`` is not in the order of time, or names orders twice or not at all."""
    if np.any(np.diff(script["ts"]) < 0):
        row = int(np.argmax(np.diff(script["ts"]) < 0)) + 1
        raise DataError(
            f"order script row {row}: ts {script['ts'][row]} is before the row above; expected ascending ts"
        )
    known: set[int] = set()
    for row, (action, order_id) in enumerate(zip(script["action"].tolist(), script["id"].tolist(), strict=True)):
        if (action == ScriptAction.NEW) == (order_id in known):
            expected = "a new id" if action == ScriptAction.NEW else "the id of an order sent before"
            raise DataError(f"order script row {row}: id {order_id}; expected {expected}")
        known.add(order_id)


def run_script_on_events(
    batches: Iterable[np.ndarray[Any, Any]], instrument_id: int, settings: VenueSettings, script: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Run a script against batches of EVENT_DTYPE; see :func:`run_script`."""
    check_script(script)
    last_of = {int(order_id): row for row, order_id in enumerate(script["id"])}
    last_rows = np.array([last_of[int(order_id)] for order_id in script["id"]], np.int64)
    slots = max(min(int((script["action"] == ScriptAction.NEW).sum()), _SLOTS_MAX), 1)
    state = new_exchange(1, slots, is_exact=settings.queue_model == QueueModel.EXACT)
    slot_rows, progress = np.full(slots, -1, np.int64), np.zeros(5, np.int64)
    venue, books, buffer = venue_record(settings), new_books(1), np.zeros(8 * REPORTS_MAX, REPORT_DTYPE)
    parts: list[np.ndarray[Any, Any]] = []
    for events in batches:
        progress[0] = 0
        while progress[0] < len(events):
            _run_script(
                venue,
                state.sessions,
                state.markets,
                state.orders,
                state.members,
                books,
                events,
                instrument_id,
                script,
                last_rows,
                slot_rows,
                progress,
                buffer,
            )
            if progress[4]:
                raise DataError(f"order script: more than {slots} orders alive at once; expected no more")
            parts.append(buffer[: progress[3]].copy())
    parts.append(buffer[: _take_rest(state.markets, buffer)].copy())
    return np.concatenate(parts)


def run_script(
    source: EventSource, symbol: str, settings: VenueSettings, script: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Run scripted orders of ``symbol`` against a source.

    Parameters
    ----------
    source : market events; those of other instruments are passed over.
    symbol : instrument of the source's universe.
    settings : how the venue treats orders. A row's ``ts`` is when its decision is taken: feed and order latency come
        on top.
    script : SCRIPT_DTYPE, ascending ``ts``.

    Returns
    -------
    REPORT_DTYPE, in the order in which the client has them; ``order_no`` is the script's ``id``. What happens is
    known up to the last event: rows after it are not sent, what is due later does not happen.

    Raises
    ------
    DataError : the script is not in the order of time, or names an order that it has not sent, or sends one twice.
    ConfigurationError : the source has no such symbol.
    """
    instrument_id = source.universe.index(symbol)
    return run_script_on_events(source.batches(_BATCH), instrument_id, settings, script)


def empty_script(rows: int) -> np.ndarray[Any, Any]:
    """Return ``rows`` blank rows of a script."""
    return np.zeros(rows, SCRIPT_DTYPE)
