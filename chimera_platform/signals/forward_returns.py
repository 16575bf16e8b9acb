"""What the price did after moments of a stream: the mid's change over fixed times, from the moment's own event on.

The price is the mid after the last source event, as long as the book is tradable; of an instrument that never shows a
two-sided book, the last trade's price. A change over ``h`` is the price after the last event at or before ``t + h``
less the price after the moment's own event: nothing that was not known then goes into where it starts. It is unknown
(NaN) where there is no price at either end, or where the stream ends before ``t + h``.

Beside the moments asked for, the first source event of each second with a price is followed: the *unconditional*
moments. Only what the longest time still needs is kept, so memory does not grow with the stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chimera_platform.errors import ConfigurationError
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, best_ask, best_bid, is_tradable, is_two_sided, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind

HORIZONS_NS = (1_000_000_000, 10_000_000_000, 60_000_000_000, 300_000_000_000)
SAMPLE_NS = 1_000_000_000  # unconditional moments: one each, at most

PRICE_DTYPE = np.dtype(
    [
        ("event_no", "<i8"),  # the LAST record after which it holds
        ("ts_event", "<i8"),  # ns UTC
        ("mid2", "<i8"),  # half ticks, bid + ask; 0: no price from here on
        ("spread", "<i8"),  # ticks; 0 where there is no book
        ("instrument_id", "<i4"),
    ],
    align=True,
)

OUTCOME_DTYPE = np.dtype(
    [
        ("number", "<i8"),  # of the moment, in the order in which they were asked for; -1: unconditional
        ("ts_event", "<i8"),  # ns UTC
        ("mid2", "<i8"),  # half ticks, at the moment; 0: no price
        ("spread", "<i8"),  # ticks, at the moment
        ("change", "<f8", (len(HORIZONS_NS),)),  # ticks, the mid's, over each of HORIZONS_NS; NaN: unknown
        ("instrument_id", "<i4"),
    ],
    align=True,
)

_STATE_DTYPE = np.dtype(
    [
        ("mid2", "<i8"),  # half ticks
        ("spread", "<i8"),  # ticks
        ("second", "<i8"),  # of the last unconditional moment
        ("trade", "<i8"),  # ticks of the last trade
        ("has_book", "<i8"),  # 1: it was two-sided once
    ]
)
_TRADE, _EXECUTE, _LAST = int(EventKind.TRADE), int(EventKind.EXECUTE), int(EventFlag.LAST)


@kernel
def _price(book: Any, state: Any) -> Any:
    """Return (half ticks, spread in ticks) now; (0, 0) where there is no price."""
    if state.has_book == 0 and is_two_sided(book):
        state.has_book = 1
    if state.has_book == 0:
        return 2 * state.trade, 0
    if not is_tradable(book):
        return 0, 0
    return best_bid(book) + best_ask(book), best_ask(book) - best_bid(book)


@kernel
def _follow(books: Any, states: Any, events: Any, first_event_no: int, prices: Any, samples: Any) -> Any:
    """Write each change of a price to ``prices`` and the unconditional moments to ``samples``; return both counts."""
    changes, taken = 0, 0
    for i in range(events.shape[0]):
        event = events[i]
        k = event.instrument_id
        state, book = states[k], books[k]
        apply_event(book, event)
        if event.kind == _TRADE or event.kind == _EXECUTE:
            state.trade = event.price
        if event.flags & _LAST == 0:
            continue
        mid2, spread = _price(book, state)
        if mid2 != state.mid2 or spread != state.spread:
            state.mid2 = mid2
            state.spread = spread
            _write(prices[changes], first_event_no + i, event.ts_event, k, mid2, spread)
            changes += 1
        second = event.ts_event // SAMPLE_NS
        if mid2 != 0 and second != state.second:
            state.second = second
            _write(samples[taken], first_event_no + i, event.ts_event, k, mid2, spread)
            taken += 1
    return changes, taken


@kernel
def _write(row: Any, event_no: int, ts: int, instrument: int, mid2: int, spread: int) -> None:
    row.event_no = event_no
    row.ts_event = ts
    row.mid2 = mid2
    row.spread = spread
    row.instrument_id = instrument


class ForwardReturns:
    """Follows the prices of many instruments past the moments asked for and the unconditional ones.

    Parameters
    ----------
    instruments : how many there are.
    """

    def __init__(self, instruments: int) -> None:
        self._books = new_books(instruments)
        self._states = np.zeros(instruments, _STATE_DTYPE)
        self._paths = [np.zeros(1, PRICE_DTYPE) for _ in range(instruments)]
        for path in self._paths:
            path["event_no"], path["ts_event"] = -1, np.iinfo(np.int64).min  # no price before the first
        self._waiting = [np.zeros(0, OUTCOME_DTYPE) for _ in range(instruments)]
        self._asked, self._now = 0, np.iinfo(np.int64).min

    def run(
        self, events: np.ndarray[Any, Any], first_event_no: int, moments: np.ndarray[Any, Any]
    ) -> np.ndarray[Any, Any]:
        """Take in the next events; return the outcomes that are now known, OUTCOME_DTYPE, in no particular order.

        Parameters
        ----------
        events : shape (n,), ``EVENT_DTYPE``, continuing what came before.
        first_event_no : row number of ``events[0]`` in the stream.
        moments : shape (m,), with fields ``event_no``, ``ts_event`` and ``instrument_id`` of events among ``events``,
            by ascending ``event_no``.

        Raises
        ------
        ConfigurationError : a moment is not among the events.
        """
        if len(moments) and not (
            moments["event_no"][0] >= first_event_no and moments["event_no"][-1] < first_event_no + len(events)
        ):
            raise ConfigurationError(
                f"moments at events {moments['event_no'][0]} to {moments['event_no'][-1]}; "
                f"expected {first_event_no} to {first_event_no + len(events) - 1}"
            )
        prices, samples = np.zeros(len(events), PRICE_DTYPE), np.zeros(len(events), PRICE_DTYPE)
        contiguous = np.ascontiguousarray(events, EVENT_DTYPE)
        changes, taken = _follow(self._books, self._states, contiguous, first_event_no, prices, samples)
        numbers = self._asked + np.arange(len(moments))
        self._asked += len(moments)
        if len(events):
            self._now = max(self._now, int(events["ts_event"].max()))
        known = []
        for k in range(len(self._paths)):
            mine, asked = prices[:changes], moments["instrument_id"] == k
            self._paths[k] = _in_time(np.concatenate([self._paths[k], mine[mine["instrument_id"] == k]]))
            free = samples[:taken][samples[:taken]["instrument_id"] == k]
            self._waiting[k] = np.concatenate(
                [self._waiting[k], self._begin(k, moments[asked], numbers[asked]), self._begin(k, free, None)]
            )
            known.append(self._resolve(k, is_final=False))
        return np.concatenate(known)

    def finish(self) -> np.ndarray[Any, Any]:
        """Return the remaining outcomes; what the stream is too short for is unknown."""
        return np.concatenate([self._resolve(k, is_final=True) for k in range(len(self._paths))])

    def _begin(self, k: int, at: np.ndarray[Any, Any], numbers: np.ndarray[Any, Any] | None) -> np.ndarray[Any, Any]:
        """Return the outcomes to wait for, of moments of instrument ``k``."""
        path, rows = self._paths[k], np.zeros(len(at), OUTCOME_DTYPE)
        then = path[np.searchsorted(path["event_no"], at["event_no"], "right") - 1]
        rows["number"] = -1 if numbers is None else numbers
        rows["ts_event"], rows["mid2"], rows["spread"] = at["ts_event"], then["mid2"], then["spread"]
        rows["instrument_id"] = k
        return rows

    def _resolve(self, k: int, is_final: bool) -> np.ndarray[Any, Any]:
        """Return the outcomes of instrument ``k`` that are known by now and forget what only they needed."""
        waiting, path = self._waiting[k], self._paths[k]
        ready = np.ones(len(waiting), bool) if is_final else waiting["ts_event"] + HORIZONS_NS[-1] <= self._now
        rows = waiting[ready]
        for h, horizon in enumerate(HORIZONS_NS):
            target = rows["ts_event"] + horizon
            then = path["mid2"][np.searchsorted(path["ts_event"], target, "right") - 1]
            is_known = (rows["mid2"] != 0) & (then != 0) & (target <= self._now)
            rows["change"][:, h] = np.where(is_known, 0.5 * (then - rows["mid2"]), np.nan)
        self._waiting[k] = waiting[~ready]
        oldest = int(self._waiting[k]["ts_event"].min()) if len(self._waiting[k]) else self._now
        self._paths[k] = path[max(int(np.searchsorted(path["ts_event"], oldest, "right")) - 1, 0) :]
        return rows


def _in_time(path: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Let a clock that steps back stand still instead."""
    path["ts_event"] = np.maximum.accumulate(path["ts_event"])
    return path


def horizon_names(horizons: Sequence[int] = HORIZONS_NS) -> tuple[str, ...]:
    """Return how the horizons are called: ``1 s``, ``10 s``, …."""
    return tuple(f"{h // 1_000_000_000} s" for h in horizons)
