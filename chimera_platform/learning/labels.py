"""Triple-barrier labels of intents, net of cost (López de Prado, Advances in Financial Machine Learning, ch. 3).

What would have become of the trade: entry at the opposite touch after the latency, exit at the touch as soon as the
target or the stop is reached, at the latest after ``max_hold_ns``. A label is the business of one partition: an
intent whose horizon passes the partition's end has none, even where a barrier was hit before it; taking only the
quick ones would favour them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.execution.records import INTENT_DTYPE
from chimera_platform.kernels import kernel
from chimera_platform.learning.quotes import QUOTE_CHANGE_DTYPE
from chimera_platform.market.instruments import INSTRUMENT_DTYPE
from chimera_platform.settings import Settings


class LabelSettings(Settings):
    """How the outcome of an intent is told."""

    entry_latency_ns: int = Field(
        5_000_000, ge=0, le=60_000_000_000, description="ns from the decision to the entry; the venue's one-way latency"
    )


class LabelOutcome(IntEnum):
    """Which barrier ended the trade, or why there is no label."""

    TARGET = 1
    STOP = 2
    TIME = 3
    HORIZON_PASSES_END = 4  # the partition ends before the intent's horizon
    NOT_TRADABLE = 5  # no market at the entry, or none again before the end


LABEL_DTYPE = np.dtype(
    [
        ("intent_no", "<i8"),
        ("entry_ts", "<i8"),  # ns UTC
        ("exit_ts", "<i8"),  # ns UTC; 0 without a label
        ("horizon_end_ts", "<i8"),  # ns UTC: the label knows the market up to here and no further
        ("entry_price", "<i8"),  # ticks
        ("exit_price", "<i8"),  # ticks
        ("gross_nanos", "<i8"),  # profit of one lot net of the spread, before fees
        ("fee_nanos", "<i8"),  # of entry and exit of one lot
        ("net_nanos", "<i8"),  # gross - fees
        ("net_bps", "<f8"),  # net over the entry notional, 1e-4; NaN without a label
        (
            "best_move",
            "<i8",
        ),  # ticks: largest profit on the way to its stop or its time; -1 without a label
        ("outcome", "u1"),  # LabelOutcome
        ("won", "u1"),  # 1: net profit above 0
    ],
    align=True,
)

_TARGET, _STOP, _TIME = int(LabelOutcome.TARGET), int(LabelOutcome.STOP), int(LabelOutcome.TIME)
_PASSES_END, _NOT_TRADABLE = int(LabelOutcome.HORIZON_PASSES_END), int(LabelOutcome.NOT_TRADABLE)


@kernel
def _in_force(times: Any, ts: int) -> int:
    """Return the index of the last change at or before ``ts``, -1 if there is none."""
    low, high = 0, times.shape[0]
    while low < high:
        middle = (low + high) // 2
        if times[middle] <= ts:
            low = middle + 1
        else:
            high = middle
    return low - 1


@kernel
def _taker_fee(instrument: Any, price: int) -> int:
    """Return the fee of taking one lot at ``price`` ticks, nanos, rounded down as the venue does."""
    notional = price * instrument.tick_value_nanos
    return instrument.taker_fee_per_lot_nanos + notional * instrument.taker_fee_ppm // 1_000_000


@kernel
def _exit_of(side: int, entry: int, stop: int, target: int, deadline: int, quotes: Any, at: int) -> Any:
    """Return (outcome, index of the quote that ends the trade, exit time, exit price in ticks).

    Walks the changes after ``at`` up to ``deadline``. While the market is not tradable nothing can be exited; if
    it isn't at the deadline, the trade has no outcome.
    """
    i = at
    last = quotes.shape[0] - 1
    while True:
        price = quotes[i].bid_price if side > 0 else quotes[i].ask_price
        moved = side * (price - entry)
        if price > 0 and i > at:
            if moved >= target:
                return _TARGET, quotes[i].ts_event, price
            if moved <= -stop:
                return _STOP, quotes[i].ts_event, price
        if i == last or quotes[i + 1].ts_event > deadline:
            break
        i += 1
    if price > 0:
        return _TIME, deadline, price
    return _NOT_TRADABLE, deadline, price


@kernel
def _best_move(side: int, entry: int, stop: int, deadline: int, quotes: Any, at: int) -> int:
    """Return how far the closing price went beyond the entry, ticks, at least 0, before ``stop`` or the deadline.

    Walks as :func:`_exit_of` does, but goes on beyond the target: how far the market would have carried the trade.
    """
    best, i = 0, at + 1
    while i < quotes.shape[0] and quotes[i].ts_event <= deadline:
        price = quotes[i].bid_price if side > 0 else quotes[i].ask_price
        moved = side * (price - entry)
        if price > 0:
            if moved <= -stop:
                break
            best = max(best, moved)
        i += 1
    return best


@kernel
def _label_instrument(intents: Any, quotes: Any, times: Any, end_ns: int, latency_ns: int, spec: Any, out: Any) -> None:
    for n in range(intents.shape[0]):
        intent, label = intents[n], out[n]
        side = np.int64(intent.side)
        label.intent_no = intent.intent_no
        label.entry_ts = intent.ts_event + latency_ns
        label.horizon_end_ts = label.entry_ts + intent.max_hold_ns
        label.net_bps = np.nan
        label.best_move = -1
        if label.horizon_end_ts > end_ns:
            label.outcome = _PASSES_END
            continue
        at = _in_force(times, label.entry_ts)
        entry = np.int64(0)
        if at >= 0:
            entry = quotes[at].ask_price if side > 0 else quotes[at].bid_price
        if entry <= 0:
            label.outcome = _NOT_TRADABLE
            continue
        outcome, exit_ts, exit_price = _exit_of(
            side, entry, intent.stop_distance, intent.target_distance, label.horizon_end_ts, quotes, at
        )
        label.outcome = outcome
        if outcome == _NOT_TRADABLE:
            continue
        label.entry_price, label.exit_price, label.exit_ts = entry, exit_price, exit_ts
        label.gross_nanos = side * (exit_price - entry) * spec.tick_value_nanos
        label.fee_nanos = _taker_fee(spec, entry) + _taker_fee(spec, exit_price)
        label.net_nanos = label.gross_nanos - label.fee_nanos
        label.net_bps = 1e4 * label.net_nanos / (entry * spec.tick_value_nanos)
        label.won = 1 if label.net_nanos > 0 else 0
        label.best_move = _best_move(side, entry, intent.stop_distance, label.horizon_end_ts, quotes, at)


def label_intents(
    intents: np.ndarray[Any, Any],
    quotes: np.ndarray[Any, Any],
    end_ns: int,
    instruments: np.ndarray[Any, Any],
    settings: LabelSettings | None = None,
) -> np.ndarray[Any, Any]:
    """Return the label of each intent.

    Parameters
    ----------
    intents : INTENT_DTYPE array, shape (n,).
    quotes : QUOTE_CHANGE_DTYPE array in event order; for each instrument it starts with the quote in force at the
        start of the partition. Rows after ``end_ns`` are not looked at.
    end_ns : ns UTC; how far this partition's data is known. A horizon that passes it leaves the intent unlabelled.
    instruments : INSTRUMENT_DTYPE array of the run's universe.
    settings : defaults where None.

    Returns
    -------
    LABEL_DTYPE array, shape (n,), in the order of ``intents``.
    """
    settings = settings or LabelSettings.model_validate({})
    out = np.zeros(len(intents), LABEL_DTYPE)
    known = quotes[quotes["ts_event"] <= end_ns]
    for k in range(len(instruments)):
        rows = np.flatnonzero(intents["instrument_id"] == k)
        if not len(rows):
            continue
        path = np.ascontiguousarray(known[known["instrument_id"] == k], QUOTE_CHANGE_DTYPE)
        labels = np.zeros(len(rows), LABEL_DTYPE)
        _label_instrument(
            np.ascontiguousarray(intents[rows], INTENT_DTYPE),
            path,
            np.ascontiguousarray(path["ts_event"]),
            end_ns,
            settings.entry_latency_ns,
            np.ascontiguousarray(instruments[k : k + 1], INSTRUMENT_DTYPE)[0],
            labels,
        )
        out[rows] = labels
    return out


def is_labelled(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the mask of the rows that carry a label."""
    return np.isin(labels["outcome"], (_TARGET, _STOP, _TIME))
