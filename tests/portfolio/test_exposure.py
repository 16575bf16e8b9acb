"""The ledger of exposure against lists of lots, each with the price at which it was decided.

Invariants: committed and reserved at each level are sums over the lots held and the lots that can still fill; a fill
moves exactly its own lots from one to the other; an approval is within every cap; who is flat has nothing of either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.coordination.state import MARKET_DTYPE
from chimera_platform.execution.records import DECISION_DTYPE, ENGINE_COUNT, DecisionReason
from chimera_platform.market.instruments import Universe
from chimera_platform.portfolio.account import ACCOUNT_DTYPE
from chimera_platform.portfolio.exposure import (
    CURRENCY_DTYPE,
    add_committed,
    add_reserved,
    committed_by_fill,
    engine_exposure_nanos,
    exposure_nanos,
)
from chimera_platform.portfolio.positions import POSITION_DTYPE
from chimera_platform.risk.allocator import AllocatorSettings, allocate, allocator_record, fill_caps, share_records
from tests.reference.coordinator_streams import instrument

UNIVERSE = Universe([instrument("A", base="XAU"), instrument("B", base="XAU"), instrument("C")])
SETTINGS = AllocatorSettings(
    max_leverage=1.0, hft_share=0.5, structure_share=0.9, order_flow_share=0.3, currency_share=0.6,
    symbol_shares={"B": 0.2},
)  # fmt: skip
LEVELS = ("engine", "symbol", "currency", "account")
KEYS = [(i, e) for i in range(len(UNIVERSE)) for e in range(ENGINE_COUNT)]


class Ledger:
    """The kernels' records, and beside them the same as lists: what each lot was decided at."""

    def __init__(self) -> None:
        self.account = np.zeros(1, ACCOUNT_DTYPE)
        self.account["engine_weight"], self.account["cash_nanos"] = 1.0, 10_000
        self.markets = np.zeros(len(UNIVERSE), MARKET_DTYPE)
        self.currencies = np.zeros(len(UNIVERSE.assets), CURRENCY_DTYPE)
        self.positions = np.zeros((len(UNIVERSE), ENGINE_COUNT), POSITION_DTYPE)
        self.shares, self.settings = share_records(SETTINGS, UNIVERSE), allocator_record(SETTINGS)
        self.held: dict[tuple[int, int], list[int]] = {key: [] for key in KEYS}
        self.pending: dict[tuple[int, int], list[int]] = {key: [] for key in KEYS}
        self.sides: dict[tuple[int, int], int] = {}

    def levels(self, i: int, e: int) -> tuple[Any, Any, Any, Any, int]:
        currency = self.currencies[self.shares["currency_index"][i]]
        return self.account[0], self.markets[i], currency, self.positions[i, e], e

    def decide(self, key: tuple[int, int], side: int, lots_wanted: int, lot: int) -> Any:
        (i, e), row = key, np.zeros(1, DECISION_DTYPE)[0]
        account, market, currency, _, _ = self.levels(i, e)
        row["engine"], row["lot_notional_nanos"] = e, lot
        row["is_engaged"] = 1 if self.held[key] or self.pending[key] else 0
        fill_caps(row, account, market, currency, self.settings[0], self.shares[i])
        lots, gate = allocate(row, lots_wanted)
        add_reserved(*self.levels(i, e), lots * lot)
        self.pending[key] += [lot] * lots
        if lots:
            self.sides[key] = side
            for level in LEVELS:
                assert row[f"{level}_exposure_nanos"] + lots * lot <= row[f"{level}_cap_nanos"], level
        assert lots or gate != DecisionReason.APPROVED
        return row

    def fill(self, key: tuple[int, int], lots: int) -> None:
        """Fill ``lots`` of the open entry, as a received trade does."""
        if not (moved := self.pending[key][:lots]):
            return
        position = self.positions[key]
        add_reserved(*self.levels(*key), -len(moved) * moved[0])
        self.trade(key, self.sides[key], len(moved), moved[0])
        assert position["reserved_nanos"] == sum(self.pending[key][lots:])
        self.held[key] += moved
        self.pending[key] = self.pending[key][lots:]

    def end(self, key: tuple[int, int]) -> None:
        """Cancel what is left of the open entry."""
        if self.pending[key]:
            add_reserved(*self.levels(*key), -len(self.pending[key]) * self.pending[key][0])
            self.pending[key] = []

    def leave(self, key: tuple[int, int], lots: int) -> None:
        """Close up to ``lots`` of the position."""
        if closed := min(lots, len(self.held[key])):
            self.trade(key, -self.sides[key], closed, 0)
            self.held[key] = self.held[key][closed:]

    def trade(self, key: tuple[int, int], side: int, lots: int, reserved_per_lot: int) -> None:
        position = self.positions[key]
        change = committed_by_fill(position["committed_nanos"], position["lots"], side, lots, reserved_per_lot)
        add_committed(*self.levels(*key), change)
        position["lots"] += side * lots

    def check(self) -> None:
        account = self.account[0]
        for rows, name in ((self.held, "committed_nanos"), (self.pending, "reserved_nanos")):
            for (i, e), lots in rows.items():
                assert self.positions[i, e][name] == sum(lots)
            for i in range(len(UNIVERSE)):
                assert self.markets[i][name] == sum(sum(rows[i, e]) for e in range(ENGINE_COUNT))
            for e in range(ENGINE_COUNT):
                assert account[f"engine_{name}"][e] == sum(sum(rows[i, e]) for i in range(len(UNIVERSE)))
            for c, asset in enumerate(UNIVERSE.assets):
                mine = [i for i, each in enumerate(UNIVERSE.instruments) if each.asset == asset]
                assert self.currencies[c][name] == sum(sum(rows[i, e]) for i, e in KEYS if i in mine)
            assert account[name] == sum(map(sum, rows.values()))


keys, sides, sizes = st.sampled_from(KEYS), st.sampled_from((-1, 1)), st.integers(0, 30)
steps = st.one_of(
    st.tuples(st.just(Ledger.decide), keys, sides, sizes, st.integers(1, 400)),
    st.tuples(st.just(Ledger.fill), keys, st.integers(1, 12)),
    st.tuples(st.just(Ledger.end), keys),
    st.tuples(st.just(Ledger.leave), keys, st.integers(1, 12)),
)


@given(walk=st.lists(steps, max_size=60), equity=st.integers(0, 20_000), weight=st.sampled_from((0.0, 0.3, 1.0, 2.0)))
@settings(max_examples=300, deadline=None)
def test_every_level_is_the_sum_of_its_lots_and_no_approval_leaves_a_cap(
    walk: list[Any], equity: int, weight: float
) -> None:
    ledger = Ledger()
    for number, (step, *arguments) in enumerate(walk):
        if number == len(walk) // 2:
            ledger.account["cash_nanos"], ledger.account["engine_weight"][0, 0] = equity, weight
        before = int(exposure_nanos(ledger.account[0]))
        _do(step, ledger, arguments)
        ledger.check()
        assert step is Ledger.decide or exposure_nanos(ledger.account[0]) <= before, "only a decision adds exposure"
    for key in KEYS:
        ledger.end(key)
        ledger.leave(key, 1_000)
    ledger.check()
    for records in (ledger.positions, ledger.markets, ledger.currencies, ledger.account):
        assert not records["committed_nanos"].any()
        assert not records["reserved_nanos"].any()


def _do(step: Callable[..., Any], ledger: Ledger, arguments: list[Any]) -> None:
    step(ledger, *arguments)


def test_a_partial_fill_moves_exactly_the_filled_lots_at_the_price_reserved() -> None:
    ledger = Ledger()
    ledger.decide((0, 0), 1, 7, 101)
    ledger.fill((0, 0), 3)
    for records in (ledger.positions[0, 0], ledger.markets[0], ledger.currencies[1], ledger.account[0]):
        assert (records["committed_nanos"], records["reserved_nanos"]) == (3 * 101, 4 * 101)
        assert exposure_nanos(records) == 7 * 101
    assert engine_exposure_nanos(ledger.account[0], 0) == 7 * 101
    assert engine_exposure_nanos(ledger.account[0], 1) == 0


def test_two_markets_of_one_currency_use_up_its_cap_together() -> None:
    ledger = Ledger()
    ledger.decide((0, 0), 1, 100, 100)
    ledger.decide((1, 1), -1, 100, 100)
    gold, other = (ledger.decide((i, 2), 1, 100, 100) for i in (1, 2))
    assert ledger.account["engine_reserved_nanos"][0].tolist() == [5_000, 1_000, 3_000, 0]
    assert allocate(gold, 100) == (0, DecisionReason.CURRENCY_CAP), "5,000 of A and 1,000 of B are the 6,000 of gold"
    assert allocate(other, 100) == (30, DecisionReason.ENGINE_CAP)


@pytest.mark.parametrize(
    ("held", "side", "lots", "change"),
    [
        (0, 1, 4, 40),
        (4, 1, 2, 20),
        (-4, -1, 2, 20),
        (3, -1, 3, -100),
        (3, -1, 1, -33),
        (3, -1, 5, -80),
        (-3, 1, 2, -66),
    ],
)
def test_what_opens_is_committed_at_its_own_price_and_what_closes_frees_its_share(
    held: int, side: int, lots: int, change: int
) -> None:
    assert committed_by_fill(100 if abs(held) == 3 else 10 * abs(held), held, side, lots, 10) == change
