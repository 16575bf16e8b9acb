"""Settings of the risk governor: limits that hold in any market, and those that adapt to session, venue and losses."""

from __future__ import annotations

from pydantic import Field, model_validator

from chimera_platform.settings import Settings

ORDER_RATE_LIMIT_MAX = 4_096
_DAY_NS = 86_400_000_000_000


class RiskSettings(Settings):
    """Limits that every entry has to pass; exits always pass.

    ``signal_confidence_threshold`` is off by default: each engine states its confidence on a scale of its own (the
    baselines 0.5 always, or one minus a share of the spread), so one threshold for all cuts whole engines off; the
    comparable number is the release's model score, which has a gate of its own. ``max_positions`` is not the 10 of
    a two-metal set-up: a universe of hundreds of instruments with three engines would starve, and how much is held is
    limited by the caps anyway.
    """

    max_spread_ppm: float = Field(
        4_000.0,
        gt=0.0,
        le=1e6,
        description="largest spread, millionths of the mid; risk_adaptive.spread_threshold_* is a session's share",
    )
    max_data_age_ns: int = Field(
        60_000_000_000, ge=0, le=_DAY_NS, description="oldest quote that an entry may be decided on, ns"
    )
    signal_confidence_threshold: float = Field(
        0.0, ge=0.0, le=1.0, description="least confidence of an engine, a fraction; 0: off"
    )
    max_volatility_ratio: float = Field(
        5.0, ge=1.0, le=1e6, description="largest volatility, as a multiple of its long average"
    )
    collar_ppm: float = Field(
        10_000.0,
        ge=0.0,
        le=1e6,
        description="how far a limit price may lie beyond the touch that it would meet, millionths of the mid",
    )
    duplicate_window_ns: int = Field(
        100_000_000,
        ge=0,
        le=_DAY_NS,
        description="least time between approved entries of one engine, instrument and side, ns; 0: off",
    )
    soft_drawdown: float = Field(
        0.05, ge=0.0, lt=1.0, description="fall below peak equity, as a fraction, from which sizes shrink"
    )
    hard_drawdown: float = Field(
        0.10, gt=0.0, le=1.0, description="fall below peak equity, as a fraction, from which every entry is refused"
    )
    max_value_at_risk: float = Field(
        0.05, gt=0.0, le=1.0, description="largest value at risk of what is held, fraction of equity"
    )
    max_stress_loss: float = Field(
        0.25, gt=0.0, le=10.0, description="largest loss in the worst stress scenario, fraction of equity"
    )
    max_orders: int = Field(
        100, ge=1, le=ORDER_RATE_LIMIT_MAX, description="most entry orders within order_window_ns, whole account"
    )
    order_window_ns: int = Field(
        60_000_000_000, ge=1, le=_DAY_NS, description="length of the order-rate window, ns of event time"
    )
    max_positions: int = Field(
        100, ge=1, le=1_000_000, description="most (instrument, engine) pairs with a position or a working entry"
    )
    max_order_notional: float = Field(
        10_000_000.0, gt=0.0, le=2.3e9, description="most that one entry may be worth, in the account's currency"
    )
    max_position_notional: float = Field(
        20_000_000.0,
        gt=0.0,
        le=2.3e9,
        description="most that all engines together may hold and have on order in an instrument, account's currency",
    )
    max_risk_per_trade: float = Field(
        0.02, gt=0.0, le=1.0, description="most that an entry may lose at its stop, fraction of equity"
    )
    max_portfolio_risk: float = Field(
        0.10,
        gt=0.0,
        le=10.0,
        description="largest volatility of all positions together over the risk horizon, fraction of equity",
    )
    max_concentration: float = Field(
        0.6, gt=0.0, le=1.0, description="most of max_portfolio_risk that one instrument may take up, a fraction"
    )

    @model_validator(mode="after")
    def _limits_in_order(self) -> RiskSettings:
        if self.soft_drawdown >= self.hard_drawdown:
            raise ValueError(
                f"soft_drawdown is {self.soft_drawdown}; expected less than hard_drawdown ({self.hard_drawdown})"
            )
        return self


class RiskAdaptiveSettings(Settings):
    """How the governor adapts to the session, to rejects and to slow acknowledgements."""

    spread_threshold_london: float = Field(
        0.4, gt=0.0, le=1.0, description="share of risk.max_spread_ppm open to entries in London's hours"
    )
    spread_threshold_newyork: float = Field(
        0.5, gt=0.0, le=1.0, description="share of risk.max_spread_ppm open to entries in New York's hours"
    )
    spread_threshold_asia: float = Field(
        0.3, gt=0.0, le=1.0, description="share of risk.max_spread_ppm open to entries at all other times"
    )
    session_scale_london: float = Field(1.0, ge=0.0, le=1.0, description="factor on sizes in London's hours")
    session_scale_newyork: float = Field(1.0, ge=0.0, le=1.0, description="factor on sizes in New York's hours")
    session_scale_asia: float = Field(1.0, ge=0.0, le=1.0, description="factor on sizes at all other times")
    latency_threshold_ms: float = Field(
        50.0, gt=0.0, le=60_000.0, description="time from sending to acknowledgement above which it is a spike, ms"
    )
    latency_spike_window: int = Field(10, ge=1, le=32, description="acknowledgements that spikes are counted among")
    latency_spikes_to_pause: int = Field(
        3, ge=1, le=32, description="spikes among the last latency_spike_window acknowledgements that pause entries"
    )
    latency_pause_ns: int = Field(
        5_000_000_000, ge=1, le=_DAY_NS, description="length of the first pause, ns; it doubles while tries fail"
    )
    latency_pause_max_ns: int = Field(300_000_000_000, ge=1, le=_DAY_NS, description="length of the longest pause, ns")
    reject_escalation_threshold: float = Field(
        10.0,
        gt=0.0,
        le=1e6,
        description="decayed rejects at which an engine pauses; half: sizes shrink; twice, in the account: all pause",
    )
    reject_half_life_ns: int = Field(
        60_000_000_000, ge=1_000_000, le=_DAY_NS, description="time in which a reject's count halves, ns"
    )
    reject_scale: float = Field(0.5, ge=0.0, le=1.0, description="factor on sizes of an engine with many rejects")
    reject_pause_ns: int = Field(
        60_000_000_000, ge=0, le=_DAY_NS, description="shortest pause after the reject that caused it, ns"
    )
    reject_recovery: float = Field(
        0.5,
        gt=0.0,
        le=1.0,
        description="a step down is made once decayed rejects are below this share of what led to the step",
    )

    @model_validator(mode="after")
    def _limits_in_order(self) -> RiskAdaptiveSettings:
        if self.latency_spikes_to_pause > self.latency_spike_window:
            raise ValueError(
                f"latency_spikes_to_pause is {self.latency_spikes_to_pause}; expected at most latency_spike_window "
                f"({self.latency_spike_window})"
            )
        if self.latency_pause_ns > self.latency_pause_max_ns:
            raise ValueError(
                f"latency_pause_ns is {self.latency_pause_ns}; expected at most latency_pause_max_ns "
                f"({self.latency_pause_max_ns})"
            )
        return self
