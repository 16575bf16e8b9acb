"""What the audit tries, and where it draws the line."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from chimera_platform.settings import Settings


class SpreadCost(StrEnum):
    """Which fills pay further half-spreads when costs are multiplied."""

    NONE = "none"  # fees alone are multiplied
    TAKER = "taker"  # fills that took from the book
    ALL = "all"  # resting orders' fills too: queue positions that were too hopeful


class AuditSettings(Settings):
    """How hard the audit looks; sensible for a day of events."""

    cuts: int = Field(12, ge=3, le=500, description="points at which the stream is cut or its future replaced")
    future_events: int = Field(20_000, ge=1, le=10_000_000, description="events of a replaced future that are run")
    single_events: int = Field(500, ge=1, le=100_000, description="events also run one by one, in batches of one")
    shift_events: tuple[int, ...] = Field((1, 2, 5, 10, 50), description="delays of the decisions, source events")
    shift_ms: tuple[int, ...] = Field((1, 10, 100, 1_000), description="delays of the decisions, ms")
    advance_events: tuple[int, ...] = Field((10, 50), description="how far a decision is put into the past, events")
    edge_horizon_ms: int = Field(
        10_000, ge=1, le=86_400_000, description="over which an edge is measured and the control sees ahead, ms"
    )
    edge_lost_max: float = Field(0.5, ge=0.0, le=1.0, description="share of the edge that a one-event delay may take")
    edge_significance: float = Field(3.0, ge=0.0, le=20.0, description="standard errors that make a loss count")
    foresight_share_max: float = Field(
        0.6, ge=0.0, le=1.0, description="share of perfect foresight's edge that no honest decision reaches"
    )
    late_starts: tuple[float, ...] = Field((0.1, 0.25, 0.5), description="shares of the stream skipped at the start")
    feature_tolerance: float = Field(1e-6, ge=0.0, le=1.0, description="relative difference of a feature that counts")
    endless_features_max: float = Field(
        0.15, ge=0.0, le=1.0, description="share of the features that may never agree: those that sum up a session"
    )
    settled_share: float = Field(
        0.5, gt=0.0, le=1.0, description="share of the rest of the stream by which decisions must agree"
    )
    cost_multipliers: tuple[float, ...] = Field((1.0, 2.0, 5.0), description="of fees and spreads paid")
    spread_cost: SpreadCost = Field(SpreadCost.TAKER, description="which fills pay further half-spreads")
    break_even_min: float = Field(2.0, ge=0.0, description="times the cost that a believable profit survives")
    break_even_needed: float = Field(1.25, ge=0.0, description="times the cost below which a profit is none")
    latency_multipliers: tuple[float, ...] = Field((1.0, 2.0, 5.0), description="of every latency of the venues")
    latency_kept_min: float = Field(0.5, ge=0.0, le=1.0, description="share of the profit left at twice the latency")
    grid_span: float = Field(2.0, gt=1.0, le=100.0, description="a parameter goes from value / span to value × span")
    grid_steps: int = Field(3, ge=1, le=20, description="values on each side of the present one")
    neighbour_steps: int = Field(2, ge=1, le=20, description="grid steps from the present value that are neighbours")
    plateau_tolerance: float = Field(0.25, gt=0.0, le=1.0, description="a neighbour's result may differ by this share")
    plateau_share_min: float = Field(0.5, ge=0.0, le=1.0, description="share of neighbours so near: a plateau")
    peak_rank: float = Field(0.9, ge=0.5, le=1.0, description="share of neighbours below: a peak")
