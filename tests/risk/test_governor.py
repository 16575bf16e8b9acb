"""Gates: each refuses for its own reason, at its limit and not before."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.execution.records import DecisionReason, Engine
from chimera_platform.market.events import StatusCode
from chimera_platform.market.instruments import Universe
from chimera_platform.portfolio.account import AccountSettings
from chimera_platform.risk.gates.multipliers import drawdown_factor
from chimera_platform.risk.risk_settings import RiskSettings
from chimera_platform.settings import to_record
from tests.reference.coordinator_streams import MILLISECOND, CoordinatorSections, instrument
from tests.reference.decision_rows import decision_row
from tests.reference.market_script import BUY, MarketScript

UNIVERSE = Universe([instrument("X", tick_size="1", fees={})])
OTHER = {"engine": int(Engine.STRUCTURE)}


def decided(script: MarketScript, **risk: Any) -> CoordinatorOutput:
    sections = CoordinatorSections(
        account=AccountSettings(starting_equity=Decimal(100_000)),
        risk=RiskSettings(**{"max_spread_ppm": 100_000.0, **risk}),
    )
    return script.run(Coordinator(UNIVERSE, sections))


def reasons(script: MarketScript, **risk: Any) -> list[int]:
    return decided(script, **risk).decisions["reason"].tolist()


def quoted() -> MarketScript:
    return MarketScript().quote(0, 999, 1001)


@pytest.mark.parametrize("code", [StatusCode.GAP, StatusCode.HALT, StatusCode.SESSION_CLOSE])
def test_no_entry_without_a_tradable_book(code: StatusCode) -> None:
    assert reasons(quoted().status(1, code).intent(BUY, 1)) == [DecisionReason.MARKET_NOT_TRADABLE]


@pytest.mark.parametrize(("bid", "ask", "size"), [(1001, 999, 5), (1000, 1000, 5), (999, 1001, 0)])
def test_no_entry_into_a_crossed_locked_or_one_sided_book(bid: int, ask: int, size: int) -> None:
    script = MarketScript().quote(0, bid, ask, size, ask_size=5).intent(BUY, 1)
    assert reasons(script) == [DecisionReason.MARKET_NOT_TRADABLE]


def test_no_entry_inside_a_source_event() -> None:
    script = quoted().level(1, BUY, 998, 5, flags=0).intent(BUY, 1).level(1, BUY, 997, 5).intent(BUY, 1)
    assert reasons(script) == [DecisionReason.MARKET_NOT_TRADABLE, DecisionReason.APPROVED]


@pytest.mark.parametrize(
    ("score", "threshold", "reason"),
    [
        (0.59, 0.6, DecisionReason.MODEL_SCORE),
        (0.6, 0.6, DecisionReason.APPROVED),
        (np.nan, 0.6, DecisionReason.APPROVED),
        (0.1, np.nan, DecisionReason.APPROVED),
    ],
)
def test_the_models_score_has_to_reach_its_threshold_where_there_is_a_model(
    score: float, threshold: float, reason: DecisionReason
) -> None:
    assert reasons(quoted().intent(BUY, 1, model_score=score, model_threshold=threshold)) == [reason]


@pytest.mark.parametrize(("limit", "reason"), [(2_000.0, DecisionReason.APPROVED), (1_999.9, DecisionReason.SPREAD)])
def test_a_spread_of_two_in_a_thousand_passes_at_its_limit_only(limit: float, reason: DecisionReason) -> None:
    assert reasons(quoted().intent(BUY, 1), max_spread_ppm=limit) == [reason]


def lost(points: int) -> MarketScript:
    """A long of 100 lots at 1001, whose market falls by ``points``, thousandths of equity."""
    return quoted().intent(BUY, 100).quote(9, 999, 1001).quote(20, 999 - points, 1001 - points)


@pytest.mark.parametrize(
    ("points", "reason", "lots"),
    [
        (9, DecisionReason.APPROVED, 50),
        (19, DecisionReason.APPROVED, 37),
        (29, DecisionReason.APPROVED, 25),
        (49, DecisionReason.DRAWDOWN, 0),
        (48, DecisionReason.APPROVED, 1),
    ],
)
def test_sizes_shrink_from_the_soft_drawdown_and_entries_end_at_the_hard_one(
    points: int, reason: DecisionReason, lots: int
) -> None:
    row = decided(lost(points).intent(BUY, 50, **OTHER), soft_drawdown=0.01, hard_drawdown=0.05).decisions[-1]
    assert row["drawdown_nanos"] == (points + 1) * 100 * 10**9
    assert (row["reason"], row["size_approved"]) == (reason, lots)


def test_a_size_that_shrinks_below_one_lot_is_refused() -> None:
    row = decided(lost(48).intent(BUY, 30, **OTHER), soft_drawdown=0.01, hard_drawdown=0.05).decisions[-1]
    assert (row["reason"], row["approved"], row["reserved_nanos"]) == (DecisionReason.SIZE_ZERO, 0, 0)


def test_the_drawdowns_factor_is_linear_between_the_limits_and_zero_beyond() -> None:
    settings = to_record(RiskSettings(soft_drawdown=0.1, hard_drawdown=0.3))
    seen = []
    for equity in (1_000, 900, 850, 800, 700, 100, -50):
        row = decision_row(equity_nanos=equity, drawdown_nanos=1_000 - equity)
        seen.append(drawdown_factor(row[0], settings[0]))
    np.testing.assert_allclose(seen, [1.0, 1.0, 0.75, 0.5, 0.0, 0.0, 0.0], atol=1e-12)


def test_an_account_that_never_had_anything_is_in_full_drawdown() -> None:
    row = decision_row(equity_nanos=0, drawdown_nanos=0)
    assert drawdown_factor(row[0], to_record(RiskSettings())[0]) == 0.0


def test_entries_within_the_window_are_counted_for_the_whole_account() -> None:
    script = quoted()
    quick = {"limit": 500, "time_to_live_ns": MILLISECOND}  # ended and reported within the next ten
    for k, at in enumerate((10, 20, 30, 40, 109, 110, 119, 120)):
        script.quote(at, 999, 1001).intent(BUY, 1, **quick, engine=k % 2)
    limits = {"max_orders": 3, "order_window_ns": 100 * MILLISECOND}
    rate = DecisionReason.ORDER_RATE
    assert reasons(script, **limits) == [0, 0, 0, rate, rate, 0, rate, 0]


def test_exits_pass_whatever_the_governor_says() -> None:
    script = quoted().intent(BUY, 10, stop_distance=5).quote(9, 999, 1001).quote(20, 900, 990).quote(30, 900, 990)
    output = decided(script, max_orders=1, max_spread_ppm=2_000.0, hard_drawdown=0.0051, soft_drawdown=0.005)
    assert output.fills["position_after"].tolist() == [10, 0]


def test_the_first_gate_in_the_order_of_reasons_is_the_reason() -> None:
    script = quoted().intent(BUY, 1).intent(BUY, 0, model_score=0.1, model_threshold=0.5)
    assert reasons(script, max_spread_ppm=2_000.0, max_orders=1)[1] == DecisionReason.MODEL_SCORE
    script = quoted().intent(BUY, 1).intent(BUY, 0)
    assert reasons(script, max_orders=1)[1] == DecisionReason.POSITION_OPEN
    script = quoted().intent(BUY, 1).intent(BUY, 0, **OTHER)
    assert reasons(script, max_orders=1)[1] == DecisionReason.SIZE_ZERO


def test_a_soft_limit_above_the_hard_one_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match=r"soft_drawdown is 0\.2; expected less than hard_drawdown"):
        RiskSettings(soft_drawdown=0.2, hard_drawdown=0.1)
