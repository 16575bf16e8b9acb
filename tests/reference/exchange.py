"""The simulated exchange as its definition: objects, lists sorted by price and time whenever somebody asks.

Written from the documents of the exchange, not from its kernels: a run of events and of a script's rows gives the
reports that the client receives. Conventions where the documents leave a choice, after FIX 4.4 and CME Globex:

- a report carries the order's price after NEW and REPLACED, the trade's after TRADE, and else none that counts;
- of prints that fill several orders at once, the order that was sent first is reported first;
- an order that is past its expiry on arrival is accepted and expires; one that arrives at that moment trades first;
- self-trade prevention that ends an incoming order ends the slice of an algorithm, not the whole;
- a print dates what it fills; an arrival that waits for the end of a source event keeps its own time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from chimera_platform.execution.records import Liquidity, OrderReason, OrderType, TimeInForce
from chimera_platform.execution.reports import ReportKind
from chimera_platform.market.events import EventFlag, EventKind, StatusCode
from tests.reference.book import ReferenceBook
from tests.reference.exchange_queues import ImpactHistory, JoinedOrders, ahead_after, shown_at

SECOND = 1_000_000_000
WEEK = 7 * 86_400 * SECOND
RESTING_TYPES = (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.ICEBERG, OrderType.POST_ONLY)
STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)
ALGORITHMS = (OrderType.TWAP, OrderType.VWAP)
IN_FLIGHT, WAITING, WORKING, DONE = "in flight", "waiting", "working", "done"
_MASK = 2**64 - 1
# What of a report counts; the price of what is neither NEW, TRADE nor REPLACED is nobody's.
FIELDS = (
    "order_no", "exec_no", "ts_venue", "ts_received", "lots", "size", "filled", "bid_price", "ask_price", "reason",
    "kind", "liquidity", "side",
)  # fmt: skip
PRICED = (ReportKind.NEW, ReportKind.TRADE, ReportKind.REPLACED)


def uniform(seed: int, counter: int) -> float:
    """SplitMix64's number at ``counter``, in [0, 1)."""
    z = (seed + 0x9E3779B97F4A7C15 * (counter + 1)) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((z ^ (z >> 31)) >> 11) * 2.0**-53


@dataclass
class Message:
    """A cancel or a replacement on its way."""

    ts: int
    refusal: OrderReason
    price: int = 0
    size: int = 0


@dataclass
class Order:
    """One order as the venue sees it."""

    no: int
    side: int
    kind: OrderType
    time_in_force: TimeInForce
    size: int
    price: int
    stop: int
    display: int
    expires: float
    end: int
    arrives: int
    refusal: OrderReason
    state: str = IN_FLIGHT
    filled: int = 0
    shown: int = 0
    priority: int = 0
    ahead: float = math.inf
    level: float = math.inf
    traded: float = 0.0
    cancel: Message | None = None
    replace: Message | None = None
    is_triggered: bool = False
    start: int = 0
    volume: int = 0
    expected: float = 0.0
    next_slice: float = math.inf
    matched: int = field(default=0)

    @property
    def rest(self) -> int:
        return self.size - self.filled

    @property
    def rests(self) -> bool:
        return self.state == WORKING and self.kind in RESTING_TYPES

    @property
    def has_limit(self) -> bool:
        return self.kind in RESTING_TYPES or (self.kind in ALGORITHMS and self.price != 0)

    @property
    def open_part(self) -> int:
        return min(self.shown, self.rest) if self.kind is OrderType.ICEBERG else self.rest


class NaiveExchange:
    """One instrument of a venue; ``reports`` are those of the venue in their order, as dictionaries."""

    def __init__(self, settings: Any) -> None:
        self.settings, self.book = settings, ReferenceBook(4096)
        self.orders: list[Order] = []
        self.reports: list[dict[str, Any]] = []
        self.consumed: dict[tuple[int, int], int] = {}
        self.joined, self.impact = JoinedOrders(), ImpactHistory(settings)
        self.is_tradable, self.is_complete, self.is_closed = False, True, False
        self.bid = self.ask = self.messages = self.next_priority = 0
        self.last_trade: int | None = None
        self.tokens, self.tokens_at = Fraction(settings.message_burst), None

    # ---- messages -------------------------------------------------------------------------------------------

    def latency(self, leg: str, number: int, counter: int) -> int:
        table = getattr(self.settings, f"{leg}_latency_quantiles_ns") or (getattr(self.settings, f"{leg}_latency_ns"),)
        rank = uniform(self.settings.seed + number, counter) * (len(table) - 1)
        below = max(min(int(rank), len(table) - 2), 0)
        above = min(below + 1, len(table) - 1)
        return table[below] + int((table[above] - table[below]) * (rank - below))

    def arrival(self, ts: int) -> int:
        counter, self.messages = self.messages, self.messages + 1
        return ts + self.latency("feed", 1, counter) + self.latency("order", 0, counter)

    def is_throttled(self, ts: int) -> bool:
        rate, burst = self.settings.messages_per_second, self.settings.message_burst
        if rate == 0:
            return False
        if self.tokens_at is not None:
            self.tokens = min(Fraction(burst), self.tokens + Fraction(max(ts - self.tokens_at, 0) * rate, SECOND))
        self.tokens_at = ts if self.tokens_at is None else max(ts, self.tokens_at)
        if self.tokens < 1:
            return True
        self.tokens -= 1
        return False

    def send(self, row: Any) -> None:
        if row["action"] == 1:
            return self.send_order(row)
        order = next(o for o in self.orders if o.no == row["id"])
        ts = int(row["ts"])
        if (order.cancel if row["action"] == 2 else order.replace) is not None:
            return None
        refusal = OrderReason.THROTTLED if self.is_throttled(ts) else OrderReason.NONE
        arrives = max(self.arrival(ts), order.arrives)
        if row["action"] == 2:
            order.cancel = Message(max(arrives, order.replace.ts if order.replace else 0), refusal)
        else:
            arrives = max(arrives, order.cancel.ts + 1 if order.cancel else 0)
            order.replace = Message(arrives, refusal, int(row["price"]), int(row["size"]))
        return None

    def send_order(self, row: Any) -> None:
        ts, refusal = int(row["ts"]), OrderReason.NONE
        if self.is_throttled(ts):
            refusal = OrderReason.THROTTLED
        elif uniform(self.settings.seed + 3, self.messages) < self.settings.reject_probability:
            refusal = OrderReason.VENUE_REJECT
        values = [int(row[name]) for name in ("size", "price", "stop_price", "display_size")]
        expires = int(row["expire_ts"]) or math.inf
        kind, time_in_force = OrderType(int(row["order_type"])), TimeInForce(int(row["time_in_force"]))
        head = (int(row["id"]), int(row["side"]), kind, time_in_force)
        self.orders.append(Order(*head, *values, expires, int(row["end_ts"]), self.arrival(ts), refusal))

    # ---- reports --------------------------------------------------------------------------------------------

    def report(
        self,
        order: Order,
        kind: ReportKind,
        ts: int,
        reason: int = 0,
        price: int = 0,
        lots: int = 0,
        liquidity: int = 0,
    ) -> None:
        received = ts + self.latency("report", 2, self.messages)
        self.messages += 1
        if self.reports:
            received = max(received, self.reports[-1]["ts_received"])
        self.reports.append(
            {
                "order_no": order.no, "exec_no": len(self.reports), "ts_venue": ts, "ts_received": received,
                "price": price, "lots": lots, "size": order.size, "filled": order.filled, "bid_price": self.bid,
                "ask_price": self.ask, "reason": int(reason), "kind": int(kind), "liquidity": int(liquidity),
                "side": order.side,
            }
        )  # fmt: skip

    def end(self, order: Order, kind: ReportKind, reason: OrderReason, ts: int) -> None:
        order.state = DONE
        self.report(order, kind, ts, reason)

    def fill(self, order: Order, price: int, lots: int, liquidity: Liquidity, ts: int) -> None:
        assert 0 < lots <= order.rest
        order.filled += lots
        order.shown = max(order.shown - lots, 0)
        if order.rest == 0:
            order.state = DONE
        self.report(order, ReportKind.TRADE, ts, 0, price, lots, liquidity)

    # ---- the book and own orders ----------------------------------------------------------------------------

    def line(self, side: int) -> list[Order]:
        """Resting orders of a side, by price and time."""
        return sorted(
            (o for o in self.orders if o.rests and o.side == side), key=lambda o: (-side * o.price, o.priority)
        )

    def touch(self, side: int) -> int:
        """The best price that a taker of ``side`` meets."""
        return self.book.best(-side)[0]

    def show(self, order: Order) -> None:
        """Join the end of the queue, an iceberg with its next part."""
        order.priority, self.next_priority = self.next_priority, self.next_priority + 1
        order.shown = min(order.display or order.rest, order.rest) if order.kind is OrderType.ICEBERG else order.rest
        order.ahead = order.level = shown_at(self.book, order.side, order.price)
        order.traded = 0.0

    def worst(self, order: Order) -> int:
        if order.has_limit:
            return order.price
        touch = self.touch(order.side)
        return touch + order.side * (abs(touch) * self.settings.protection_ppm // 1_000_000)

    def offers(self, order: Order, ts: int) -> list[tuple[int, Order | None, int, int]]:
        """What ``order`` meets now, best first: (price, own order or None, lots, the level's own price).

        A walk ends where the first level begins that is one too many: own orders from there on are not met.
        """
        side, slip, worst = order.side, self.impact.ticks(order.side, ts), self.worst(order)
        levels, depth = self.book.levels(-side), self.settings.max_walk_levels
        end = levels[depth][0] + side * slip - (side if not slip else 0) if len(levels) > depth else worst
        last = worst if side * (end - worst) > 0 else end
        own = [o for o in self.line(-side) if side * (last - o.price) >= 0]
        met = [((side * o.price, 1, o.priority, 0), (o.price, o, o.open_part, 0)) for o in own]
        for level, shown in levels[:depth]:
            price = level + side * slip
            if side * (worst - price) < 0:
                continue
            # One entry a lot: each stands before or behind each own order of its price; with impact behind all.
            for lot in range(self.consumed.get((side, level), 0), shown):
                behind = [o.priority for o in own if o.price == level and lot + 1 > o.ahead] if not slip else []
                rank = (1, max(behind), 1) if behind else (0 if not slip else 2, 0, 0)
                met.append(((side * price, *rank), (price, None, 1, level)))
        return [offer for _, offer in sorted(met, key=lambda entry: entry[0])]

    def takeable(self, order: Order, ts: int) -> int:
        """Lots that ``order`` could trade now if it were large."""
        total, policy = 0, self.settings.self_trade_prevention
        for _, own, lots, _ in self.offers(order, ts):
            if own and policy in ("cancel_incoming", "cancel_both"):
                break
            total += lots if not own else (own.rest if policy == "none" else 0)
        return total

    def take(self, order: Order, goal: int, ts: int) -> bool:
        """Trade up to ``goal`` filled lots; False where self-trade prevention ends the order."""
        policy = self.settings.self_trade_prevention
        taken, goes_on = 0, True
        while goes_on and order.filled < goal:
            offers = self.offers(order, ts)
            if not offers:
                break
            price, own, lots, level = offers[0]
            if own is None:
                run = 0
                for offer in offers:
                    if offer[0] != price or offer[1] is not None:
                        break
                    run += 1
                lots = min(run, goal - order.filled)
                self.consumed[order.side, level] = self.consumed.get((order.side, level), 0) + lots
                self.fill(order, price, lots, Liquidity.TAKER, ts)
                taken += lots
            elif policy == "none":
                lots = min(lots, goal - order.filled)
                self.fill(order, price, lots, Liquidity.TAKER, ts)
                self.fill(own, price, lots, Liquidity.MAKER, ts)
                if own.rests and own.shown == 0:
                    self.show(own)
            else:
                if policy != "cancel_incoming":
                    self.end(own, ReportKind.CANCELLED, OrderReason.SELF_TRADE, ts)
                goes_on = policy == "cancel_resting"
        if taken:
            self.impact.take(order.side, taken, ts)
        return goes_on

    # ---- an order's steps -----------------------------------------------------------------------------------

    def refusal(self, order: Order) -> OrderReason:
        """Why the venue does not take the order as it stands."""
        touch, settings = self.touch(order.side), self.settings
        if not self.is_tradable:
            return OrderReason.VENUE_CLOSED
        if order.size < 1 or 0 < settings.max_order_lots < order.size:
            return OrderReason.SIZE_LIMIT
        band = abs(touch) * settings.price_band_ppm // 1_000_000
        if settings.price_band_ppm and order.has_limit and order.side * (order.price - touch) > band:
            return OrderReason.PRICE_BAND
        if order.kind in STOPS and order.state in (IN_FLIGHT, WAITING) and self.is_stop_reached(order):
            return OrderReason.STOP_REACHED
        crosses = [o for o in self.line(-order.side) if order.side * (order.price - o.price) >= 0]
        if order.kind is OrderType.POST_ONLY and (crosses or order.side * (order.price - touch) >= 0):
            return OrderReason.WOULD_TAKE
        return OrderReason.NONE

    def is_stop_reached(self, order: Order) -> bool:
        at = self.touch(order.side) if self.last_trade is None else self.last_trade
        return order.side * (at - order.stop) >= 0

    def arrive(self, order: Order) -> None:
        ts = order.arrives
        reason = order.refusal or self.refusal(order)
        if reason:
            return self.end(order, ReportKind.REJECTED, reason, ts)
        order.state = WAITING if order.kind in STOPS else WORKING
        self.report(order, ReportKind.NEW, ts, price=order.price)
        if order.expires < ts:
            return self.end(order, ReportKind.EXPIRED, OrderReason.TIME_TO_LIVE, ts)
        if order.kind in ALGORITHMS:
            return self.start_algorithm(order)
        return self.enter(order, ts) if order.state == WORKING else None

    def enter(self, order: Order, ts: int) -> None:
        if order.time_in_force is TimeInForce.FOK and self.takeable(order, ts) < order.rest:
            return self.end(order, ReportKind.CANCELLED, OrderReason.NOT_ALL_AT_ONCE, ts)
        order.state = "taking"  # it does not rest yet
        goes_on = self.take(order, order.size, ts)
        if order.state == DONE:
            return None
        order.state = WORKING
        if not goes_on:
            return self.end(order, ReportKind.CANCELLED, OrderReason.SELF_TRADE, ts)
        immediate = order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
        if immediate or order.kind not in RESTING_TYPES:
            return self.end(order, ReportKind.CANCELLED, OrderReason.NO_LIQUIDITY, ts)
        return self.show(order)

    def cancelled(self, order: Order) -> None:
        message, order.cancel = order.cancel, None
        if order.state == DONE:
            self.report(order, ReportKind.CANCEL_REJECTED, message.ts, OrderReason.TOO_LATE)
        elif message.refusal:
            self.report(order, ReportKind.CANCEL_REJECTED, message.ts, message.refusal)
        else:
            self.end(order, ReportKind.CANCELLED, OrderReason.NONE, message.ts)

    def replaced(self, order: Order) -> None:
        message, order.replace = order.replace, None
        if order.state == DONE or message.refusal:
            reason = OrderReason.TOO_LATE if order.state == DONE else message.refusal
            return self.report(order, ReportKind.CANCEL_REJECTED, message.ts, reason)
        is_stop_price = order.kind is OrderType.STOP
        before = (order.price, order.stop, order.size)
        order.size = message.size
        order.price, order.stop = (order.price, message.price) if is_stop_price else (message.price, order.stop)
        reason = self.refusal(order)
        if reason:
            order.price, order.stop, order.size = before
            return self.report(order, ReportKind.CANCEL_REJECTED, message.ts, reason)
        if order.size <= order.filled:
            order.price, order.stop, order.size = before
            return self.end(order, ReportKind.CANCELLED, OrderReason.NONE, message.ts)
        keeps = (order.price, order.stop) == before[:2] and order.size <= before[2]
        self.report(order, ReportKind.REPLACED, message.ts, price=order.price)
        if order.kind in ALGORITHMS:
            return self.plan_slice(order, message.ts)
        if order.state == WORKING and keeps:
            order.shown = min(order.shown, order.rest)
            return None
        return self.enter(order, message.ts) if order.state == WORKING else None

    # ---- slices ---------------------------------------------------------------------------------------------

    def slices(self, order: Order) -> int:
        wanted = min(-(-order.size // order.display), 1000) if order.display else 10
        return max(min(wanted, order.size), 1)

    def start_algorithm(self, order: Order) -> None:
        order.start = order.arrives
        order.end = max(min(order.end, order.start + WEEK), order.start)
        order.expected = self.impact.rates()[0] * (order.end - order.start) / SECOND
        order.next_slice = order.end if self.follows(order) else order.start

    def follows(self, order: Order) -> bool:
        """A VWAP follows the market's volume where at least a lot of it is to be expected."""
        return order.kind is OrderType.VWAP and order.expected >= 1

    def goal(self, order: Order, ts: int) -> int:
        """Lots that the order is to have traded with the slice at ``ts``."""
        count, span = self.slices(order), order.end - order.start
        if ts >= order.end:
            return order.size
        if self.follows(order):
            due = min(int(order.volume * count / order.expected), count)
        else:
            due = len([j for j in range(count) if order.start * count + j * span <= ts * count])
        return order.size * due // count

    def plan_slice(self, order: Order, ts: int) -> None:
        """When the next slice is due after what was sent at ``ts``; volume may make it earlier."""
        count, span = self.slices(order), order.end - order.start
        later = [] if self.follows(order) else [order.start - -j * span // count for j in range(count)]  # rounded up
        order.next_slice = min([at for at in later if at > ts], default=order.end)

    def slice(self, order: Order, ts: int) -> None:
        """Ask for what the schedule has not got; at the end for all that is left, and then no more."""
        goal, goes_on = self.goal(order, ts), True
        self.plan_slice(order, ts)
        if self.is_tradable and goal > order.filled:
            goes_on = self.take(order, goal, ts)
        if order.state == WORKING and ts >= order.end:
            reason = OrderReason.NO_LIQUIDITY if self.is_tradable else OrderReason.VENUE_CLOSED
            self.end(order, ReportKind.CANCELLED, reason if goes_on else OrderReason.SELF_TRADE, ts)

    def see_volume(self, order: Order, lots: int, ts: int) -> None:
        """Let an order that follows volume see a print; being behind its share of it makes a slice due."""
        order.volume += lots
        if self.goal(order, ts) > order.filled:
            order.next_slice = min(order.next_slice, ts)

    # ---- what the market does -------------------------------------------------------------------------------

    def pass_time(self, ts: int) -> None:
        """All that is due before ``ts``, in the order of time, then of sending."""
        while True:
            due = [(self.due(order), order.no, order) for order in self.orders]
            due = [entry for entry in due if entry[0] < ts]
            if not due:
                return
            at, _, order = min(due, key=lambda entry: entry[:2])
            if order.state == IN_FLIGHT:
                self.arrive(order)
            elif order.replace and order.replace.ts == at and self.is_complete:
                self.replaced(order)
            elif order.cancel and order.cancel.ts == at:
                self.cancelled(order)
            elif order.expires == at:
                self.end(order, ReportKind.EXPIRED, OrderReason.TIME_TO_LIVE, int(at))
            else:
                self.slice(order, int(at))

    def due(self, order: Order) -> float:
        if order.state == IN_FLIGHT:
            return order.arrives if self.is_complete else math.inf
        times = [order.cancel.ts] if order.cancel else []
        times += [order.replace.ts] if order.replace and self.is_complete else []
        if order.state != DONE:
            times += [order.expires]
            times += [order.next_slice] if self.is_complete else []
        return min(times, default=math.inf)

    def exact_queues(self, event: Any) -> None:
        """Under EXACT: who leaves ahead of own orders, who joins behind them."""
        kind, lots, order_id = EventKind(int(event["kind"])), int(event["size"]), int(event["order_id"])
        known = kind in (EventKind.ADD, EventKind.CANCEL, EventKind.DELETE) and order_id
        if self.settings.queue_model != "exact" or int(event["flags"]) & EventFlag.SNAPSHOT or not known:
            return
        here = [o for o in self.orders if o.rests and (o.side, o.price) == (int(event["side"]), int(event["price"]))]
        if kind is EventKind.ADD:
            if here and lots > 0:
                self.joined.known[order_id] = [self.next_priority, lots]
            return
        joined = self.joined.behind(order_id)
        for order in here:
            if joined is None or joined <= order.priority:
                order.ahead = max(order.ahead - lots, 0.0)
        self.joined.shrink(order_id, lots)

    def print(self, event: Any, ts: int) -> None:
        """Share a print out: each lot goes to the first in its queue, an own order or somebody else."""
        is_execution, price, lots = event["kind"] == EventKind.EXECUTE, int(event["price"]), int(event["size"])
        resting_side = int(event["side"]) if is_execution else -int(event["side"])
        behind = None
        if self.settings.queue_model == "exact" and is_execution and event["order_id"]:
            behind = self.joined.behind(int(event["order_id"]))
            self.joined.shrink(int(event["order_id"]), lots)
        left = float(lots)
        for side in (1, -1):
            if resting_side == -side:
                continue
            others = 0.0  # lots of the market's queue at the price that this print takes
            for order in [o for o in self.line(side) if side * (o.price - price) >= 0]:
                if order.price == price:
                    if behind is not None and order.priority < behind:
                        order.ahead = others
                    first = min(max(order.ahead - others, 0.0), left)
                    others, left = others + first, left - first
                    order.ahead = max(order.ahead - others, 0.0)
                    order.traded += lots
                order.matched = min(order.open_part if order.price == price else order.rest, math.floor(left + 0.5))
                left = max(left - order.matched, 0.0)
        for order in self.orders:
            if order.matched:
                matched, order.matched = order.matched, 0
                self.fill(order, order.price, matched, Liquidity.MAKER, ts)

    def before(self, event: Any, ts: int) -> None:
        self.pass_time(ts)
        self.exact_queues(event)
        flags = int(event["flags"])
        is_trade = event["kind"] in (EventKind.TRADE, EventKind.EXECUTE) and not flags & EventFlag.SNAPSHOT
        if not is_trade or not self.is_tradable:
            return
        for order in self.orders:
            if order.state == WAITING and order.side * (int(event["price"]) - order.stop) >= 0:
                order.is_triggered = True
            if order.state == WORKING and self.follows(order):
                self.see_volume(order, int(event["size"]), ts)
        if not flags & EventFlag.HIDDEN and event["size"] > 0:
            self.print(event, ts)

    def after(self, event: Any, ts: int) -> None:
        kind, flags = event["kind"], int(event["flags"])
        if kind in (EventKind.TRADE, EventKind.EXECUTE) and not flags & EventFlag.SNAPSHOT:
            self.last_trade = int(event["price"])
        if kind == EventKind.STATUS and event["price"] in (StatusCode.SESSION_CLOSE, StatusCode.SESSION_OPEN):
            self.is_closed = event["price"] == StatusCode.SESSION_CLOSE
        self.is_complete = bool(flags & EventFlag.LAST)
        if self.is_complete:
            self.is_tradable = self.book.is_tradable()
            if self.is_tradable:
                self.bid, self.ask = self.book.best(1)[0], self.book.best(-1)[0]
            if self.book.is_trusted():
                shown = {key: self.book.sides[-key[0]].get(key[1], 0) for key in self.consumed}
                self.consumed = {key: min(lots, shown[key]) for key, lots in self.consumed.items() if shown[key]}
        self.impact.follow(event, self.is_tradable, (self.bid + self.ask) / 2)
        if self.is_complete:
            self.at_last(ts)

    def at_last(self, ts: int) -> None:
        if self.is_closed:
            for order in self.orders:
                if order.state in (WAITING, WORKING) and order.time_in_force is TimeInForce.DAY:
                    self.end(order, ReportKind.EXPIRED, OrderReason.SESSION_CLOSE, ts)
        if not self.is_tradable:
            return
        settings = self.settings
        for order in [o for o in self.orders if o.rests]:
            shown = shown_at(self.book, order.side, order.price)
            if shown != order.level:
                before = (order.ahead, order.level, order.traded)
                order.ahead = ahead_after(str(settings.queue_model), settings.queue_power, *before, shown)
                order.level, order.traded = shown, 0.0
        for side in (1, -1):
            for order in self.line(side):
                self.cross(order, ts)
        for order in self.orders:
            if order.rests and order.shown == 0:
                self.show(order)
        while waiting := [o for o in self.orders if o.state == WAITING and self.is_released(o)]:
            waiting[0].state = WORKING
            self.report(waiting[0], ReportKind.TRIGGERED, ts)
            self.enter(waiting[0], ts)

    def is_released(self, order: Order) -> bool:
        return order.is_triggered or (self.last_trade is None and self.is_stop_reached(order))

    def cross(self, order: Order, ts: int) -> None:
        """Trade a resting order with the displayed lots that have come to its price."""
        lots = 0
        for price, shown in self.book.levels(-order.side)[: self.settings.max_walk_levels]:
            if order.side * (order.price - price) >= 0:
                had = self.consumed.get((order.side, price), 0)
                now = min(shown - had, order.rest - lots)
                lots += now
                self.consumed[order.side, price] = had + now
        if lots:
            self.fill(order, order.price, lots, Liquidity.MAKER, ts)

    # ---- the run --------------------------------------------------------------------------------------------

    def run(self, events: Any, script: Any) -> list[dict[str, Any]]:
        rows = list(script)
        for event in events:
            ts = int(event["ts_event"])
            while rows and rows[0]["ts"] <= ts:
                self.send(rows.pop(0))
            self.before(event, ts)
            self.book.apply(event)
            self.after(event, ts)
        return self.reports


def plain(reports: Any) -> list[dict[str, int]]:
    """Reports as dictionaries of what counts of them."""
    rows = []
    for report in reports:
        row = {name: int(report[name]) for name in FIELDS}
        rows.append({**row, "price": int(report["price"]) if row["kind"] in PRICED else 0})
    return rows
