"""A small recorded run with consistent books, and what its accounts must come to, in plain Python."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chimera_platform.execution.records import (
    DECISION_DTYPE,
    FILL_DTYPE,
    INTENT_DTYPE,
    MARK_DTYPE,
    ORDER_EVENT_DTYPE,
    RELEASE_CHANGE_DTYPE,
    RISK_EVENT_DTYPE,
    RISK_MARK_DTYPE,
    DecisionReason,
    Engine,
    OrderReason,
    OrderStatus,
    RiskEventKind,
)
from chimera_platform.journal.manifest import RunManifest
from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.journal.writer import JournalSettings, JournalWriter
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import load_instruments

FIRST_DAY = np.datetime64("2024-03-04T00:00:00", "ns").astype(np.int64).item()
INSTRUMENTS = [load_instruments()[symbol] for symbol in ("XAUUSD", "XAGUSD")]


@dataclass
class Account:
    """Average-cost books of one (engine, instrument), money in nanos."""

    tick_value: int
    position: int = 0
    cost: int = 0
    cash: int = 0
    realised: int = 0
    fees: int = 0

    def trade(self, side: int, price: int, size: int, fee: int) -> tuple[int, int]:
        """Book a fill; return (change of cash, profit realised). Positions are opened and closed, never turned."""
        cash = -side * price * size * self.tick_value
        realised = 0
        if self.position * side >= 0:
            self.cost -= cash
        else:
            given_up = self.cost * size // abs(self.position)  # signed as the position is
            self.cost -= given_up
            realised = cash - given_up
        self.position += side * size
        self.cash += cash
        self.realised += realised
        self.fees += fee
        return cash, realised

    def value(self, bid: int, ask: int) -> int:
        return self.position * (bid + ask) * self.tick_value // 2


@dataclass
class RecordedRun:
    """Journal tables by name, and the independent truth about them."""

    tables: dict[str, np.ndarray[Any, Any]]
    accounts: dict[tuple[int, int], Account]
    pnl: dict[tuple[str, int, int], int] = field(default_factory=dict)  # (day, engine, instrument) → nanos

    def write(self, run_folder: Path, run_id: str = "run-1", settings: JournalSettings | None = None) -> None:
        """Write everything as that run's journal."""
        writer = JournalWriter(run_folder, manifest(run_id), settings)
        for name, rows in self.tables.items():
            writer.append(name, rows, 0)
        writer.seal_all()


def manifest(run_id: str = "run-1", created: str = "2024-03-07T00:00:00+00:00") -> RunManifest:
    return RunManifest(
        run_id=run_id,
        instruments=[i.model_dump(mode="json") for i in INSTRUMENTS],
        source="synthetic",
        configuration={"risk": {"spread": 3}},
        versions={"numpy": np.__version__},
        created=created,
    )


def record_run(seed: int = 1, events: int = 3000, days: int = 3) -> RecordedRun:
    """Return a run of ``events`` quotes and trades over ``days`` UTC days with orders that open and close positions."""
    rng = np.random.default_rng(seed)
    market = _market(rng, events, days)
    tables: dict[str, list[np.void]] = defaultdict(list)
    accounts = {(e, i): Account(INSTRUMENTS[i].tick_value_nanos) for e in Engine for i in (0, 1)}
    equity_at: dict[tuple[str, int, int], int] = {}
    open_until: dict[tuple[int, int], tuple[int, int]] = {}  # account → (event at which to leave, intent)
    orders = 0
    for n in np.flatnonzero(market["kind"] == EventKind.QUOTE):
        quote = market[n]
        instrument, engine = int(quote["instrument_id"]), int(rng.integers(0, len(Engine)))
        account = accounts[engine, instrument]
        book = {"engine": engine, "instrument": instrument, "event_no": int(n), "quote": quote, "account": account}
        if (engine, instrument) in open_until:
            leave, intent = open_until[engine, instrument]
            if n >= leave:
                side = -1 if account.position > 0 else 1
                _order(rng, tables, orders, intent, side, abs(account.position), book, exit_=True)
                orders += 1
                del open_until[engine, instrument]
        elif rng.random() < 0.2:
            intent = len(tables["intents"])
            approved = rng.random() < 0.6
            side, size = int(rng.choice([-1, 1])), int(rng.integers(1, 20))
            _intent(rng, tables, intent, side, size, book, approved)
            if approved:
                filled = _order(rng, tables, orders, intent, side, size, book, exit_=False)
                orders += 1
                if filled:
                    open_until[engine, instrument] = (int(n) + int(rng.integers(5, 60)), intent)
        day = str(np.datetime64(int(quote["ts_event"]) // NS_PER_DAY, "D"))
        bid, ask = int(quote["price"]), int(quote["ask_price"])
        value = account.value(bid, ask)
        mark = np.zeros(1, MARK_DTYPE)[0]
        mark["mark_no"], mark["event_no"], mark["ts_event"] = len(tables["marks"]), n, quote["ts_event"]
        mark["position"], mark["cost_nanos"], mark["value_nanos"] = account.position, account.cost, value
        mark["realised_nanos"], mark["fees_nanos"] = account.realised, account.fees
        mark["instrument_id"], mark["engine"] = instrument, engine
        tables["marks"].append(mark)
        equity_at[day, engine, instrument] = account.cash + value - account.fees
    releases = np.zeros(2, RELEASE_CHANGE_DTYPE)
    releases["release_no"] = (0, 1)
    releases["event_no"] = (0, events // 2)
    releases["ts_event"] = (0, market["ts_event"][events // 2 - 1])
    releases["release_id"] = (b"", b"0123456789abcdef0123456789abcdef")
    dtypes = {
        "intents": INTENT_DTYPE,
        "decisions": DECISION_DTYPE,
        "orders": ORDER_EVENT_DTYPE,
        "fills": FILL_DTYPE,
        "marks": MARK_DTYPE,
    }
    arrays = {name: np.array(tables[name], dtype) for name, dtype in dtypes.items()}
    risk = {"risk_marks": _risk_marks(rng, arrays["marks"]), "risk_events": _risk_events(market)}
    run = RecordedRun({"events": market, **arrays, **risk, "releases": releases}, accounts)
    last: dict[tuple[int, int], int] = defaultdict(int)
    for day, engine, instrument in sorted(equity_at):
        run.pnl[day, engine, instrument] = equity_at[day, engine, instrument] - last[engine, instrument]
        last[engine, instrument] = equity_at[day, engine, instrument]
    return run


def _risk_marks(rng: np.random.Generator, marks: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a mark of risk at every tenth mark, of an account whose equity wanders; unknown at first."""
    rows = np.zeros(len(marks[::10]), RISK_MARK_DTYPE)
    rows["risk_mark_no"] = np.arange(len(rows))
    rows["event_no"] = marks["event_no"][::10]
    rows["ts_event"] = marks["ts_event"][::10]
    rows["equity_nanos"] = 10**15 + rng.integers(-(10**11), 10**11, len(rows)).cumsum()
    rows["drawdown_nanos"] = np.maximum.accumulate(rows["equity_nanos"]) - rows["equity_nanos"]
    rows["day_profit_nanos"] = rows["equity_nanos"] - rows["equity_nanos"][0]
    rows["net_nanos"] = rng.integers(-(10**14), 10**14, len(rows)) * (rng.random(len(rows)) < 0.8)
    rows["gross_nanos"] = np.abs(rows["net_nanos"]) * 2
    for method in ("historical", "cornish_fisher", "filtered"):
        rows[f"var_{method}"] = rng.uniform(0.0, 0.02, len(rows))
        rows[f"es_{method}"] = rows[f"var_{method}"] * 1.3
        rows[f"var_{method}"][:5] = rows[f"es_{method}"][:5] = np.nan
    for name in ("portfolio_risk", "stress_spread", "stress_correlation", "hedge_score", "quality"):
        rows[name] = rng.uniform(0.0, 0.03, len(rows))
    rows["stress_correlation"][::7] = np.nan
    rows["stress_gap_up"] = -0.03 * rows["net_nanos"] / rows["equity_nanos"]
    rows["stress_gap_down"] = -rows["stress_gap_up"]
    for name in ("hft_weight", "structure_weight", "order_flow_weight"):
        rows[name] = 1.0
    rows["breaker"] = rng.choice([0, 0, 0, 0, 1], len(rows))
    return rows


def _risk_events(market: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a warning of the breaker and its end."""
    rows = np.zeros(2, RISK_EVENT_DTYPE)
    rows["risk_event_no"], rows["event_no"] = (0, 1), (10, len(market) // 2)
    rows["ts_event"] = market["ts_event"][rows["event_no"]]
    rows["kind"], rows["state"], rows["value"], rows["threshold"] = RiskEventKind.BREAKER, (1, 0), (0.06, 0.04), 0.05
    rows["instrument_id"], rows["engine"] = -1, -1
    return rows


def _market(rng: np.random.Generator, count: int, days: int) -> np.ndarray[Any, Any]:
    rows = np.zeros(count, EVENT_DTYPE)
    rows["ts_event"] = FIRST_DAY + np.sort(rng.integers(0, days * NS_PER_DAY, count))
    rows["ts_recv"] = rows["ts_event"] + rng.integers(0, 1000, count)
    rows["seq"] = np.arange(count)
    rows["instrument_id"] = rng.integers(0, 2, count)
    rows["kind"] = rng.choice([EventKind.QUOTE, EventKind.QUOTE, EventKind.TRADE], count)
    rows["flags"] = EventFlag.LAST
    rows["price"] = 2_000_000 + rng.integers(-5, 6, count).cumsum()
    rows["size"] = rng.integers(1, 100, count)
    quotes = rows["kind"] == EventKind.QUOTE
    rows["ask_price"][quotes] = rows["price"][quotes] + rng.integers(1, 40, quotes.sum())
    rows["ask_size"][quotes] = rng.integers(1, 100, quotes.sum())
    rows["side"][~quotes] = rng.choice([-1, 1], (~quotes).sum())
    return rows


def _intent(rng, tables, intent_no, side, size, book, approved):  # type: ignore[no-untyped-def]
    quote = book["quote"]
    intent = np.zeros(1, INTENT_DTYPE)[0]
    decision = np.zeros(1, DECISION_DTYPE)[0]
    for row in (intent, decision):
        row["intent_no"], row["event_no"], row["ts_event"] = intent_no, book["event_no"], quote["ts_event"]
        row["instrument_id"], row["engine"], row["side"] = book["instrument"], book["engine"], side
        row["release_no"] = 0 if book["event_no"] < 1500 else 1
    intent["size"], intent["order_type"], intent["reason"] = size, 1, 1
    intent["bid_price"], intent["ask_price"] = quote["price"], quote["ask_price"]
    intent["confidence"], intent["model_score"] = rng.random(), rng.random() if intent_no % 3 else np.nan
    intent["model_threshold"] = 0.5
    intent["features"] = rng.normal(size=intent["features"].shape)
    intent["features"][0] = np.nan
    decision["size_wanted"], decision["size_approved"], decision["approved"] = size, size * approved, approved
    decision["reason"] = DecisionReason.APPROVED if approved else rng.choice([3, 4, 8])
    decision["spread"] = quote["ask_price"] - quote["price"]
    tables["intents"].append(intent)
    tables["decisions"].append(decision)


def _order(rng, tables, order_no, intent_no, side, size, book, exit_):  # type: ignore[no-untyped-def]
    """Append an order's states and fills; return the lots filled."""
    quote, account = book["quote"], book["account"]
    bid, ask, sent = int(quote["price"]), int(quote["ask_price"]), int(quote["ts_event"])
    ends = exit_ or rng.random() < 0.8
    parts = [size] if size == 1 or rng.random() < 0.5 else [size // 2, size - size // 2]
    states = [(OrderStatus.PENDING_NEW, 0, 0), (OrderStatus.NEW, 0, int(rng.integers(1_000, 90_000)))]
    filled, at = 0, states[-1][2]
    if ends:
        for part in parts:
            filled, at = filled + part, at + int(rng.integers(1_000, 90_000))
            status = OrderStatus.FILLED if filled == size else OrderStatus.PARTIALLY_FILLED
            states.append((status, filled, at))
    else:
        states.append((OrderStatus.EXPIRED, 0, at + 1_000_000))
    before = 0
    for status, done, delay in states:
        row = np.zeros(1, ORDER_EVENT_DTYPE)[0]
        row["order_event_no"], row["order_no"], row["intent_no"] = len(tables["orders"]), order_no, intent_no
        row["event_no"], row["ts_event"], row["ts_sent"] = book["event_no"], sent + delay, sent
        row["ts_venue"] = sent + delay - 400 if delay else 0
        row["size"], row["filled"], row["bid_price"], row["ask_price"] = size, done, bid, ask
        row["instrument_id"], row["engine"], row["side"] = book["instrument"], book["engine"], side
        row["order_type"], row["time_in_force"], row["status"], row["is_exit"] = 1, 1, status, exit_
        reason = OrderReason.TIME if exit_ else OrderReason.ENTRY
        row["reason"] = OrderReason.TIME_TO_LIVE if status == OrderStatus.EXPIRED else reason
        tables["orders"].append(row)
        if done == before:
            continue
        price = (ask if side > 0 else bid) + int(rng.integers(-2, 3))
        fee = int(rng.integers(-5, 50)) * 1_000_000
        cash, realised = account.trade(side, price, done - before, fee)
        fill = np.zeros(1, FILL_DTYPE)[0]
        fill["fill_no"], fill["order_no"], fill["intent_no"] = len(tables["fills"]), order_no, intent_no
        fill["event_no"], fill["ts_event"], fill["ts_sent"] = book["event_no"], sent + delay, sent
        fill["ts_venue"] = sent + delay - 400
        fill["price"], fill["size"], fill["cash_nanos"], fill["fee_nanos"] = price, done - before, cash, fee
        fill["realised_nanos"], fill["position_after"] = realised, account.position
        fill["bid_price"], fill["ask_price"], fill["decision_bid"], fill["decision_ask"] = bid + 1, ask + 1, bid, ask
        fill["instrument_id"], fill["engine"], fill["side"] = book["instrument"], book["engine"], side
        fill["reason"], fill["liquidity"], fill["is_exit"] = reason, 2, exit_
        tables["fills"].append(fill)
        before = done
    return filled
