"""The configuration of a run: every settings section in one validated, frozen object.

A TOML file holds one table per section; what it does not name keeps its default. The environment and the command
line come over it (:mod:`chimera_platform.configuration_layers`). Keys of the platform's source documents are understood
in all three (:mod:`chimera_platform.documented_settings`). A release overrides single parameters of the
engines through :func:`with_parameters`, under the same validation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import Field, ValidationError

from chimera_platform.configuration_layers import command_line_layer, environment_layer, file_layer, merged
from chimera_platform.coordination_settings import CoordinationSettings
from chimera_platform.documented_settings import translated
from chimera_platform.engines.hft import HftSettings
from chimera_platform.engines.order_flow.engine_settings import OrderFlowSettings
from chimera_platform.engines.order_flow.iceberg_defense import IcebergDefenseSettings
from chimera_platform.engines.order_flow.mean_reversion import MeanReversionSettings
from chimera_platform.engines.order_flow.node_bounce import NodeBounceSettings
from chimera_platform.engines.order_flow.stacked_absorption import StackedAbsorptionSettings
from chimera_platform.engines.order_flow.sweep_reversal import SweepReversalSettings
from chimera_platform.engines.order_flow.vacuum_entry import VacuumEntrySettings
from chimera_platform.engines.structure import StructureSettings
from chimera_platform.engines.timeframes import TimeframeSettings
from chimera_platform.errors import ConfigurationError
from chimera_platform.execution.adjustments import ReconciliationSettings
from chimera_platform.execution.exit_settings import ExitSettings
from chimera_platform.execution.quality import LatencyAttributionSettings
from chimera_platform.microstructure.session_profile import SessionProfileSettings
from chimera_platform.portfolio.account import AccountSettings
from chimera_platform.portfolio.performance_tracker import PerformanceTrackingSettings
from chimera_platform.regimes.rules import RegimeRuleSettings
from chimera_platform.risk.allocator import AllocatorSettings
from chimera_platform.risk.circuit_breaker import CircuitBreakerSettings
from chimera_platform.risk.covariance import CovarianceSettings
from chimera_platform.risk.hedge_controller import HedgeSettings
from chimera_platform.risk.live_value_at_risk import ValueAtRiskSettings
from chimera_platform.risk.risk_settings import RiskAdaptiveSettings, RiskSettings
from chimera_platform.risk.sizing import SizingSettings
from chimera_platform.risk.stress import StressSettings
from chimera_platform.settings import Settings
from chimera_platform.signals.detectors import DetectorSettings
from chimera_platform.simulation.exchange.settings import VenueSettings
from chimera_platform.threading_settings import ThreadingSettings


class Configuration(Settings):
    """All settings of a run; each section stands beside the code that it configures."""

    hft: HftSettings = HftSettings.model_validate({})
    structure: StructureSettings = StructureSettings.model_validate({})
    order_flow: OrderFlowSettings = OrderFlowSettings()
    sweep_reversal: SweepReversalSettings = SweepReversalSettings()
    stacked_absorption: StackedAbsorptionSettings = StackedAbsorptionSettings()
    iceberg_defense: IcebergDefenseSettings = IcebergDefenseSettings()
    vacuum_entry: VacuumEntrySettings = VacuumEntrySettings()
    mean_reversion: MeanReversionSettings = MeanReversionSettings()
    node_bounce: NodeBounceSettings = NodeBounceSettings()
    detectors: DetectorSettings = DetectorSettings()
    timeframes: TimeframeSettings = TimeframeSettings.model_validate({})
    regime: RegimeRuleSettings = RegimeRuleSettings.model_validate({})
    session_profile: SessionProfileSettings = SessionProfileSettings.model_validate({})
    risk: RiskSettings = RiskSettings.model_validate({})
    risk_adaptive: RiskAdaptiveSettings = RiskAdaptiveSettings.model_validate({})
    allocator: AllocatorSettings = AllocatorSettings.model_validate({})
    hedge_controller: HedgeSettings = HedgeSettings.model_validate({})
    exits: ExitSettings = ExitSettings.model_validate({})
    circuit_breaker: CircuitBreakerSettings = CircuitBreakerSettings.model_validate({})
    sizing: SizingSettings = SizingSettings.model_validate({})
    covariance: CovarianceSettings = CovarianceSettings.model_validate({})
    reconciliation: ReconciliationSettings = ReconciliationSettings.model_validate({})
    venue: VenueSettings = VenueSettings.model_validate({})
    venues: dict[str, VenueSettings] = Field(
        {}, description="in place of venue for the instruments of the venue of that name, whole"
    )
    account: AccountSettings = AccountSettings.model_validate({})
    coordination: CoordinationSettings = CoordinationSettings.model_validate({})
    value_at_risk: ValueAtRiskSettings = ValueAtRiskSettings.model_validate({})
    stress: StressSettings = StressSettings.model_validate({})
    performance_tracking: PerformanceTrackingSettings = PerformanceTrackingSettings.model_validate({})
    latency_attribution: LatencyAttributionSettings = LatencyAttributionSettings.model_validate({})
    threading: ThreadingSettings = ThreadingSettings.model_validate({})

    def deciding(self) -> dict[str, Any]:
        """Return, as plain JSON, what a result depends on: not which cores it ran on, nor how often it was reported."""
        apart: Any = {"threading": True, "latency_attribution": {"export_stats_interval_seconds"}}
        return self.model_dump(mode="json", exclude=apart)


def load_configuration(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Configuration:
    """Return the configuration of a file, the environment and the command line, the later over the earlier.

    Parameters
    ----------
    path : a TOML file with one table per section, or None for the defaults.
    environ : where the other layers stand, see :mod:`chimera_platform.configuration_layers`.

    Raises
    ------
    ConfigurationError
        Naming the file or variable, the key, its value and what was expected; unknown keys are refused.
    """
    return explained_configuration(path, environ)[0]


def explained_configuration(
    path: Path | None, environ: Mapping[str, str] = os.environ
) -> tuple[Configuration, dict[tuple[str, ...], str]]:
    """Return the configuration and, for each setting that is not a default, where it comes from.

    Raises
    ------
    ConfigurationError
        As :func:`load_configuration`.
    """
    files = [file_layer(path)] if path is not None else []
    layers = [*files, environment_layer(environ), command_line_layer(environ)]
    layer = merged([translated(each, Configuration) for each in layers])
    return _validated(layer.content, "configuration", layer.origins), layer.origins


def with_parameters(configuration: Configuration, parameters: Mapping[str, Mapping[str, float]]) -> Configuration:
    """Return ``configuration`` with single settings replaced, validated as if they stood in the file.

    Parameters
    ----------
    parameters : section → key → value, as a release holds them. A float with an integral value is accepted for
        an integer setting, 0 and 1 for a switch.

    Raises
    ------
    ConfigurationError
        If a section or key is unknown or a value is out of its bounds.
    """
    if not parameters:
        return configuration
    content: dict[str, Any] = configuration.model_dump()
    for section, values in parameters.items():
        if section not in content:
            raise _unknown("parameters", section, values, sorted(content))
        for key, value in values.items():
            if key not in content[section]:
                raise _unknown("parameters", f"{section}.{key}", value, sorted(content[section]))
            content[section][key] = value
    return _validated(content, "parameters")


def _validated(
    content: dict[str, Any], where: str, origins: Mapping[tuple[str, ...], str] | None = None
) -> Configuration:
    try:
        return Configuration.model_validate(content)
    except ValidationError as error:
        sentences = (_sentence(_origin(where, origins or {}, each["loc"]), dict(each)) for each in error.errors())
        raise ConfigurationError("; ".join(sentences)) from error


def _origin(where: str, origins: Mapping[tuple[str, ...], str], location: tuple[int | str, ...]) -> str:
    """Return where the setting at ``location``, or the first one below it, comes from."""
    parts = tuple(str(part) for part in location)
    for setting, origin in origins.items():
        if setting[: len(parts)] == parts or parts[: len(setting)] == setting:
            return origin
    return where


def _sentence(where: str, error: dict[str, Any]) -> str:
    """Turn one of pydantic's errors into file, key, value and expectation."""
    location = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        return str(_unknown(where, ".".join(location), error["input"], _known_keys(location)))
    return f"{where}: '{'.'.join(location)}' is {error['input']!r}; expected: {_expectation(error)}"


def _expectation(error: dict[str, Any]) -> str:
    message = str(error["msg"])
    return message.removeprefix("Input should be ").removeprefix("Value error, ")


def _known_keys(location: list[str]) -> list[str]:
    section: Any = Configuration
    for name in location[:-1]:
        is_named = get_origin(section) is dict  # a table of tables whose names the user gives
        section = get_args(section)[1] if is_named else section.model_fields[name].annotation
    return sorted(section.model_fields)


def _unknown(where: str, key: str, value: object, known: list[str]) -> ConfigurationError:
    return ConfigurationError(f"{where}: unknown key '{key}' with value {value!r}; expected one of: {', '.join(known)}")
