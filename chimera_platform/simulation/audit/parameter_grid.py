"""Which values of a parameter the map is drawn at: around the present one, inside the settings' own bounds."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from chimera_platform.configuration import Configuration
from chimera_platform.settings import Settings
from chimera_platform.simulation.audit.settings import AuditSettings

SECTIONS = (
    "hft",
    "structure",
    "order_flow",
    "sweep_reversal",
    "stacked_absorption",
    "iceberg_defense",
    "vacuum_entry",
    "mean_reversion",
    "node_bounce",
)
"""The sections of the configuration that say when engines trade."""

_NOT_TUNED = ("version", "order_notional")  # which engine it is, and how much of it: the result is in proportion


class Parameter(NamedTuple):
    """A numeric setting and the values that it is tried at.

    Attributes
    ----------
    section, name : where it stands.
    values : ascending, the present value among them.
    centre : index of the present value.
    """

    section: str
    name: str
    values: tuple[float, ...]
    centre: int

    @property
    def label(self) -> str:
        """``section.name``."""
        return f"{self.section}.{self.name}"

    @property
    def value(self) -> float:
        """The present value."""
        return self.values[self.centre]


def engine_parameters(configuration: Configuration, settings: AuditSettings) -> list[Parameter]:
    """Return every numeric parameter of an engine or strategy that is switched on and has room to move."""
    found = []
    for section in SECTIONS:
        own: Settings = getattr(configuration, section)
        if not getattr(own, "enabled", True) or (_is_strategy(section) and not configuration.order_flow.enabled):
            continue
        for name, field in type(own).model_fields.items():
            if field.annotation not in (int, float) or name in _NOT_TUNED:
                continue
            parameter = parameter_of(own, section, name, settings)
            if len(parameter.values) > 1:
                found.append(parameter)
    return found


def parameter_of(own: Settings, section: str, name: str, settings: AuditSettings) -> Parameter:
    """Return the grid of one parameter.

    A value above 0 is multiplied and divided in equal steps of its logarithm; where it is 0 or less, the steps are
    equal parts of its bounds. Values outside the bounds are left out, an integer's steps are rounded.
    """
    field = type(own).model_fields[name]
    value = float(getattr(own, name))
    low, high = bounds(field.metadata)
    steps = range(-settings.grid_steps, settings.grid_steps + 1)
    if value > 0:
        wanted = [value * settings.grid_span ** (k / settings.grid_steps) for k in steps]
    else:
        width = (high - low) if math.isfinite(high - low) else 1.0
        wanted = [value + 0.25 * width * k / settings.grid_steps for k in steps]
    if field.annotation is int:
        wanted = [float(round(each)) for each in wanted]
    wanted = [each for each in wanted if low <= each <= high and each != value]
    values = sorted({*wanted, value})
    return Parameter(section, name, tuple(values), values.index(value))


def bounds(metadata: list[Any]) -> tuple[float, float]:
    """Return the inclusive bounds that a setting's field states; infinite where it states none."""
    low, high = -math.inf, math.inf
    for each in metadata:
        if (bound := getattr(each, "ge", None)) is not None:
            low = float(bound)
        if (bound := getattr(each, "gt", None)) is not None:
            low = math.nextafter(float(bound), math.inf)
        if (bound := getattr(each, "le", None)) is not None:
            high = float(bound)
        if (bound := getattr(each, "lt", None)) is not None:
            high = math.nextafter(float(bound), -math.inf)
    return low, high


def _is_strategy(section: str) -> bool:
    return section not in ("hft", "structure", "order_flow")
