"""NautilusTrader trades a script of orders, run by the peers' Python: nothing of the platform is imported here.

Reads jobs from stdin, one line of JSON each (``feed``, ``script``: .npy files; ``queue_position``,
``liquidity_consumption``: the venue's options; ``order_latency_ns``; ``out``: .npy file to write the fills to) and
answers each with a line of JSON: the account as NautilusTrader keeps it, in ticks and lots.

A source event's level updates are one ``OrderBookDeltas``, its trades are ``TradeTick``s. The venue looks at orders
that have arrived when data or a timer comes; so the strategy sets a timer at each arrival, without which an order
would meet the book after the next update.
"""

# mypy: disable-error-code="import-not-found"

import json
import sys
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
from fills_records import CANCEL, FILL_DTYPE, FOK, IOC, MARKET, TRADE
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import FillModel, LatencyModel
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, TradeTick
from nautilus_trader.model.enums import (
    AccountType,
    AggressorSide,
    BookAction,
    BookType,
    LiquiditySide,
    OmsType,
    OrderSide,
    RecordFlag,
    TimeInForce,
)
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

_VENUE = Venue("BENCH")
_ID = InstrumentId(Symbol("ITEM"), _VENUE)
_CAPITAL = 1_000_000_000_000
_AGGRESSOR = {1: AggressorSide.BUYER, -1: AggressorSide.SELLER, 0: AggressorSide.NO_AGGRESSOR}


class Scripted(Strategy):
    """Sends the script's rows at their times and notes the fills.

    Parameters
    ----------
    script : SCRIPT_DTYPE.
    latency_ns : of orders; a timer makes the venue look at each arrival.
    """

    def __init__(self, script: "np.ndarray[Any, Any]", latency_ns: int) -> None:
        super().__init__()
        self.rows, self.latency_ns, self.sent = script.tolist(), latency_ns, 0
        self.orders: dict[int, Any] = {}
        self.numbers: dict[Any, int] = {}
        self.fills: list[tuple[int, int, int, int, int]] = []

    def on_start(self) -> None:
        """Set a timer for every time at which something is sent or arrives."""
        for ts in sorted({row[0] + after for row in self.rows for after in (0, self.latency_ns)}):
            self.clock.set_time_alert_ns(f"at-{ts}", ts, self.on_time)

    def on_time(self, event: Any) -> None:
        """Send what is due."""
        while self.sent < len(self.rows) and self.rows[self.sent][0] <= self.clock.timestamp_ns():
            row = self.rows[self.sent]
            self.sent += 1
            if row[4] != CANCEL:
                self.send(*row)
            elif not self.orders[row[1]].is_closed:
                self.cancel_order(self.orders[row[1]])

    def send(self, ts: int, order_no: int, price: int, size: int, _: int, kind: int, tif: int, side: int) -> None:
        """Submit one order."""
        what = {
            "instrument_id": _ID,
            "order_side": OrderSide.BUY if side > 0 else OrderSide.SELL,
            "quantity": Quantity.from_int(size),
            "time_in_force": {IOC: TimeInForce.IOC, FOK: TimeInForce.FOK}.get(tif, TimeInForce.GTC),
        }
        if kind == MARKET:
            order = self.order_factory.market(**what)
        else:
            order = self.order_factory.limit(price=Price(price, 0), **what)
        self.orders[order_no], self.numbers[order.client_order_id] = order, order_no
        self.submit_order(order)

    def on_order_filled(self, event: Any) -> None:
        """Note a fill."""
        is_maker = int(event.liquidity_side == LiquiditySide.MAKER)
        number = self.numbers[event.client_order_id]
        self.fills.append((number, event.ts_event, round(float(event.last_px)), int(event.last_qty), is_maker))


def data_of(feed: "np.ndarray[Any, Any]") -> list[Any]:
    """Return the feed from its first level on as NautilusTrader's data: it takes the first row for all data's kind."""
    feed = feed[int(np.argmax(feed["kind"] != TRADE)) :]
    prices = {t: Price(t, 0) for t in np.unique(feed["price"]).tolist()}
    sizes = {n: Quantity.from_int(n) for n in np.unique(feed["lots"]).tolist()}
    data: list[Any] = []
    run: list[Any] = []

    def close_run() -> None:
        if run:
            data.append(OrderBookDeltas(_ID, list(run)))
            run.clear()

    for number, (ts, price, lots, kind, side, is_last, _) in enumerate(feed.tolist()):
        if kind == TRADE:
            close_run()
            data.append(TradeTick(_ID, prices[price], sizes[lots], _AGGRESSOR[side], TradeId(str(number)), ts, ts))
        else:
            order = BookOrder(OrderSide.BUY if side > 0 else OrderSide.SELL, prices[price], sizes[lots], 0)
            action = BookAction.UPDATE if lots > 0 else BookAction.DELETE
            run.append(OrderBookDelta(_ID, action, order, RecordFlag.F_LAST if is_last else 0, number, ts, ts))
        if is_last:
            close_run()
    close_run()
    return data


def engine_of(job: dict[str, Any], data: list[Any], strategy: Any) -> Any:
    """Return the engine that ``job`` asks for: tick and lot are 1, so that all stays whole numbers."""
    engine = BacktestEngine(config=BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        venue=_VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=USD,
        starting_balances=[Money(_CAPITAL, USD)],
        book_type=BookType.L2_MBP,
        fill_model=FillModel(prob_fill_on_limit=1.0, prob_slippage=0.0, random_seed=7),
        latency_model=LatencyModel(base_latency_nanos=job["order_latency_ns"]),
        queue_position=job["queue_position"],
        liquidity_consumption=job["liquidity_consumption"],
    )
    engine.add_instrument(Equity(_ID, Symbol("ITEM"), USD, 0, Price(1, 0), Quantity.from_int(1), 0, 0))
    engine.add_data(data)
    engine.add_strategy(strategy)
    return engine


def run(job: dict[str, Any], held: dict[str, Any]) -> dict[str, Any]:
    """Do one job; ``held`` keeps the data of the last feed."""
    if held.get("feed") != job["feed"]:
        held.update(feed=job["feed"], data=data_of(np.load(job["feed"])))
    strategy = Scripted(np.load(job["script"]), job["order_latency_ns"])
    engine = engine_of(job, held["data"], strategy)
    engine.run()
    position = next(iter(engine.cache.positions()), None)
    lots = 0.0 if position is None else float(position.signed_qty)
    realized = float(engine.portfolio.account(_VENUE).balance_total(USD)) - _CAPITAL
    cash = realized - (lots * position.avg_px_open if position is not None and lots else 0.0)
    answer = {"position": lots, "cash": cash, "fills": len(strategy.fills)}
    np.save(job["out"], np.array(strategy.fills, FILL_DTYPE))
    engine.dispose()
    return answer


def _main() -> None:
    warnings.simplefilter("ignore")  # deprecations between Nautilus and pandas are not ours to mend
    print(json.dumps({"ready": f"nautilus_trader {version('nautilus_trader')}"}), flush=True)
    held: dict[str, Any] = {}
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line), held)), flush=True)


if __name__ == "__main__":
    _main()
