"""Where the money came from: net P&L of each engine split into parts that add up exactly, in nanos.

For one fill of side ``s`` (+1, -1), ``q`` lots, price ``p``, tick value ``v``, where ``b`` and ``a`` are bid and ask
when its order was decided (the arrival price)::

    spread paid   = q v (a - b) / 2                 half the arrival spread, whatever the order type
    slippage      = q v s (p - touch)               touch = a for a buy, b for a sell; negative: better than the touch
    mid alpha     = cash - (-spread - slippage)     the cash flow had it traded at the arrival mid
    net           = cash + change of position value at the mid - fees = mid alpha - spread - slippage - fees

Position value changes go to mid alpha. Half nanos are rounded down in the spread and land in mid alpha, so the
parts sum to net P&L to the nano.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.execution.records import ENGINE_COUNT, SIGNAL_ENGINES
from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.settings import Settings

ATTRIBUTION_DTYPE = np.dtype(
    [
        ("day", "<i8"),  # days since 1970-01-01, UTC
        ("fills", "<i8"),
        ("closed_trades", "<i8"),  # fills that reduce a position
        ("traded_nanos", "<i8"),  # notional of all fills
        ("mid_alpha_nanos", "<i8"),
        ("spread_nanos", "<i8"),  # paid
        ("slippage_nanos", "<i8"),  # paid; negative: gained
        ("fee_nanos", "<i8"),  # paid; negative: rebate
        ("net_nanos", "<i8"),
        ("instrument_id", "<i4"),
        ("engine", "u1"),
    ],
    align=True,
)


def attribute(
    fills: np.ndarray[Any, Any],
    closing_mid_twice: Mapping[tuple[int, int], int],
    instruments: np.ndarray[Any, Any],
) -> np.ndarray[Any, Any]:
    """Split the P&L of one run by day, engine and instrument.

    Parameters
    ----------
    fills : FILL_DTYPE array of the run in ``fill_no`` order, from the run's start.
    closing_mid_twice : (day, instrument_id) → best bid + best ask, ticks, at the day's end. Needed for each day up to
        the last one here at whose end a position is open; a day without an entry takes the one before.
    instruments : INSTRUMENT_DTYPE array of the run's universe.

    Returns
    -------
    ATTRIBUTION_DTYPE array, one row for each (day, engine, instrument) with fills or an open position.
    """
    rows = []
    quoted = sorted({day for day, _ in closing_mid_twice})
    fill_days = fills["ts_event"] // NS_PER_DAY
    days = sorted({*fill_days.tolist(), *(d for d in quoted if len(fills) and d >= int(fill_days.min()))})
    for engine in range(ENGINE_COUNT):
        for k in range(len(instruments)):
            mine = (fills["engine"] == engine) & (fills["instrument_id"] == k)
            tick_value = int(instruments[k]["tick_value_nanos"])
            position, value, mid_twice = 0, 0, 0
            for day in days:
                part = fills[mine & (fill_days == day)]
                if not len(part) and position == 0:
                    continue
                position = int(part["position_after"][-1]) if len(part) else position
                mid_twice = closing_mid_twice.get((day, k), mid_twice)
                closing = position * mid_twice * tick_value // 2
                rows.append((day, *_parts(part, closing - value, tick_value), k, engine))
                value = closing
    return np.array(rows, ATTRIBUTION_DTYPE)


def _parts(fills: np.ndarray[Any, Any], value_change: int, tick_value: int) -> tuple[int, ...]:
    """Return the numeric fields of one row, from ``fills`` to ``net_nanos``."""
    spread = int((fills["size"] * tick_value * (fills["decision_ask"] - fills["decision_bid"]) // 2).sum())
    side = fills["side"].astype(np.int64)
    touch = np.where(side > 0, fills["decision_ask"], fills["decision_bid"])
    slippage = int((fills["size"] * tick_value * side * (fills["price"] - touch)).sum())
    fees, cash = int(fills["fee_nanos"].sum()), int(fills["cash_nanos"].sum())
    alpha = cash + value_change + spread + slippage
    traded = int((fills["size"] * fills["price"] * tick_value).sum())
    net = cash + value_change - fees
    return len(fills), int((fills["is_exit"] != 0).sum()), traded, alpha, spread, slippage, fees, net


class WeightSettings(Settings):
    """How engine weights follow from what the engines earned."""

    pseudo_trades: float = Field(50.0, ge=0.0, le=1e6, description="closed trades of zero profit that are mixed in")
    gain: float = Field(2.0, ge=0.0, le=100.0, description="weight taken away per unit of negative information ratio")
    weight_min: float = Field(0.2, ge=0.0, le=1.0, description="an engine keeps this much, so that it goes on learning")


def trade_returns(fills: np.ndarray[Any, Any], instruments: np.ndarray[Any, Any]) -> dict[int, np.ndarray[Any, Any]]:
    """Return, by engine, the net return of each entry that has been closed, 1e-4 of its entry notional.

    Fills belong together by ``intent_no``; an entry whose exits do not yet equal it in size is left out.
    """
    returns: dict[int, np.ndarray[Any, Any]] = {}
    value = instruments["tick_value_nanos"][fills["instrument_id"]]
    for engine in range(ENGINE_COUNT):
        mine = fills["engine"] == engine
        part = fills[mine]
        intents, group = np.unique(part["intent_no"], return_inverse=True)
        count = len(intents)
        exits = part["is_exit"] != 0
        net = _sums(group, part["cash_nanos"] - part["fee_nanos"], count)
        open_lots = _sums(group, np.where(exits, -part["size"], part["size"]), count)
        notional = _sums(group, np.where(exits, 0, part["size"] * part["price"] * value[mine]), count)
        closed = (open_lots == 0) & (notional > 0)
        returns[engine] = 1e4 * net[closed] / notional[closed]
    return returns


def _sums(group: np.ndarray[Any, Any], values: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    sums = np.zeros(count, np.int64)
    np.add.at(sums, group, values)
    return sums


def engine_weights(
    returns: Mapping[int, np.ndarray[Any, Any]], settings: WeightSettings | None = None
) -> dict[str, float]:
    """Return each engine's weight in [weight_min, 1] by its lower-case name.

    The information ratio of its closed trades, shrunk towards zero by ``pseudo_trades`` trades without profit: an
    engine that loses has its share of capital cut, one that earns keeps the share the configuration gives it, and a
    release never raises what the user has set. Hedges have no weight: they are not there to earn.
    """
    settings = settings or WeightSettings.model_validate({})
    weights = {}
    for engine in SIGNAL_ENGINES:
        trades = returns.get(int(engine), np.zeros(0))
        weight = 1.0
        if len(trades) >= 2 and trades.std(ddof=1) > 0.0:
            shrinkage = len(trades) / (len(trades) + settings.pseudo_trades)
            ratio = shrinkage * float(trades.mean()) / float(trades.std(ddof=1))
            weight = float(np.clip(1.0 + settings.gain * ratio, settings.weight_min, 1.0))
        weights[engine.name.lower()] = round(weight, 4)
    return weights
