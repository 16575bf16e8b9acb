"""A coordinator under watch: a market and reports by hand, and exposure held to the rows after every single event."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import numpy as np

from chimera_platform.coordination_settings import CoordinationSettings
from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.execution.adjustments import ReconciliationSettings
from chimera_platform.execution.records import (
    INTENT_DTYPE,
    Engine,
    OrderReason,
)
from chimera_platform.execution.reports import REPORT_DTYPE
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import Universe
from chimera_platform.portfolio.account import AccountSettings
from chimera_platform.risk.allocator import AllocatorSettings, allocate, lot_notional_nanos
from chimera_platform.risk.covariance import CovarianceSettings
from chimera_platform.risk.hedge_controller import HedgeSettings
from chimera_platform.risk.risk_settings import RiskAdaptiveSettings
from chimera_platform.simulation.exchange.records import REPORTS_MAX
from chimera_platform.simulation.exchange.settings import VenueSettings
from tests.reference.coordinator_streams import MILLISECOND, START, CoordinatorSections, instrument

UNIVERSE = Universe([instrument("A", base="XAU"), instrument("B", base="XAU", venue="OTHER"), instrument("C")])
ASSET = UNIVERSE.asset_index
SYMBOLS = range(len(UNIVERSE))
FORGED = 10**9  # numbers of reports from here on are not the venue's
LEVELS = ("engine", "symbol", "currency", "account")
STRICT = VenueSettings(
    order_latency_quantiles_ns=(0, 5 * MILLISECOND, 40 * MILLISECOND),
    report_latency_quantiles_ns=(0, 10 * MILLISECOND, 90 * MILLISECOND),
    reject_probability=0.1,
    messages_per_second=20,
    message_burst=4,
    max_order_lots=30,
)
SECTIONS = CoordinatorSections(
    account=AccountSettings(starting_equity=Decimal(80)),
    allocator=AllocatorSettings(
        max_leverage=1.0,
        hft_share=0.6,
        structure_share=0.45,
        order_flow_share=0.3,
        symbol_share=0.5,
        symbol_shares={"B": 0.3},
        currency_share=0.7,
    ),
    risk_adaptive=RiskAdaptiveSettings(
        **{f"spread_threshold_{session}": 1.0 for session in ("london", "newyork", "asia")}, latency_threshold_ms=100.0
    ),
    covariance=CovarianceSettings(sample_interval_ns=1_000 * MILLISECOND, min_samples=2),
    coordination=CoordinationSettings(clock_interval_ns=100 * MILLISECOND),
    hedge_controller=HedgeSettings(
        hedge_threshold_score=0.05, hedge_size_ratio=0.5, net_risk_budget=0.001, calm_weight=1.0, cooldown_ns=0
    ),
    reconciliation=ReconciliationSettings(max_adjust_lots=10_000),
    venue=VenueSettings(order_latency_ns=3 * MILLISECOND, report_latency_ns=4 * MILLISECOND),
    venues={"OTHER": STRICT},
)


class WatchedCoordinator:
    """A coordinator with everything switched on, hedges too, the market that it sees, and what its rows say."""

    def __init__(self) -> None:
        super().__init__()
        self.coordinator = Coordinator(UNIVERSE, SECTIONS)
        self.ts, self.event_no, self.release_no = START, 0, 0
        self.mids = [1_000, 1_100, 900]
        self.is_killed = False
        self.is_disturbed = False  # reports were repeated, reordered or forged: some may have been refused
        self.taken_up: dict[str, tuple[int, int]] = {}  # what a late fill brings back at each level: (place, nanos)
        self.heard: list[tuple[int, Any]] = []  # reports that were received: (instrument, report)
        self.per_lot: dict[int, int] = {}  # intent_no → reserved
        self.held: dict[tuple[int, int], tuple[int, int]] = defaultdict(lambda: (0, 0))  # lots, what they committed

    # ---- how it is done -----------------------------------------------------------------------------------------

    def quote(self, i: int, quote: Any, wait: int, wanted: Any = None) -> None:
        move, spread, bid_size, ask_size = quote
        self.mids[i] += move
        prices = {"price": self.mids[i] - spread // 2, "ask_price": self.mids[i] + (spread + 1) // 2}
        self.happen(i, wait, wanted or {}, kind=EventKind.QUOTE, size=bid_size, ask_size=ask_size, **prices)

    def happen(self, i: int, wait: int, wanted: dict[Engine, dict[str, Any]], **fields: int) -> None:
        """Run one event of instrument ``i``, with intents at it, and look at what it has changed."""
        self.ts += wait * MILLISECOND
        event = np.zeros(1, EVENT_DTYPE)
        event["ts_event"] = event["ts_recv"] = self.ts
        event["instrument_id"], event["seq"], event["flags"] = i, self.event_no, EventFlag.LAST
        for name, value in fields.items():
            event[name] = value
        intents = np.concatenate([np.zeros(0, INTENT_DTYPE), *(self.intent(i, e, wanted[e]) for e in sorted(wanted))])
        reports = self.coordinator.state.exchange_markets["reports"][i]
        on_the_way = [reports[k].copy() for k in self.waiting(i) if reports["exec_no"][k] < FORGED]
        before = self.exposure()
        output = self.coordinator.run(event, self.event_no, intents)
        self.event_no += 1
        left = reports["exec_no"][self.waiting(i)]
        self.heard = (self.heard + [(i, report) for report in on_the_way if report["exec_no"] not in left])[-50:]
        self.follow(output)
        self.compare(before, output)

    def intent(self, i: int, engine: Engine, wanted: dict[str, Any]) -> Any:
        row = np.zeros(1, INTENT_DTYPE)
        row["intent_no"], row["event_no"], row["ts_event"] = -1, self.event_no, self.ts
        row["instrument_id"], row["engine"], row["confidence"] = i, engine, 1.0
        for name in ("side", "size", "stop_distance", "target_distance", "max_hold_ns"):
            row[name] = wanted[name]
        for name in ("model_score", "model_threshold", "predicted_move"):
            row[name] = np.nan
        is_limit = wanted["time_to_live_ns"] is not None
        row["order_type"] = 2 if is_limit else 1
        if is_limit:
            row["limit_price"] = self.mids[i] + wanted["offset"]
            row["time_to_live_ns"] = wanted["time_to_live_ns"]
        return row

    def waiting(self, i: int) -> list[int]:
        """Return the places in the ring of the reports that the client does not have yet, oldest first."""
        market = self.coordinator.state.exchange_markets[i]
        return [int(market["reports_first"] + k) % REPORTS_MAX for k in range(int(market["reports_count"]))]

    def lots_on_the_way(self, i: int) -> int:
        """Return the signed lots of the trades that the client does not know of yet."""
        reports = self.coordinator.state.exchange_markets["reports"][i][self.waiting(i)]
        return int((reports["side"].astype(np.int64) * reports["lots"]).sum())

    def hear_at_once(self, i: int, report: Any, taken_up: Any = ()) -> None:
        """Put ``report`` before all that wait and have it taken in; exposure may grow by ``taken_up`` at each level."""
        state = self.coordinator.state
        market = state.exchange_markets[i]
        market["reports_first"] = (market["reports_first"] - 1) % REPORTS_MAX
        market["reports_count"] += 1
        place = market["reports"][int(market["reports_first"])]
        for name in REPORT_DTYPE.names:
            place[name] = report[name]
        place["ts_received"] = self.ts
        state.markets["is_at_venue"][i] = state.markets["is_active"][i] = 1
        self.is_disturbed = True
        self.taken_up = dict(taken_up)
        self.quote(i, (0, 2, 1, 1), 0)
        self.taken_up = {}

    # ---- what must hold -----------------------------------------------------------------------------------------

    def follow(self, output: CoordinatorOutput) -> None:
        """Book decisions and fills, as their rows have them."""
        for row in output.decisions:
            assert allocate(row, int(row["size_sized"]))[0] == row["size_allocated"]
        for row in output.decisions[output.decisions["approved"] == 1]:
            assert row["size_approved"] <= row["size_allocated"]
            assert row["reserved_nanos"] == row["size_approved"] * row["lot_notional_nanos"]
            self.per_lot[int(row["intent_no"])] = int(row["lot_notional_nanos"])
        for row in output.fills:
            key, size = (int(row["instrument_id"]), int(row["engine"])), int(row["size"])
            held, committed = self.held[key]
            if row["is_exit"]:
                self.held[key] = held - size, committed - committed * size // held
            else:
                self.held[key] = held + size, committed + self.per_lot_of(row) * size
            assert abs(row["position_after"]) == self.held[key][0]
        if self.is_killed:
            assert not output.decisions["approved"].any()

    def per_lot_of(self, fill: Any) -> int:
        """Return what was reserved for a lot of an entry.

        What no order explains counts at its own price, or at that of the lots that it is added to.
        """
        held, committed = self.held[int(fill["instrument_id"]), int(fill["engine"])]
        if held and fill["reason"] == OrderReason.ADJUSTMENT:
            return committed // held
        if fill["reason"] == OrderReason.ADJUSTMENT:
            tick_value = int(UNIVERSE.records["tick_value_nanos"][fill["instrument_id"]])
            return lot_notional_nanos(int(fill["price"]), tick_value)
        return self.per_lot[int(fill["intent_no"])]

    def compare(self, before: dict[str, Any], output: CoordinatorOutput) -> None:
        """Hold what exposure has grown by to the event's decisions."""
        after, allowed = self.exposure(), {level: np.zeros_like(each) for level, each in before.items()}
        for row in output.decisions[output.decisions["approved"] == 1]:
            i = int(row["instrument_id"])
            places = {"engine": int(row["engine"]), "symbol": i, "currency": int(ASSET[i]), "account": 0}
            for level, place in places.items():
                allowed[level][place] += row["reserved_nanos"]
                assert row[f"{level}_exposure_nanos"] + row["reserved_nanos"] <= row[f"{level}_cap_nanos"], level
                assert after[level][place] <= row[f"{level}_cap_nanos"], level
        for level, (place, nanos) in self.taken_up.items():
            allowed[level][place] += nanos
        for level in LEVELS:
            assert (after[level] - before[level] <= allowed[level]).all(), level

    def exposure(self) -> dict[str, Any]:
        """Return committed + reserved at each level."""
        state = self.coordinator.state
        account = state.account[0]
        return {
            "engine": account["engine_committed_nanos"] + account["engine_reserved_nanos"],
            "symbol": state.markets["committed_nanos"] + state.markets["reserved_nanos"],
            "currency": state.currencies["committed_nanos"] + state.currencies["reserved_nanos"],
            "account": state.account["committed_nanos"] + state.account["reserved_nanos"],
        }

    def is_busy(self) -> bool:
        state = self.coordinator.state
        return bool(state.orders["is_open"].any() or state.positions["lots"].any())
