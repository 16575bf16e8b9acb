"""Which gates hold for whom: all of them for the engines that seek profit, fewer for hedges."""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import DecisionReason, Engine
from chimera_platform.kernels import record_kernel

HEDGES_PASS = {
    DecisionReason.LATENCY: "slow acknowledgements make quick trades pointless, not protection",
    DecisionReason.MODEL_SCORE: "the model scores chances of profit; a hedge seeks none",
    DecisionReason.CONFIDENCE: "confidence is in a profit",
    DecisionReason.VOLATILITY: "a wild market is when the hedge is needed",
    DecisionReason.DRAWDOWN: "a drawdown is what it works against; neither refused nor made smaller",
    DecisionReason.VALUE_AT_RISK: "it lowers the number that the gate watches",
    DecisionReason.STRESS: "it lowers the number that the gate watches",
    DecisionReason.MAX_POSITIONS: "the positions that it protects may be the ones that fill the limit",
    DecisionReason.MAX_POSITION: "the limit counts lots without their sign, a hedge offsets some of them",
    DecisionReason.CONCENTRATION: "the limit counts lots without their sign, a hedge offsets some of them",
    DecisionReason.PORTFOLIO_RISK: "above the limit only what lowers the risk helps, and this does",
    DecisionReason.TRADE_RISK: "what it loses at its stop is what the others earn on the way",
    DecisionReason.SESSION: "a session in which less is started still has what was started before to protect",
}
"""Gates and factors that hedges pass, with why.

The others hold for hedges too: the account is closed down (SHUTDOWN, CIRCUIT_BREAKER triggered: everything is
flattened, a hedge would open anew), the price cannot be trusted (MARKET_NOT_TRADABLE, STALE_DATA), the order may be a
mistake (PRICE_COLLAR, DUPLICATE, ORDER_RATE, POSITION_OPEN, MAX_ORDER), or the venue takes no orders (REJECT_RATE from
the pause on). SPREAD holds at the whole of ``max_spread_ppm``, without the session's share. No factor makes hedges
smaller: half a hedge leaves the risk that it was sized against (:mod:`~chimera_platform.risk.gates.multipliers`).
"""

HEDGE = int(Engine.HEDGE)
_PASSED_BY_HEDGES = sum(1 << int(gate) for gate in HEDGES_PASS)


@record_kernel
def gates_passed(engine: int) -> int:
    """Return the gates that do not hold for ``engine``: bit g is set for the gate whose DecisionReason is g."""
    return _PASSED_BY_HEDGES if engine == HEDGE else 0


@record_kernel
def holds(passed: int, gate: int) -> bool:
    """Return whether ``gate`` holds, given :func:`gates_passed`."""
    return (passed >> gate) & 1 == 0


@record_kernel
def is_hedge(row: Any) -> bool:
    """Return whether a decision is about a hedge."""
    return row.engine == HEDGE
