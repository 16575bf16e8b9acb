"""Which regime was in force when: the kernels of the decision path over a stream, a row each time it changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.engines.timeframes import TimeframeSettings, new_timeframes, update_timeframes
from chimera_platform.kernels import kernel
from chimera_platform.market.book import (
    apply_event,
    best_ask,
    best_ask_size,
    best_bid,
    best_bid_size,
    is_tradable,
    new_books,
)
from chimera_platform.market.events import EVENT_DTYPE, EventFlag
from chimera_platform.regimes.rules import RegimeRuleSettings, new_regime_states, update_regime
from chimera_platform.settings import to_record

UNKNOWN = -1  # before there is enough history

REGIME_CHANGE_DTYPE = np.dtype(
    [
        ("event_no", "<i8"),  # the event from which on it is in force
        ("regime", "<i8"),  # Regime, UNKNOWN
        ("instrument_id", "<i4"),
    ],
    align=True,
)
_LAST = int(EventFlag.LAST)


@kernel
def _changes(
    frame_params: Any,
    rule_params: Any,
    books: Any,
    frames: Any,
    states: Any,
    last: Any,
    events: Any,
    first_event_no: int,
    out: Any,
) -> Any:
    """Apply ``events`` and write a row to ``out`` each time a regime changes; return the rows written."""
    rows = 0
    for i in range(events.shape[0]):
        event = events[i]
        k = event.instrument_id
        book, state = books[k], states[k]
        apply_event(book, event)
        if event.flags & _LAST == 0 or not is_tradable(book):
            continue
        bid, ask = best_bid(book), best_ask(book)
        if not update_timeframes(frame_params[0], frames[k], event.ts_event, bid + ask):
            continue
        update_regime(rule_params[0], state, frames[k], ask - bid, best_bid_size(book) + best_ask_size(book))
        regime = state.regime if state.shares.sum() > 0.0 else -1  # the shares are all 0 until there is history
        if regime != last[k]:
            last[k] = regime
            out[rows].event_no = first_event_no + i
            out[rows].regime = regime
            out[rows].instrument_id = k
            rows += 1
    return rows


class RegimePath:
    """Follows the regime of every instrument of a stream.

    Parameters
    ----------
    instruments : how many there are.
    timeframes, rules : settings of the decision path.
    """

    def __init__(
        self,
        instruments: int,
        timeframes: TimeframeSettings | None = None,
        rules: RegimeRuleSettings | None = None,
    ) -> None:
        self._frame_params = np.atleast_1d(to_record(timeframes or TimeframeSettings.model_validate({})))
        self._rule_params = np.atleast_1d(to_record(rules or RegimeRuleSettings.model_validate({})))
        self._books, self._frames = new_books(instruments), new_timeframes(instruments)
        self._states = new_regime_states(instruments)
        self._last = np.full(instruments, UNKNOWN, np.int64)
        self._in_force = np.full(instruments, UNKNOWN, np.int64)

    def run(self, events: np.ndarray[Any, Any], first_event_no: int) -> np.ndarray[Any, Any]:
        """Return the regime in force after each event, of its own instrument: int64, shape (n,).

        Parameters
        ----------
        events : EVENT_DTYPE array, shape (n,), continuing what came before.
        first_event_no : row number of ``events[0]`` in the stream.
        """
        out = np.zeros(len(events), REGIME_CHANGE_DTYPE)
        contiguous = np.ascontiguousarray(events, EVENT_DTYPE)
        count = _changes(
            self._frame_params,
            self._rule_params,
            self._books,
            self._frames,
            self._states,
            self._last,
            contiguous,
            first_event_no,
            out,
        )
        regimes = self._in_force[events["instrument_id"]]
        for change in out[:count]:
            k, at = int(change["instrument_id"]), int(change["event_no"]) - first_event_no
            regimes[at:][events["instrument_id"][at:] == k] = change["regime"]
            self._in_force[k] = change["regime"]
        return regimes
