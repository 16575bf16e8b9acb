"""The order-flow engine's parameters: a settings section for the engine and one for each strategy, and their record."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.engines.order_flow.engine_settings import OrderFlowSettings
from chimera_platform.engines.order_flow.iceberg_defense import IcebergDefenseSettings
from chimera_platform.engines.order_flow.mean_reversion import MeanReversionSettings
from chimera_platform.engines.order_flow.node_bounce import NodeBounceSettings
from chimera_platform.engines.order_flow.stacked_absorption import StackedAbsorptionSettings
from chimera_platform.engines.order_flow.strategy_settings import StrategySettings
from chimera_platform.engines.order_flow.sweep_reversal import SweepReversalSettings
from chimera_platform.engines.order_flow.vacuum_entry import VacuumEntrySettings
from chimera_platform.execution.records import IntentReason
from chimera_platform.settings import Settings, record_dtype, to_record

STRATEGIES: dict[str, tuple[type[StrategySettings], IntentReason]] = {
    "sweep_reversal": (SweepReversalSettings, IntentReason.SWEEP_REVERSAL),
    "stacked_absorption": (StackedAbsorptionSettings, IntentReason.STACKED_ABSORPTION),
    "iceberg_defense": (IcebergDefenseSettings, IntentReason.ICEBERG_DEFENSE),
    "vacuum_entry": (VacuumEntrySettings, IntentReason.VACUUM),
    "mean_reversion": (MeanReversionSettings, IntentReason.MEAN_REVERSION),
    "node_bounce": (NodeBounceSettings, IntentReason.NODE_BOUNCE),
}
"""Configuration section → settings and the reason of its intents, in the order of the reasons."""

ORDER_FLOW_SECTIONS = ("order_flow", *STRATEGIES)
COMMON_DTYPE = record_dtype(StrategySettings)


def _strategy_dtype(settings: type[StrategySettings]) -> np.dtype[Any]:
    """Return a strategy's dtype: what all have in common as one field, so that shared kernels are compiled once."""
    own = record_dtype(settings)
    shared = COMMON_DTYPE.names or ()
    fields = [(name, own[name]) for name in own.names or () if name not in shared]
    return np.dtype([("common", COMMON_DTYPE), *fields], align=True)


ORDER_FLOW_PARAMETERS_DTYPE = np.dtype(
    [
        ("engine", record_dtype(OrderFlowSettings)),
        *((name, _strategy_dtype(settings)) for name, (settings, _) in STRATEGIES.items()),
    ],
    align=True,
)


def order_flow_parameters(sections: Any) -> np.ndarray[Any, Any]:
    """Return the kernels' form of the engine's settings, shape (1,), :data:`ORDER_FLOW_PARAMETERS_DTYPE`.

    Parameters
    ----------
    sections : an object with the attributes :data:`ORDER_FLOW_SECTIONS`, as a ``Configuration``.
    """
    parameters = np.zeros(1, ORDER_FLOW_PARAMETERS_DTYPE)
    parameters["engine"] = to_record(sections.order_flow)
    for name in STRATEGIES:
        _fill(parameters[name], getattr(sections, name))
    return parameters


def _fill(record: np.ndarray[Any, Any], settings: Settings) -> None:
    flat = to_record(settings)
    for name in flat.dtype.names or ():
        target = record["common"] if name in (COMMON_DTYPE.names or ()) else record
        target[name] = flat[name]
