"""hftbacktest with a strategy that does nothing, run by the peers' Python: nothing of the platform is imported here.

``python hftbacktest_loop.py UPDATES.npy TICK_SIZE hashmap|roi``: loads level updates, then runs once for each line on
stdin and answers with one line of JSON: seconds, processor seconds, callbacks, final best quotes in ticks and lots.
Updates of one time are one callback of ``wait_next_feed``.
"""

# mypy: disable-error-code="import-not-found"

import json
import sys
import time
from importlib.metadata import version
from typing import Any

import hftbacktest as h
import numpy as np
from numba import njit

_TIMEOUT_NS = 10**16  # longer than any pause of the market


@njit
def _empty_strategy(backtest: Any) -> Any:
    """Wake at every feed time and do nothing; return how often that was, and the book's end."""
    events = 0
    while backtest.wait_next_feed(False, _TIMEOUT_NS) == 2:
        events += 1
    depth = backtest.depth(0)
    bid, ask = depth.best_bid_tick, depth.best_ask_tick
    return events, bid, ask, depth.bid_qty_at_tick(bid), depth.ask_qty_at_tick(ask)


def feed(updates: "np.ndarray[Any, Any]", tick_size: float) -> "np.ndarray[Any, Any]":
    """Return hftbacktest's depth events, seen by exchange and strategy at the same time (no feed latency)."""
    out = np.zeros(len(updates), h.binding.event_dtype)
    side = np.where(updates["side"] > 0, h.BUY_EVENT, h.SELL_EVENT)
    out["ev"] = side | h.EXCH_EVENT | h.LOCAL_EVENT | h.DEPTH_EVENT
    out["exch_ts"] = out["local_ts"] = updates["ts_event"]
    out["px"] = updates["price"] * tick_size
    out["qty"] = updates["size"]
    return out


def backtest(data: "np.ndarray[Any, Any]", tick_size: float, depth: str) -> Any:
    """Return a backtest over ``data``, with queue model, latency and exchange as in its documentation's examples."""
    asset = (
        h.BacktestAsset()
        .data(data)
        .linear_asset(1.0)
        .constant_order_latency(1_000_000, 1_000_000)
        .power_prob_queue_model(2.0)
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(tick_size)
        .lot_size(1.0)
        .last_trades_capacity(0)
    )
    if depth == "hashmap":
        return h.HashMapMarketDepthBacktest([asset])
    low, high = float(data["px"].min()), float(data["px"].max())
    return h.ROIVectorMarketDepthBacktest([asset.roi_lb(low - tick_size).roi_ub(high + tick_size)])


def _main() -> None:
    updates, tick_size, depth = np.load(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    data = feed(updates, tick_size)
    warm_up = backtest(data[: min(len(data), 10_000)], tick_size, depth)
    _empty_strategy(warm_up)
    warm_up.close()
    print(json.dumps({"ready": f"hftbacktest {version('hftbacktest')}"}), flush=True)
    for _ in sys.stdin:
        prepared = backtest(data, tick_size, depth)
        began, cpu_began = time.perf_counter(), time.process_time()
        events, bid, ask, bid_size, ask_size = _empty_strategy(prepared)
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        prepared.close()
        book = [int(bid), round(bid_size), int(ask), round(ask_size)]
        print(json.dumps({"seconds": seconds, "cpu_s": cpu_s, "callbacks": events, "book": book}), flush=True)


if __name__ == "__main__":
    _main()
