"""hftbacktest trades a script of orders, run by the peers' Python: nothing of the platform is imported here.

Reads jobs from stdin, one line of JSON each (``feed``, ``script``: .npy files; ``queue``: risk_averse, power:N or log;
``exchange``: partial or whole; ``order_latency_ns``, ``report_latency_ns``; ``out``: .npy file to write the fills to)
and answers each with a line of JSON: the account as hftbacktest keeps it, in ticks and lots.

A fill is seen in the response to it. Of an order that takes several levels at once hftbacktest responds with the last
level's price alone: such a fill has all its lots at that price here.

A cancel of an order that is known to have ended is not sent: 2.4.4 would count its last fill in the account again.

With partial fills sizes are sent a quarter of a lot short: 2.4.4 keeps an order in its book whose rest is filled by
exactly that many lots, and the next trade at its price ends the run with error 14 (``InvalidOrderStatus``).
"""

# mypy: disable-error-code="import-not-found"

import json
import math
import sys
from importlib.metadata import version
from typing import Any

import hftbacktest as h
import numpy as np
from fills_records import CANCEL, FILL_DTYPE, MARKET, TRADE
from hftbacktest import order as h_order
from numba import njit

_FOREVER = 10**17
_END_OF_DATA, _RESPONSE = 1, 3  # what waiting returns; errors are above
_ENDED = (h_order.FILLED, h_order.EXPIRED, h_order.CANCELED)
_TELLS_FILLS = (*_ENDED, h_order.PARTIALLY_FILLED)
_TIMES_IN_FORCE = (h_order.GTC, h_order.GTC, h_order.IOC, h_order.FOK)  # by ours


def feed_events(feed: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return hftbacktest's events, seen by exchange and strategy at the same time (no feed latency)."""
    feed = feed[(feed["kind"] != TRADE) | (feed["side"] != 0)]
    out = np.zeros(len(feed), h.binding.event_dtype)
    side = np.where(feed["side"] > 0, h.BUY_EVENT, h.SELL_EVENT)
    kind = np.where(feed["kind"] == TRADE, h.TRADE_EVENT, h.DEPTH_EVENT)
    out["ev"] = side | kind | h.EXCH_EVENT | h.LOCAL_EVENT
    out["exch_ts"] = out["local_ts"] = feed["ts"]
    out["px"], out["qty"] = feed["price"], feed["lots"]
    return out


@njit
def _note_fills(backtest: Any, live: Any, left: Any, fills: Any, count: int) -> int:
    """Append what the live orders' responses say; an order that has ended leaves ``live``."""
    orders = backtest.orders(0)
    for order_no in range(len(live)):
        if not live[order_no]:
            continue
        order = orders.get(order_no)
        if order is None:
            continue
        leaves = math.ceil(order.leaves_qty)
        if leaves < left[order_no] and order.status in _TELLS_FILLS:
            fills[count]["order_no"] = order_no
            fills[count]["ts"] = order.exch_timestamp
            fills[count]["price"] = round(order.exec_price)
            fills[count]["lots"] = left[order_no] - leaves
            fills[count]["is_maker"] = order.arr[0].maker
            left[order_no] = leaves
            count += 1
        if order.status in _ENDED:
            live[order_no] = False
    return count


@njit
def _trade(backtest: Any, script: Any, short: float, live: Any, left: Any, fills: Any) -> Any:
    """Send the script's rows at their times; return how many fills there were and what ended the run (1: the data)."""
    count, row = 0, 0
    backtest.wait_next_feed(False, 1)  # the clock stands at the first event now
    while True:
        while row < len(script) and script[row].ts <= backtest.current_timestamp:
            order = script[row]
            row += 1
            if order.action == CANCEL:
                known = backtest.orders(0).get(order.order_no)
                if known is not None and known.cancellable:
                    backtest.cancel(0, order.order_no, False)
                continue
            live[order.order_no], left[order.order_no] = True, order.size
            tif = _TIMES_IN_FORCE[order.time_in_force]
            kind = h_order.MARKET if order.order_type == MARKET else h_order.LIMIT
            price, size = float(order.price), order.size - short
            if order.side > 0:
                backtest.submit_buy_order(0, order.order_no, price, size, tif, kind, False)
            else:
                backtest.submit_sell_order(0, order.order_no, price, size, tif, kind, False)
        wait = script[row].ts - backtest.current_timestamp if row < len(script) else _FOREVER
        said = backtest.wait_next_feed(True, wait)
        count = _note_fills(backtest, live, left, fills, count)
        if said == _END_OF_DATA or said > _RESPONSE:
            return count, said


def backtest_of(job: dict[str, Any], events: "np.ndarray[Any, Any]") -> Any:
    """Return the backtest that ``job`` asks for: tick and lot are 1, so that all stays whole numbers.

    It reads ``events`` where they are: the caller keeps them.
    """
    asset = (
        h.BacktestAsset()
        .data(events)
        .linear_asset(1.0)
        .constant_order_latency(job["order_latency_ns"], job["report_latency_ns"])
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(1.0)
        .lot_size(1.0)
        .last_trades_capacity(0)
    )
    queue, _, power = job["queue"].partition(":")
    if queue == "risk_averse":
        asset.risk_adverse_queue_model()
    elif queue == "power":
        asset.power_prob_queue_model(float(power))
    else:
        asset.log_prob_queue_model()
    if job["exchange"] == "partial":
        asset.partial_fill_exchange()
    else:
        asset.no_partial_fill_exchange()
    return h.HashMapMarketDepthBacktest([asset])


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Do one job; the script's order numbers count from 0."""
    events, script = feed_events(np.load(job["feed"])), np.load(job["script"])
    orders = int(script["order_no"].max()) + 1
    live, left = np.zeros(orders, np.bool_), np.zeros(orders, np.int64)
    fills = np.zeros(64 * orders, FILL_DTYPE)
    backtest = backtest_of(job, events)
    count, ended = _trade(
        backtest, script, job.get("short", 0.25) if job["exchange"] == "partial" else 0.0, live, left, fills
    )
    account = backtest.state_values(0)
    answer = {"position": account.position, "cash": account.balance, "fills": count, "ended": ended}
    backtest.close()
    np.save(job["out"], fills[:count])
    return answer


def _main() -> None:
    print(json.dumps({"ready": f"hftbacktest {version('hftbacktest')}"}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    _main()
