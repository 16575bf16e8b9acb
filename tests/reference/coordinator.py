"""The coordinator as its definition: objects, lists, sums taken when asked; a naive exchange for each instrument.

Nothing is kept in step that could be counted: exposure, equity and reservations are summed from orders and positions
each time. What an order has become is what its reports have said so far. The compiled loop must write the same rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from chimera_platform.execution.records import (
    DecisionReason,
    Engine,
    OrderReason,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from chimera_platform.execution.reports import ReportKind
from chimera_platform.market.events import EventFlag
from tests.reference.accounting import Holding, NaiveAccount
from tests.reference.exchange import NaiveExchange

ENTRY, EXIT = False, True


ENDS = {
    ReportKind.CANCELLED: OrderStatus.CANCELLED,
    ReportKind.EXPIRED: OrderStatus.EXPIRED,
    ReportKind.REJECTED: OrderStatus.REJECTED,
}


@dataclass
class Order:
    """One order as the client knows it."""

    order_no: int
    intent_no: int
    instrument: int
    engine: int
    is_exit: bool
    side: int
    size: int
    reason: OrderReason
    sent: int
    decision: tuple[int, int]
    price: int = 0
    kind: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.IOC
    expires: int = 0
    reserved_per_lot: int = 0
    ended: OrderStatus | None = None
    is_accepted: bool = False
    is_cancel_sent: bool = False
    cancel_reason: OrderReason = OrderReason.NONE
    filled: int = 0

    @property
    def slot(self) -> tuple[int, int, bool]:
        return self.instrument, self.engine, self.is_exit

    @property
    def rest(self) -> int:
        return self.size - self.filled

    @property
    def is_open(self) -> bool:
        return self.rest > 0 and self.ended is None

    @property
    def status(self) -> OrderStatus:
        if self.rest == 0:
            return OrderStatus.FILLED
        if self.ended:
            return self.ended
        if self.is_cancel_sent:
            return OrderStatus.PENDING_CANCEL
        if self.filled:
            return OrderStatus.PARTIALLY_FILLED
        return OrderStatus.NEW if self.is_accepted else OrderStatus.PENDING_NEW


@dataclass
class Plan:
    """What the engine asked for its position."""

    intent: Any = None
    intent_no: int = 0
    deadline: int = 0
    exit_reason: OrderReason | None = None
    next_mark: int = 0
    decided_at: list[int] = field(default_factory=list)  # of each lot held: what was reserved for it


class Market:
    """One instrument as the coordinator sees it, and where it is traded."""

    def __init__(self, settings: Any) -> None:
        self.exchange = NaiveExchange(settings)
        self.received = 0  # reports
        self.bid = self.ask = self.seen = 0
        self.is_tradable = self.is_marked = False
        self.is_complete = True

    def refresh(self) -> None:
        self.is_tradable = self.exchange.book.is_tradable()
        if self.is_tradable:
            self.bid, self.ask = self.exchange.book.best(1)[0], self.exchange.book.best(-1)[0]


class NaiveCoordinator:
    """Runs events and intents one by one; collects rows as dicts."""

    def __init__(self, universe: Any, configuration: Any) -> None:
        self.records, self.instruments = universe.records, universe.instruments
        self.risk, self.allocator = configuration.risk, configuration.allocator
        self.settings = configuration.account
        self.account = NaiveAccount(self.settings.starting_equity_nanos, self.records)
        self.markets = [Market(configuration.venues.get(i.venue, configuration.venue)) for i in universe.instruments]
        self.plans = {(i, e): Plan() for i in range(len(universe.symbols)) for e in Engine}
        self.orders: list[Order] = []
        self.slots: dict[tuple[int, int, bool], int] = {}  # the last order of each
        self.weights = dict.fromkeys(Engine, 1.0)
        self.sent_times: list[int] = []
        self.peak = self.account.cash
        self.release_no = 0
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
        found = [o for o in self.orders if o.is_open and o.slot == (i, e, is_exit)]
        assert len(found) <= 1
        return found[0] if found else None

    def reserved(self, i: int, e: int) -> int:
        return sum(o.rest * o.reserved_per_lot for o in self.orders if o.is_open and (o.instrument, o.engine) == (i, e))

    def committed(self, i: int, e: int) -> int:
        return sum(self.plans[i, e].decided_at)

    def exposure(self, symbol: str | None = None, asset: str | None = None, engine: int | None = None) -> int:
        keys = [
            (i, e) for i, e in self.plans
            if symbol in (None, self.instruments[i].symbol) and asset in (None, self.instruments[i].asset)
            and engine in (None, e)
        ]  # fmt: skip
        return sum(self.committed(*key) + self.reserved(*key) for key in keys)

    # ---- rows -----------------------------------------------------------------------------------------------

    def order_row(self, order: Order, reason: int, event_no: int, ts: int, report: Any = None) -> None:
        """A row of what an order has become by a request sent now, or by a report received now."""
        market = self.markets[order.instrument]
        at_venue = report or {"ts_venue": 0, "bid_price": market.bid, "ask_price": market.ask}
        self.rows["orders"].append(
            {
                "order_event_no": len(self.rows["orders"]), "order_no": order.order_no, "intent_no": order.intent_no,
                "event_no": event_no, "ts_event": ts, "ts_venue": at_venue["ts_venue"], "ts_sent": order.sent,
                "price": order.price, "stop_price": 0, "size": order.size, "display_size": 0, "filled": order.filled,
                "bid_price": at_venue["bid_price"], "ask_price": at_venue["ask_price"],
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
                "fees_nanos": held.fees, "committed_nanos": self.committed(i, e), "reserved_nanos": self.reserved(i, e),
                "equity_nanos": self.equity, "instrument_id": i, "release_no": self.release_no, "engine": e,
            }
        )  # fmt: skip

    def fill(self, order: Order, report: Any, event_no: int, ts: int) -> None:
        i, e = order.instrument, order.engine
        if not order.is_exit and self.holding(i, e).lots == 0:
            self.plans[i, e].deadline = ts + int(self.plans[i, e].intent["max_hold_ns"])
        price, lots = report["price"], report["lots"]
        row = {
            "fill_no": len(self.rows["fills"]), "order_no": order.order_no, "intent_no": order.intent_no,
            "event_no": event_no, "ts_event": ts, "ts_venue": report["ts_venue"], "ts_sent": order.sent,
            "price": price, "size": lots,
            "cash_nanos": -order.side * lots * price * int(self.records[i]["tick_value_nanos"]),
            "bid_price": report["bid_price"], "ask_price": report["ask_price"], "decision_bid": order.decision[0],
            "decision_ask": order.decision[1], "instrument_id": i, "reason": order.reason, "engine": e,
            "liquidity": report["liquidity"], "is_exit": order.is_exit, "side": order.side,
        }  # fmt: skip
        realised = self.account.book(row)
        row |= {"fee_nanos": self.account.fee(row), "realised_nanos": realised}
        row["position_after"] = self.holding(i, e).lots
        self.rows["fills"].append(row)
        order.filled += lots
        lots_held = self.plans[i, e].decided_at
        self.plans[i, e].decided_at = lots_held[lots:] if order.is_exit else lots_held + [order.reserved_per_lot] * lots
        self.peak = max(self.peak, self.equity)

    # ---- reports --------------------------------------------------------------------------------------------

    def receive(self, i: int, event_no: int, ts: int) -> None:
        """Take in what the instrument's venue has reported by ``ts``."""
        market = self.markets[i]
        reports = market.exchange.reports
        while market.received < len(reports) and reports[market.received]["ts_received"] <= ts:
            self.hear(reports[market.received], event_no)
            market.received += 1

    def hear(self, report: Any, event_no: int) -> None:
        order, kind = self.orders[report["order_no"]], ReportKind(report["kind"])
        ts = max(report["ts_received"], self.markets[order.instrument].seen)
        if not order.is_open:
            assert kind is ReportKind.CANCEL_REJECTED  # all that a venue says of an order that has ended
            return
        if kind is ReportKind.NEW:
            order.is_accepted = True
        elif kind is ReportKind.TRADE:
            self.fill(order, report, event_no, ts)
        elif kind is ReportKind.CANCEL_REJECTED:
            order.is_cancel_sent = False
        else:
            order.ended = ENDS[kind]
        reason = order.cancel_reason if kind is ReportKind.CANCELLED else order.reason
        self.order_row(order, report["reason"] or reason, event_no, ts, report)
        if kind is ReportKind.TRADE:
            self.mark_row(order.instrument, order.engine, event_no, ts)

    # ---- decisions ------------------------------------------------------------------------------------------

    def refusal(self, intent: Any, market: Market, ts: int) -> DecisionReason:
        score, threshold = float(intent["model_score"]), float(intent["model_threshold"])
        since = [t for t in self.sent_times if t > ts - self.risk.order_window_ns]
        drawdown = (self.peak - self.equity) / self.peak
        spread, limit = (market.ask - market.bid) * 2e6, self.risk.max_spread_ppm * (market.ask + market.bid)
        gates = [
            (self.closing, DecisionReason.SHUTDOWN),
            (not (market.is_tradable and market.is_complete), DecisionReason.MARKET_NOT_TRADABLE),
            (not math.isnan(score + threshold) and score < threshold, DecisionReason.MODEL_SCORE),
            (spread > limit, DecisionReason.SPREAD),
            (drawdown >= self.risk.hard_drawdown, DecisionReason.DRAWDOWN),
            (len(since) >= self.risk.max_orders, DecisionReason.ORDER_RATE),
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
        symbol, asset = self.instruments[i].symbol, self.instruments[i].asset
        shares = {
            "engine": getattr(self.allocator, f"{Engine(e).name.lower()}_share") * self.weights[Engine(e)],
            "symbol": self.allocator.symbol_shares.get(symbol, self.allocator.symbol_share),
            "currency": self.allocator.currency_shares.get(asset, self.allocator.currency_share),
            "account": 1.0,
        }
        used = {
            "engine": self.exposure(engine=e), "symbol": self.exposure(symbol), "currency": self.exposure(asset=asset),
            "account": self.exposure(),
        }  # fmt: skip
        caps = {level: self.cap(leverage * share) for level, share in shares.items()}
        rooms = {level: caps[level] - used[level] for level in caps}
        engaged = self.holding(i, e).lots != 0 or self.working(i, e, ENTRY) or self.working(i, e, EXIT)
        drawdown, soft, hard = (self.peak - self.equity) / self.peak, self.risk.soft_drawdown, self.risk.hard_drawdown
        multiplier = 1.0 if drawdown <= soft else max((hard - drawdown) / (hard - soft), 0.0)
        lots = min(int(wanted * multiplier), *(room // per_lot for room in rooms.values()))
        reasons = [self.refusal(intent, market, ts)]
        reasons += [DecisionReason.POSITION_OPEN] if engaged else []
        reasons += [DecisionReason[f"{level.upper()}_CAP"] for level, room in rooms.items() if room < per_lot]
        reasons += [DecisionReason.SIZE_ZERO] if lots < 1 else []
        reason = min((r for r in reasons if r is not DecisionReason.APPROVED), default=DecisionReason.APPROVED)
        lots = lots if reason is DecisionReason.APPROVED else 0
        intent_no = len(self.rows["decisions"])
        self.rows["decisions"].append(
            {
                "intent_no": intent_no, "event_no": event_no, "ts_event": ts, "size_wanted": wanted,
                "size_approved": lots, "reserved_nanos": lots * per_lot,
                **{f"{level}_exposure_nanos": exposure for level, exposure in used.items()},
                **{f"{level}_cap_nanos": cap for level, cap in caps.items()},
                "price": price, "lot_notional_nanos": per_lot, "is_engaged": bool(engaged),
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
                order.time_in_force = TimeInForce.GTD if ttl else TimeInForce.IOC
                order.expires = ts + ttl if ttl else 0
            self.send(order, event_no, ts)

    def new_order(self, i: int, e: int, is_exit: bool, side: int, lots: int, reason: OrderReason, ts: int) -> Order:
        market = self.markets[i]
        touch = (market.bid, market.ask)
        order = Order(len(self.orders), self.plans[i, e].intent_no, i, e, is_exit, side, lots, reason, ts, touch)
        self.orders.append(order)
        return order

    def send(self, order: Order, event_no: int, ts: int) -> None:
        message = {
            "action": 1, "id": order.order_no, "ts": ts, "side": order.side, "order_type": order.kind,
            "time_in_force": order.time_in_force, "size": order.size, "price": order.price, "stop_price": 0,
            "display_size": 0, "expire_ts": order.expires, "end_ts": 0,
        }  # fmt: skip
        exchange, before = self.markets[order.instrument].exchange, self.slots.get(order.slot)
        for sent in exchange.orders:  # the slot's order before has ended: what is on its way for it is forgotten
            sent.cancel = None if sent.no == before else sent.cancel
        self.slots[order.slot] = order.order_no
        exchange.send(message)
        self.order_row(order, order.reason, event_no, ts)

    def cancel(self, order: Order, reason: OrderReason, event_no: int, ts: int) -> None:
        order.is_cancel_sent, order.cancel_reason = True, reason
        exchange = self.markets[order.instrument].exchange
        exchange.send({"action": 2, "id": order.order_no, "ts": ts})
        self.order_row(order, reason, event_no, ts)

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
            if entry and not entry.is_cancel_sent:
                self.cancel(entry, reason, event_no, ts)
            if held.lots:
                plan.exit_reason = reason
                if not self.working(i, e, EXIT):
                    side = -1 if held.lots > 0 else 1
                    self.send(self.new_order(i, e, EXIT, side, abs(held.lots), reason, ts), event_no, ts)
        if held.lots and ts >= plan.next_mark:
            self.mark_row(i, e, event_no, ts)

    # ---- the loop -------------------------------------------------------------------------------------------

    def run(self, events: Any, intents: Any, first_event_no: int = 0) -> None:
        waiting = list(intents)
        for event_no, event in enumerate(events, first_event_no):
            i, ts = int(event["instrument_id"]), int(event["ts_event"])
            market = self.markets[i]
            market.exchange.before(event, ts)
            self.receive(i, event_no, ts)
            market.exchange.book.apply(event)
            market.exchange.after(event, ts)
            market.is_complete = bool(event["flags"] & EventFlag.LAST)
            if market.is_complete:
                self.after(i, event_no, ts)
            market.seen = ts
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
        self.receive(i, event_no, ts)
        for e in Engine:
            self.settle(i, e, event_no, ts)
