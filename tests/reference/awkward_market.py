"""A market that does everything a book must not do, in turns with ordinary trading, seeded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode

LAST, SNAPSHOT = int(EventFlag.LAST), int(EventFlag.SNAPSHOT)
SECOND, HOUR = 10**9, 3_600 * 10**9
Row = dict[str, int]


class AwkwardMarket:
    """Writes records of one instrument; every method is one awkward episode."""

    def __init__(self, rng: np.random.Generator, instrument_id: int, far: tuple[int, ...]) -> None:
        self.rng, self.instrument_id, self.far, self.mid = rng, instrument_id, far, 200_000
        self.ts, self.rows = 1_400_000_000 * SECOND, list[Row]()
        self.levels = 4_200  # more than a book holds

    def say(self, kind: EventKind, price: int = 0, size: int = 0, side: int = 0, wait_ns: int = 0, **more: int) -> None:
        self.ts += wait_ns
        row = {"kind": int(kind), "price": price, "size": size, "side": side, "flags": LAST, "ts_event": self.ts}
        self.rows.append(row | {"seq": len(self.rows), "instrument_id": self.instrument_id} | more)

    def status(self, code: StatusCode) -> None:
        self.say(EventKind.STATUS, int(code))

    def snapshot(self, levels: int = 10) -> None:
        """Clear the book and send it anew."""
        self.say(EventKind.CLEAR, flags=0)
        for k in range(1, levels + 1):
            for side in (1, -1):
                last = LAST if k == levels and side < 0 else 0
                self.say(
                    EventKind.LEVEL, self.mid - side * k, int(self.rng.integers(1, 60)), side, flags=SNAPSHOT | last
                )

    # ---- ordinary trading -----------------------------------------------------------------------------------

    def trading(self, count: int = 400, wait_ns: int = 400_000_000) -> None:
        """Levels, prints, sweeps, refills; pressure from one side, then the other; a drift."""
        pressure = float(self.rng.normal())
        for _ in range(count):
            wait = int(self.rng.integers(0, 2 * wait_ns))
            draw, side = self.rng.random(), 1 if self.rng.random() < 0.5 else -1
            if draw < 0.05:
                self.sweep(1 if self.rng.normal() < pressure else -1)
            elif draw < 0.3:
                aggressor = 1 if self.rng.normal() < pressure else -1
                self.say(EventKind.TRADE, self.mid + aggressor, int(self.rng.integers(1, 90)), aggressor, wait)
            else:
                lots = max(1, int(self.rng.integers(1, 60) * np.exp(pressure * side)))
                lots = 0 if self.rng.random() < 0.05 else lots
                self.say(EventKind.LEVEL, self.mid - side * int(self.rng.integers(1, 11)), lots, side, wait)

    def sweep(self, side: int) -> None:
        """One side takes six levels within milliseconds; the book follows."""
        for k in range(1, 7):
            self.say(EventKind.TRADE, self.mid + side * k, 70, side, 1_000_000)
            self.say(EventKind.LEVEL, self.mid + side * k, 0, -side)
        self.mid += side * 6
        for k in range(1, 11):
            self.say(EventKind.LEVEL, self.mid - side * k, 30, side)
            self.say(EventKind.LEVEL, self.mid + side * k, 30, -side)

    # ---- what must not happen -------------------------------------------------------------------------------

    def locked(self) -> None:
        self.say(EventKind.LEVEL, self.mid + 1, 9, 1)
        self.trading(40)
        self.snapshot()

    def crossed(self) -> None:
        self.say(EventKind.LEVEL, self.mid + 400, 9, 1)
        self.trading(40)
        self.snapshot()

    def one_sided(self) -> None:
        side = int(self.rng.choice([-1, 1]))
        for k in range(-30, 31):
            self.say(EventKind.LEVEL, self.mid + k, 0, side)
        for _ in range(30):
            self.say(EventKind.TRADE, self.mid, 5, side, SECOND)
        self.say(EventKind.CLEAR)
        self.trading(10)
        self.snapshot()

    def zero_and_negative_sizes(self) -> None:
        for kind in (EventKind.TRADE, EventKind.ADD, EventKind.EXECUTE, EventKind.CANCEL, EventKind.DELETE):
            for size in (0, -5):
                for side in (-1, 0, 1):
                    self.say(kind, self.mid + side, size, side, SECOND // 10)
        self.say(EventKind.LEVEL, self.mid - 3, -7, 1)
        self.say(EventKind.LEVEL, self.mid - 3, 4, 0)
        self.say(EventKind.QUOTE, self.mid - 1, 0, ask_price=self.mid + 1, ask_size=0)
        self.say(EventKind.QUOTE, self.mid - 1, -4, ask_price=self.mid + 1, ask_size=4)
        self.snapshot()

    def far_prices(self) -> None:
        usual, self.mid = self.mid, int(self.rng.choice(self.far))
        self.snapshot()
        self.trading(120)
        self.mid = usual
        self.snapshot()
        self.say(EventKind.LEVEL, 2 * max(self.far), 2**40, -1)  # a stub quote: the touch where the near asks go
        self.say(EventKind.TRADE, self.mid, 2**40, 1)

    def thousands_of_levels(self) -> None:
        for k in range(1, self.levels + 1):
            self.say(EventKind.LEVEL, self.mid - 10 - k, 1, 1)
            self.say(EventKind.LEVEL, self.mid + 10 + k, 1, -1)
        self.levels = 200  # once is enough
        self.trading(60)
        self.snapshot()

    def burst_at_one_time(self) -> None:
        self.trading(800, wait_ns=1)
        now = self.ts
        self.trading(300)
        for row in self.rows[-300:]:
            row["ts_event"] = now
        self.ts = now

    def session_break(self) -> None:
        self.status(StatusCode.SESSION_CLOSE)
        self.trading(30)
        self.ts += int(self.rng.choice([2, 16, 65])) * HOUR
        self.status(StatusCode.SESSION_OPEN)
        self.mid += int(self.rng.integers(-500, 500))
        self.snapshot()

    def halt(self) -> None:
        self.status(StatusCode.HALT)
        self.trading(60)
        self.status(StatusCode.RESUME)

    def gap(self) -> None:
        self.status(StatusCode.GAP)
        self.trading(30)
        self.snapshot()

    def clock_steps_back(self) -> None:
        self.ts -= 3 * SECOND
        self.trading(20)

    def open_source_event(self) -> None:
        """Records of one source event that takes long to be complete."""
        for k in range(1, 6):
            self.say(EventKind.LEVEL, self.mid - k, 800, 1, SECOND // 5, flags=0)
        self.say(EventKind.LEVEL, self.mid - 1, 800, 1)

    def unknown_orders(self) -> None:
        self.say(EventKind.MODIFY, self.mid, 5, 1, order_id=99)
        self.trading(10)
        self.snapshot()


EPISODES: tuple[Callable[[AwkwardMarket], None], ...] = (
    AwkwardMarket.locked,
    AwkwardMarket.crossed,
    AwkwardMarket.one_sided,
    AwkwardMarket.zero_and_negative_sizes,
    AwkwardMarket.far_prices,
    AwkwardMarket.thousands_of_levels,
    AwkwardMarket.burst_at_one_time,
    AwkwardMarket.session_break,
    AwkwardMarket.halt,
    AwkwardMarket.gap,
    AwkwardMarket.clock_steps_back,
    AwkwardMarket.open_source_event,
    AwkwardMarket.unknown_orders,
)


def awkward(
    seed: int, rounds: int = 3, instrument_id: int = 0, far: tuple[int, ...] = (1_000_000, 90_000)
) -> np.ndarray[Any, Any]:
    """Return EVENT_DTYPE records of one instrument: every episode ``rounds`` times in random order, trading between.

    Prices of ``far`` ticks come and go; a position held through them may leave what an account counts exactly."""
    rng = np.random.default_rng(seed)
    market = AwkwardMarket(rng, instrument_id, far)
    market.trading(20)  # before there is any book
    market.snapshot()
    for _ in range(rounds):
        for k in rng.permutation(len(EPISODES)):
            market.trading(300)
            EPISODES[k](market)
    market.trading(300)
    events = np.zeros(len(market.rows), EVENT_DTYPE)
    for name in EVENT_DTYPE.names or ():
        events[name] = [row.get(name, 0) for row in market.rows]
    events["ts_recv"] = events["ts_event"]
    return events
