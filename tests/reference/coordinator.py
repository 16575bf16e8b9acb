"""The coordinator and its simulated venue as their definition: objects, lists, sums taken when asked.

Nothing is kept in step that could be counted: exposure, equity and reservations are summed from orders and positions
each time. The compiled loop must write the same rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from chimera_platform.execution.records import (
    DecisionReason,
    Engine,
    Liquidity,
    OrderReason,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from chimera_platform.market.events import EventFlag, EventKind
from tests.reference.accounting import Holding, NaiveAccount
from tests.reference.book import ReferenceBook

ENTRY, EXIT = False, True


@dataclass
class Order:
    """One order from sending to its end."""

    order_no: int
    intent_no: int
    instrument: int
    engine: int
    is_exit: bool
    side: int
    size: int
    reason: OrderReason
    sent: int
    arrives: int
    decision: tuple[int, int]
    price: int = 0
    kind: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.IOC
    expires: float = math.inf
    cancelled: float = math.inf
    cancel_reason: OrderReason = OrderReason.NONE
    reserved_per_lot: int = 0
    status: OrderStatus = OrderStatus.PENDING_NEW
    filled: int = 0
    is_open: bool = True
    at_venue: bool = False
    ahead: float = math.inf
    cross_taken: int = 0

    @property
    def rest(self) -> int:
        return self.size - self.filled


@dataclass
class Plan:
    """What the engine asked for its position."""

    intent: Any = None
    intent_no: int = 0
    deadline: int = 0
    exit_reason: OrderReason | None = None
    next_mark: int = 0


class Market:
    """One instrument as the coordinator sees it."""

    def __init__(self) -> None:
        self.book = ReferenceBook(4096)
        self.bid = self.ask = 0
        self.is_tradable = self.is_marked = False
        self.is_complete = True

    def refresh(self) -> None:
        self.is_tradable = self.book.is_tradable()
        if self.is_tradable:
            self.bid, self.ask = self.book.best(1)[0], self.book.best(-1)[0]

    def shown(self, side: int, price: int) -> float:
        """Lots shown at a price; infinity beyond what is shown."""
        levels = self.book.levels(side)
        if not levels or side * (levels[-1][0] - price) > 0:
            return math.inf
        return self.book.sides[side].get(price, 0)

    def against(self, side: int, worst: int, depth: int) -> list[tuple[int, int]]:
        """Levels of the opposite side, no worse than ``worst``, from the touch."""
        return [level for level in self.book.levels(-side)[:depth] if side * (worst - level[0]) >= 0]


class NaiveCoordinator:
    """Runs events and intents one by one; collects rows as dicts."""

    def __init__(self, universe: Any, configuration: Any) -> None:
        self.records = universe.records
        self.risk, self.allocator = configuration.risk, configuration.allocator
        self.venue, self.settings = configuration.venue, configuration.account
        self.account = NaiveAccount(self.settings.starting_equity_nanos, self.records)
        self.markets = [Market() for _ in universe.symbols]
        self.plans = {(i, e): Plan() for i in range(len(universe.symbols)) for e in Engine}
        self.orders: list[Order] = []
        self.weights = dict.fromkeys(Engine, 1.0)
        self.sent_times: list[int] = []
        self.peak = self.account.cash
        self.order_count = self.release_no = 0
        self.closing = False
        self.rows: dict[str, list[dict[str, Any]]] = {"decisions": [], "orders": [], "fills": [], "marks": []}

    # ---- sums -----------------------------------------------------------------------------------------------

    def holding(self, i: int, e: int) -> Holding:
        return self.account.holdings.setdefault((i, e), Holding())

    def value(self, i: int, e: int) -> int:
        market, tick_value = self.markets[i], int(self.records[i]["tick_value_nanos"])
        return self.holding(i, e).lots * (market.bid + market.ask) * tick_value // 2

    @property
    def equity(self) -> int:
        return self.account.cash + sum(self.value(i, e) for i, e in self.plans)

    def working(self, i: int, e: int, is_exit: bool) -> Order | None:
        found = [o for o in self.orders if o.is_open and (o.instrument, o.engine, o.is_exit) == (i, e, is_exit)]
        assert len(found) <= 1
        return found[0] if found else None

    def reserved(self, i: int, e: int) -> int:
        return sum(o.rest * o.reserved_per_lot for o in self.orders if o.is_open and (o.instrument, o.engine) == (i, e))

    def exposure(self, instrument: int | None = None, engine: int | None = None) -> int:
        keys = [(i, e) for i, e in self.plans if instrument in (None, i) and engine in (None, e)]
        return sum(abs(self.holding(i, e).cost) + self.reserved(i, e) for i, e in keys)

    # ---- rows -----------------------------------------------------------------------------------------------

    def order_row(self, order: Order, reason: OrderReason, event_no: int, ts: int) -> None:
        market = self.markets[order.instrument]
        self.rows["orders"].append(
            {
                "order_event_no": len(self.rows["orders"]), "order_no": order.order_no, "intent_no": order.intent_no,
                "event_no": event_no, "ts_event": ts, "ts_sent": order.sent, "price": order.price,
                "size": order.size, "filled": order.filled, "bid_price": market.bid, "ask_price": market.ask,
                "instrument_id": order.instrument, "reason": reason, "engine": order.engine,
                "order_type": order.kind, "time_in_force": order.time_in_force, "status": order.status,
                "is_exit": order.is_exit, "side": order.side,
            }
        )  # fmt: skip

    def mark_row(self, i: int, e: int, event_no: int, ts: int) -> None:
        self.plans[i, e].next_mark = ts + self.settings.mark_interval_ns
        held = self.holding(i, e)
        self.rows["marks"].append(
            {
                "mark_no": len(self.rows["marks"]), "event_no": event_no, "ts_event": ts, "position": held.lots,
                "cost_nanos": held.cost, "value_nanos": self.value(i, e), "realised_nanos": held.realised,
                "fees_nanos": held.fees, "committed_nanos": abs(held.cost), "reserved_nanos": self.reserved(i, e),
                "equity_nanos": self.equity, "instrument_id": i, "release_no": self.release_no, "engine": e,
            }
        )  # fmt: skip

    def fill(self, order: Order, price: int, lots: int, liquidity: Liquidity, event_no: int, ts: int) -> None:
        i, e, market = order.instrument, order.engine, self.markets[order.instrument]
        if not order.is_exit and self.holding(i, e).lots == 0:
            self.plans[i, e].deadline = ts + int(self.plans[i, e].intent["max_hold_ns"])
        row = {
            "fill_no": len(self.rows["fills"]), "order_no": order.order_no, "intent_no": order.intent_no,
            "event_no": event_no, "ts_event": ts, "ts_sent": order.sent, "price": price, "size": lots,
            "cash_nanos": -order.side * lots * price * int(self.records[i]["tick_value_nanos"]),
            "bid_price": market.bid, "ask_price": market.ask, "decision_bid": order.decision[0],
            "decision_ask": order.decision[1], "instrument_id": i, "reason": order.reason, "engine": e,
            "liquidity": liquidity, "is_exit": order.is_exit, "side": order.side,
        }  # fmt: skip
        realised = self.account.book(row)
        row |= {"fee_nanos": self.account.fee(row), "realised_nanos": realised}
        row["position_after"] = self.holding(i, e).lots
        self.rows["fills"].append(row)
        order.filled += lots
        order.is_open = order.rest > 0
        if not order.is_open:
            order.status = OrderStatus.FILLED
        elif order.status is not OrderStatus.PENDING_CANCEL:
            order.status = OrderStatus.PARTIALLY_FILLED
        self.order_row(order, order.reason, event_no, ts)
        self.peak = max(self.peak, self.equity)
        self.mark_row(i, e, event_no, ts)

    def end(self, order: Order, status: OrderStatus, reason: OrderReason, event_no: int, ts: int) -> None:
        order.is_open, order.status = False, status
        self.order_row(order, reason, event_no, ts)

    # ---- the venue ------------------------------------------------------------------------------------------

    def arrive(self, order: Order, event_no: int) -> None:
        market, ts = self.markets[order.instrument], order.arrives
        order.at_venue = True
        if not market.is_tradable:
            return self.end(order, OrderStatus.REJECTED, OrderReason.VENUE_CLOSED, event_no, ts)
        if order.status is not OrderStatus.PENDING_CANCEL:
            order.status = OrderStatus.NEW
        self.order_row(order, order.reason, event_no, ts)
        worst = order.price
        if order.kind is OrderType.MARKET:
            touch = market.ask if order.side > 0 else market.bid
            worst = touch + order.side * (abs(touch) * self.venue.protection_ppm // 1_000_000)
        for price, shown in market.against(order.side, worst, self.venue.max_walk_levels):
            if order.rest:
                lots = min(shown, order.rest)
                order.cross_taken += lots
                self.fill(order, price, lots, Liquidity.TAKER, event_no, ts)
        if order.is_open and order.time_in_force is TimeInForce.IOC:
            self.end(order, OrderStatus.CANCELLED, OrderReason.NO_LIQUIDITY, event_no, ts)
        elif order.is_open:
            order.ahead = market.shown(order.side, order.price)
        return None

    def step(self, order: Order, event_no: int, ts: int) -> None:
        is_complete = self.markets[order.instrument].is_complete
        if order.is_open and not order.at_venue and is_complete and order.arrives < ts:
            self.arrive(order, event_no)
        if order.is_open and order.at_venue and min(order.cancelled, order.expires) < ts:
            if order.cancelled <= order.expires:
                self.end(order, OrderStatus.CANCELLED, order.cancel_reason, event_no, int(order.cancelled))
            else:
                self.end(order, OrderStatus.EXPIRED, OrderReason.TIME_TO_LIVE, event_no, int(order.expires))

    def lots_traded(self, order: Order, event: Any) -> int:
        side = int(event["side"]) if event["kind"] == EventKind.EXECUTE else -int(event["side"])
        price, lots = int(event["price"]), int(event["size"])
        if side * order.side < 0 or order.side * (order.price - price) < 0:
            return 0
        if price == order.price:
            gone = min(order.ahead, lots)
            order.ahead -= gone
            lots -= int(gone)
        return min(lots, order.rest)

    def lots_crossed(self, order: Order) -> int:
        market = self.markets[order.instrument]
        order.ahead = min(order.ahead, market.shown(order.side, order.price))
        against = market.against(order.side, order.price, self.venue.max_walk_levels)
        if not against:
            order.cross_taken = 0
            return 0
        lots = max(0, min(sum(size for _, size in against) - order.cross_taken, order.rest))
        order.cross_taken += lots
        return lots

    def match(self, i: int, lots_of: Any, event_no: int, ts: int) -> None:
        resting = [o for o in self.open_orders(i) if o.at_venue]
        matched = [(order, lots_of(order)) for order in resting]
        for order, lots in matched:
            if lots:
                self.fill(order, order.price, lots, Liquidity.MAKER, event_no, ts)

    def open_orders(self, i: int) -> list[Order]:
        mine = [o for o in self.orders if o.is_open and o.instrument == i]
        return sorted(mine, key=lambda o: (o.engine, o.is_exit))

    # ---- decisions ------------------------------------------------------------------------------------------

    def refusal(self, intent: Any, market: Market, ts: int) -> DecisionReason:
        score, threshold = float(intent["model_score"]), float(intent["model_threshold"])
        since = [t for t in self.sent_times if t > ts - self.risk.order_window_ns]
        drawdown = (self.peak - self.equity) / self.peak
        spread, limit = (market.ask - market.bid) * 2e6, self.risk.max_spread_ppm * (market.ask + market.bid)
        gates = [
            (not (market.is_tradable and market.is_complete), DecisionReason.MARKET_NOT_TRADABLE),
            (not math.isnan(score + threshold) and score < threshold, DecisionReason.MODEL_SCORE),
            (spread > limit, DecisionReason.SPREAD),
            (drawdown >= self.risk.hard_drawdown, DecisionReason.DRAWDOWN),
            (len(since) >= self.risk.max_orders, DecisionReason.ORDER_RATE),
            (self.closing, DecisionReason.SHUTDOWN),
        ]  # fmt: skip
        return next((reason for refused, reason in gates if refused), DecisionReason.APPROVED)

    def cap(self, fraction: float) -> int:
        return int(max(float(self.equity) * fraction, 0.0))

    def decide(self, intent: Any, event_no: int, ts: int) -> None:
        i, e = int(intent["instrument_id"]), int(intent["engine"])
        market, tick_value = self.markets[i], int(self.records[i]["tick_value_nanos"])
        is_limit, side, wanted = intent["order_type"] == OrderType.LIMIT, int(intent["side"]), int(intent["size"])
        price = int(intent["limit_price"]) if is_limit else (market.ask if side > 0 else market.bid)
        per_lot = max(price * tick_value, 1)
        leverage = self.allocator.max_leverage
        share = {
            Engine.HFT: self.allocator.hft_share,
            Engine.STRUCTURE: self.allocator.structure_share,
            Engine.ORDER_FLOW: self.allocator.order_flow_share,
        }[Engine(e)]
        engine_cap = self.cap(leverage * share * self.weights[Engine(e)])
        symbol_cap, account_cap = self.cap(leverage * self.allocator.symbol_share), self.cap(leverage)
        rooms = [engine_cap - self.exposure(engine=e), symbol_cap - self.exposure(i), account_cap - self.exposure()]
        engaged = self.holding(i, e).lots != 0 or self.working(i, e, ENTRY) or self.working(i, e, EXIT)
        drawdown, soft, hard = (self.peak - self.equity) / self.peak, self.risk.soft_drawdown, self.risk.hard_drawdown
        multiplier = 1.0 if drawdown <= soft else max((hard - drawdown) / (hard - soft), 0.0)
        lots = min(int(wanted * multiplier), *(room // per_lot for room in rooms))
        caps = (DecisionReason.ENGINE_CAP, DecisionReason.SYMBOL_CAP, DecisionReason.ACCOUNT_CAP)
        reasons = [self.refusal(intent, market, ts)]
        reasons += [DecisionReason.POSITION_OPEN] if engaged else []
        reasons += [reason for room, reason in zip(rooms, caps, strict=True) if room < per_lot]
        reasons += [DecisionReason.SIZE_ZERO] if lots < 1 else []
        reason = min((r for r in reasons if r is not DecisionReason.APPROVED), default=DecisionReason.APPROVED)
        lots = lots if reason is DecisionReason.APPROVED else 0
        intent_no = len(self.rows["decisions"])
        self.rows["decisions"].append(
            {
                "intent_no": intent_no, "event_no": event_no, "ts_event": ts, "size_wanted": wanted,
                "size_approved": lots, "reserved_nanos": lots * per_lot,
                "engine_exposure_nanos": self.exposure(engine=e), "engine_cap_nanos": engine_cap,
                "symbol_exposure_nanos": self.exposure(i), "account_exposure_nanos": self.exposure(),
                "equity_nanos": self.equity, "drawdown_nanos": self.peak - self.equity,
                "spread": market.ask - market.bid, "size_multiplier": multiplier,
                "engine_weight": self.weights[Engine(e)], "instrument_id": i, "release_no": self.release_no,
                "reason": reason, "engine": e, "approved": lots > 0, "side": side,
            }
        )  # fmt: skip
        if lots:
            self.sent_times.append(ts)
            self.plans[i, e].intent, self.plans[i, e].intent_no = intent, intent_no
            self.plans[i, e].exit_reason = None
            order = self.new_order(i, e, ENTRY, side, lots, OrderReason.ENTRY, ts)
            order.reserved_per_lot = per_lot
            if is_limit:
                ttl = int(intent["time_to_live_ns"])
                order.kind, order.price = OrderType.LIMIT, price
                order.time_in_force = TimeInForce.GTC if ttl else TimeInForce.IOC
                order.expires = max(ts + ttl, order.arrives) if ttl else math.inf
            self.order_row(order, order.reason, event_no, ts)

    def new_order(self, i: int, e: int, is_exit: bool, side: int, lots: int, reason: OrderReason, ts: int) -> Order:
        market, number = self.markets[i], self.order_count
        self.order_count += 1
        touch = (market.bid, market.ask)
        arrives = ts + self.venue.order_latency_ns
        order = Order(number, self.plans[i, e].intent_no, i, e, is_exit, side, lots, reason, ts, arrives, touch)
        self.orders.append(order)
        return order

    def exit_reason(self, i: int, e: int, ts: int) -> OrderReason | None:
        plan, held, market = self.plans[i, e], self.holding(i, e), self.markets[i]
        if held.lots == 0:
            return OrderReason.FLATTEN if self.closing else None
        if plan.exit_reason or self.closing:
            return plan.exit_reason or OrderReason.FLATTEN
        touch = market.bid if held.lots > 0 else market.ask
        profit = held.lots * touch - held.cost // int(self.records[i]["tick_value_nanos"])
        if profit <= -int(plan.intent["stop_distance"]) * abs(held.lots):
            return OrderReason.STOP
        if profit >= int(plan.intent["target_distance"]) * abs(held.lots):
            return OrderReason.TARGET
        return OrderReason.TIME if ts >= plan.deadline else None

    def settle(self, i: int, e: int, event_no: int, ts: int) -> None:
        market, held, plan = self.markets[i], self.holding(i, e), self.plans[i, e]
        reason = self.exit_reason(i, e, ts) if market.is_tradable else None
        if reason:
            entry = self.working(i, e, ENTRY)
            if entry and entry.cancelled == math.inf:
                entry.cancelled, entry.cancel_reason = ts + self.venue.order_latency_ns, reason
                entry.status = OrderStatus.PENDING_CANCEL
                self.order_row(entry, reason, event_no, ts)
            if held.lots:
                plan.exit_reason = reason
                if not self.working(i, e, EXIT):
                    side = -1 if held.lots > 0 else 1
                    self.order_row(self.new_order(i, e, EXIT, side, abs(held.lots), reason, ts), reason, event_no, ts)
        if held.lots and ts >= plan.next_mark:
            self.mark_row(i, e, event_no, ts)

    # ---- the loop -------------------------------------------------------------------------------------------

    def run(self, events: Any, intents: Any, first_event_no: int = 0) -> None:
        waiting = list(intents)
        for event_no, event in enumerate(events, first_event_no):
            i, ts = int(event["instrument_id"]), int(event["ts_event"])
            market = self.markets[i]
            for order in self.open_orders(i):
                self.step(order, event_no, ts)
            is_trade = event["kind"] in (EventKind.TRADE, EventKind.EXECUTE)
            if is_trade and not event["flags"] & (EventFlag.HIDDEN | EventFlag.SNAPSHOT) and market.is_tradable:
                self.match(i, lambda order, event=event: self.lots_traded(order, event), event_no, ts)
            market.book.apply(event)
            market.is_complete = bool(event["flags"] & EventFlag.LAST)
            if market.is_complete:
                self.after(i, event_no, ts)
            while waiting and waiting[0]["event_no"] == event_no:
                self.decide(waiting.pop(0), event_no, ts)

    def after(self, i: int, event_no: int, ts: int) -> None:
        market = self.markets[i]
        market.refresh()
        self.peak = max(self.peak, self.equity)
        if market.is_tradable and not market.is_marked:
            market.is_marked = True
            for e in Engine:
                self.mark_row(i, e, event_no, ts)
            return
        if market.is_tradable:
            self.match(i, self.lots_crossed, event_no, ts)
        for e in Engine:
            self.settle(i, e, event_no, ts)
