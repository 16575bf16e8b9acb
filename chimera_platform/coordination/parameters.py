"""The settings of a coordinator as its kernels read them."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from chimera_platform.coordination_settings import CoordinationSettings
from chimera_platform.execution.adjustments import ReconciliationSettings
from chimera_platform.execution.exit_settings import EXIT_SETTINGS_DTYPE, ExitSettings, exit_parameters
from chimera_platform.execution.quality import QUALITY_SETTINGS_DTYPE, LatencyAttributionSettings, quality_record
from chimera_platform.market.instruments import Universe
from chimera_platform.market.session_clock import session_clock
from chimera_platform.portfolio.account import AccountSettings
from chimera_platform.portfolio.performance_tracker import (
    PERFORMANCE_TRACKING_DTYPE,
    PerformanceTrackingSettings,
    performance_tracking_record,
)
from chimera_platform.risk.allocator import ALLOCATOR_DTYPE, AllocatorSettings, allocator_record, share_records
from chimera_platform.risk.circuit_breaker import (
    CIRCUIT_BREAKER_DTYPE,
    CircuitBreakerSettings,
    circuit_breaker_record,
)
from chimera_platform.risk.covariance import COVARIANCE_DTYPE, CovarianceSettings, covariance_record
from chimera_platform.risk.hedge_controller import HedgeSettings
from chimera_platform.risk.live_value_at_risk import (
    VAR_SETTINGS_DTYPE,
    ValueAtRiskSettings,
    value_at_risk_record,
)
from chimera_platform.risk.risk_settings import RiskAdaptiveSettings, RiskSettings
from chimera_platform.risk.sizing import SIZING_DTYPE, SizingSettings, sizing_record
from chimera_platform.risk.stress import STRESS_SETTINGS_DTYPE, StressSettings, stress_record
from chimera_platform.settings import record_dtype, to_record
from chimera_platform.simulation.exchange.settings import VenueSettings, venue_record

SETTINGS_DTYPE = np.dtype(
    [
        ("account", record_dtype(AccountSettings)),
        ("coordination", record_dtype(CoordinationSettings)),
        ("risk", record_dtype(RiskSettings)),
        ("risk_adaptive", record_dtype(RiskAdaptiveSettings)),
        ("hedge_controller", record_dtype(HedgeSettings)),
        ("allocator", ALLOCATOR_DTYPE),
        ("sizing", SIZING_DTYPE),
        ("covariance", COVARIANCE_DTYPE),
        ("value_at_risk", VAR_SETTINGS_DTYPE),
        ("stress", STRESS_SETTINGS_DTYPE),
        ("circuit_breaker", CIRCUIT_BREAKER_DTYPE),
        ("performance_tracking", PERFORMANCE_TRACKING_DTYPE),
        ("latency_attribution", QUALITY_SETTINGS_DTYPE),
        ("exits", EXIT_SETTINGS_DTYPE),
    ],
    align=True,
)
"""One record of each section that the coordinator reads."""

_PLAIN = ("account", "coordination", "risk", "risk_adaptive", "hedge_controller")


class CoordinatorParameters(NamedTuple):
    """What the coordinator's kernels read and never write."""

    instruments: np.ndarray[Any, Any]  # INSTRUMENT_DTYPE (instruments,)
    settings: np.ndarray[Any, Any]  # SETTINGS_DTYPE (1,)
    shares: np.ndarray[Any, Any]  # SHARES_DTYPE (instruments,)
    venues: np.ndarray[Any, Any]  # VENUE_DTYPE (venues,)
    venue_index: np.ndarray[Any, Any]  # i8 (instruments,): where an instrument is traded
    session_clock: np.ndarray[Any, Any]  # SESSION_START_DTYPE (…,)


class CoordinatorConfiguration(Protocol):
    """The sections of the configuration that the coordinator reads."""

    @property
    def account(self) -> AccountSettings:
        """Starting equity and marks."""

    @property
    def coordination(self) -> CoordinationSettings:
        """The coordinator's clock."""

    @property
    def risk(self) -> RiskSettings:
        """Limits of the governor."""

    @property
    def risk_adaptive(self) -> RiskAdaptiveSettings:
        """How the governor adapts to session, rejects and latency."""

    @property
    def allocator(self) -> AllocatorSettings:
        """Caps on exposure."""

    @property
    def sizing(self) -> SizingSettings:
        """How many lots a trade is worth."""

    @property
    def covariance(self) -> CovarianceSettings:
        """What volatilities and correlations are estimated from."""

    @property
    def value_at_risk(self) -> ValueAtRiskSettings:
        """Value at risk of what is held."""

    @property
    def stress(self) -> StressSettings:
        """The stress scenarios."""

    @property
    def circuit_breaker(self) -> CircuitBreakerSettings:
        """At which losses trading stops."""

    @property
    def hedge_controller(self) -> HedgeSettings:
        """When engines' positions are hedged."""

    @property
    def performance_tracking(self) -> PerformanceTrackingSettings:
        """How engine weights follow performance."""

    @property
    def latency_attribution(self) -> LatencyAttributionSettings:
        """What a well executed order is."""

    @property
    def exits(self) -> ExitSettings:
        """How positions are left."""

    @property
    def reconciliation(self) -> ReconciliationSettings:
        """What may be set right after a restart without a person."""

    @property
    def venue(self) -> VenueSettings:
        """Latency and matching of the simulated venues that have no settings of their own."""

    @property
    def venues(self) -> dict[str, VenueSettings]:
        """Settings of single venues, by their instruments' ``venue``."""


def settings_record(configuration: CoordinatorConfiguration) -> np.ndarray[Any, Any]:
    """Return the sections that the coordinator reads as SETTINGS_DTYPE, shape (1,)."""
    covariance, value_at_risk = configuration.covariance, configuration.value_at_risk
    sections = {name: to_record(getattr(configuration, name)) for name in _PLAIN}
    sections |= {
        "allocator": allocator_record(configuration.allocator),
        "sizing": sizing_record(configuration.sizing),
        "covariance": covariance_record(covariance),
        "value_at_risk": value_at_risk_record(value_at_risk, covariance.sample_interval_ns, covariance.risk_horizon_ns),
        "stress": stress_record(configuration.stress, value_at_risk.var_confidence),
        "circuit_breaker": circuit_breaker_record(configuration.circuit_breaker),
        "performance_tracking": performance_tracking_record(configuration.performance_tracking),
        "latency_attribution": quality_record(configuration.latency_attribution),
        "exits": exit_parameters(configuration.exits),
    }
    record = np.zeros(1, SETTINGS_DTYPE)
    for name, section in sections.items():
        record[name] = section
    return record


def coordinator_parameters(universe: Universe, configuration: CoordinatorConfiguration) -> CoordinatorParameters:
    """Return the parameters of a coordinator of ``universe``."""
    names = sorted({instrument.venue for instrument in universe.instruments})
    venues = [configuration.venues.get(name, configuration.venue) for name in names]
    return CoordinatorParameters(
        universe.records,
        settings_record(configuration),
        share_records(configuration.allocator, universe),
        np.concatenate([venue_record(venue) for venue in venues]),
        np.array([names.index(instrument.venue) for instrument in universe.instruments], np.int64),
        session_clock(),
    )
