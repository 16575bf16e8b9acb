"""NautilusTrader's engine with a strategy that does nothing, run by the peers' Python: nothing of the platform here.

``python nautilus_loop.py EVENTS.npy TICK_SIZE deltas|quotes``: loads level updates or quotes, then runs once for each
line on stdin and answers with one line of JSON: seconds, processor seconds, callbacks, final best quotes in ticks and
lots.
"""

# mypy: disable-error-code="import-not-found"

import json
import sys
import time
import warnings
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import BookOrder, OrderBookDelta, QuoteTick
from nautilus_trader.model.enums import AccountType, BookAction, BookType, OmsType, OrderSide, RecordFlag
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

_VENUE = Venue("BENCH")
_ID = InstrumentId(Symbol("ITEM"), _VENUE)
_LAST = 1  # our flag: the source event ends here


class Empty(Strategy):
    """Subscribes to the data and does nothing with it."""

    def __init__(self, quotes: bool) -> None:
        super().__init__()
        self.quotes, self.callbacks = quotes, 0

    def on_start(self) -> None:
        """Ask for every update."""
        if self.quotes:
            self.subscribe_quote_ticks(_ID)
        else:
            self.subscribe_order_book_deltas(_ID, book_type=BookType.L2_MBP)

    def on_order_book_deltas(self, deltas: Any) -> None:
        """Count one callback."""
        self.callbacks += 1

    def on_quote_tick(self, tick: Any) -> None:
        """Count one callback."""
        self.callbacks += 1


def deltas(updates: "np.ndarray[Any, Any]", tick_size: Decimal, precision: int) -> list[Any]:
    """Return level updates as order book deltas."""
    prices = {t: Price(t * tick_size, precision) for t in np.unique(updates["price"]).tolist()}
    out = []
    names = ("side", "price", "size", "flags", "seq", "ts_event")
    for side, price, size, flags, seq, ts in zip(*(updates[name].tolist() for name in names), strict=True):
        order = BookOrder(OrderSide.BUY if side > 0 else OrderSide.SELL, prices[price], Quantity.from_int(size), 0)
        action = BookAction.UPDATE if size > 0 else BookAction.DELETE
        out.append(OrderBookDelta(_ID, action, order, RecordFlag.F_LAST if flags & _LAST else 0, seq, ts, ts))
    return out


def quotes(events: "np.ndarray[Any, Any]", tick_size: Decimal, precision: int) -> list[Any]:
    """Return quote events as quote ticks."""
    ticks = np.unique(np.concatenate([events["price"], events["ask_price"]])).tolist()
    prices = {t: Price(t * tick_size, precision) for t in ticks}
    sizes = {n: Quantity.from_int(n) for n in np.unique([events["size"], events["ask_size"]]).tolist()}
    names = ("price", "size", "ask_price", "ask_size", "ts_event")
    rows = zip(*(events[name].tolist() for name in names), strict=True)
    return [
        QuoteTick(_ID, prices[bid], prices[ask], sizes[bid_size], sizes[ask_size], ts, ts)
        for bid, bid_size, ask, ask_size, ts in rows
    ]


def engine_with(data: list[Any], tick_size: Decimal, precision: int, as_quotes: bool) -> tuple[Any, Any]:
    """Return an engine over ``data`` and its strategy; the default models, logging off."""
    engine = BacktestEngine(config=BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        venue=_VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=USD,
        starting_balances=[Money(1_000_000, USD)],
        book_type=BookType.L1_MBP if as_quotes else BookType.L2_MBP,
    )
    step = Price(tick_size, precision)
    engine.add_instrument(Equity(_ID, Symbol("ITEM"), USD, precision, step, Quantity.from_int(1), 0, 0))
    engine.add_data(data)
    strategy = Empty(as_quotes)
    engine.add_strategy(strategy)
    return engine, strategy


def final_book(engine: Any, tick_size: Decimal, as_quotes: bool) -> list[int]:
    """Return best bid and ask in ticks and lots."""
    if as_quotes:
        tick = engine.cache.quote_tick(_ID)
        pairs = ((tick.bid_price, tick.bid_size), (tick.ask_price, tick.ask_size))
    else:
        book = engine.cache.order_book(_ID)
        pairs = ((book.best_bid_price(), book.best_bid_size()), (book.best_ask_price(), book.best_ask_size()))
    return [number for price, size in pairs for number in (round(price.as_decimal() / tick_size), round(float(size)))]


def _main() -> None:
    warnings.simplefilter("ignore")  # deprecations between Nautilus and pandas are not ours to mend
    events, tick_size, as_quotes = np.load(sys.argv[1]), Decimal(sys.argv[2]), sys.argv[3] == "quotes"
    precision = max(0, -int(tick_size.normalize().as_tuple().exponent))
    data = (quotes if as_quotes else deltas)(events, tick_size, precision)
    warm_up, _ = engine_with(data[:10_000], tick_size, precision, as_quotes)
    warm_up.run()
    warm_up.dispose()
    print(json.dumps({"ready": f"nautilus_trader {version('nautilus_trader')}"}), flush=True)
    for _ in sys.stdin:
        engine, strategy = engine_with(data, tick_size, precision, as_quotes)
        began, cpu_began = time.perf_counter(), time.process_time()
        engine.run()
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        book = final_book(engine, tick_size, as_quotes)
        answer = {"seconds": seconds, "cpu_s": cpu_s, "callbacks": strategy.callbacks, "book": book}
        engine.dispose()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main()
