"""Parameter sets to try: every combination of a grid, or random ones within the settings' own bounds.

A set is section → key → value, as ``--params`` and releases have it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.errors import ConfigurationError
from chimera_platform.settings import Settings

ParameterSet = dict[str, dict[str, float]]

SETS_MAX = 1_000_000
LOGARITHMIC_FROM = 1_000.0
"""A range whose upper bound is that many times its lower one is drawn from evenly by magnitude."""
MAGNITUDES = 10_000.0
"""What stands for the lower bound of such a range where that is 0: the upper one divided by this."""

DEFAULT_KEYS: dict[str, tuple[str, ...]] = {
    "hft": (
        "queue_imbalance_min", "microprice_edge_min", "ofi_norm_min", "trade_imbalance_min", "momentum_vols_min",
        "stop_spreads", "stop_vols", "target_spreads", "target_vols", "max_hold_ns", "cooldown_ns",
    ),
    "structure": (
        "range_bars", "history_bars", "compression_quantile", "timeframes_min", "breakout_bars", "chase_bars",
        "stop_bars_min", "stop_bars_max", "reward_risk", "max_hold_ns", "cooldown_ns",
    ),
    "order_flow": ("spread_bps_max", "efficiency_strong", "stretch_deviations", "cooldown_ns"),
}  # fmt: skip
"""What is drawn where no section or key is named: entries, exits and pace of the three engines."""

_REDRAWS = 100


def grid_sets(grid: Mapping[str, Mapping[str, Sequence[float]]], base: Configuration) -> list[ParameterSet]:
    """Return every combination of the grid's values, the last key changing fastest.

    Parameters
    ----------
    grid : section → key → values to try.
    base : what the sets come on top of; each is validated over it.

    Raises
    ------
    ConfigurationError
        Naming a section, key or value that is not valid, a key without values, or too many sets.
    """
    axes = [(section, key, values) for section, keys in grid.items() for key, values in keys.items()]
    if not axes:
        raise ConfigurationError(
            'grid: no parameter; expected section → key → values: {"hft": {"cooldown_ns": [1, 2]}}'
        )
    for section, key, values in axes:
        if isinstance(values, str) or not isinstance(values, Sequence) or len(values) == 0:
            raise ConfigurationError(f"grid: '{section}.{key}' is {values!r}; expected a list of values")
        for value in values:
            if isinstance(value, bool | int | float) and math.isfinite(value):
                continue
            raise ConfigurationError(f"grid: '{section}.{key}' has the value {value!r}; expected finite numbers")
    count = math.prod(len(values) for _, _, values in axes)
    if count > SETS_MAX:
        raise ConfigurationError(f"grid: {count:,} combinations; expected at most {SETS_MAX:,}")
    sets = []
    for combination in itertools.product(*(values for _, _, values in axes)):
        parameters: ParameterSet = {}
        for (section, key, _), value in zip(axes, combination, strict=True):
            parameters.setdefault(section, {})[key] = value
        with_parameters(base, parameters)
        sets.append(parameters)
    return sets


def random_sets(
    count: int, seed: int, base: Configuration, keys: Mapping[str, Sequence[str]] | None = None
) -> list[ParameterSet]:
    """Return sets drawn independently within the settings' bounds, the same for the same seed.

    A number is drawn evenly between its bounds; evenly by magnitude where they lie a factor of
    :data:`LOGARITHMIC_FROM` or more apart, and for whole numbers up to a million or more also where the lower bound
    is 0 (durations); a switch is on or off. A combination that the settings refuse is drawn again.

    Parameters
    ----------
    keys : section → keys to draw; an empty sequence: all keys of the section that have bounds. None:
        :data:`DEFAULT_KEYS`.

    Raises
    ------
    ConfigurationError
        Naming a section or key that does not exist or has no bounds; or where no valid combination is found.
    """
    if not 1 <= count <= SETS_MAX:
        raise ConfigurationError(f"{count} parameter sets; expected 1 to {SETS_MAX:,}")
    axes = _axes(DEFAULT_KEYS if keys is None else keys)
    generator = np.random.Generator(np.random.PCG64(seed))
    return [_valid_set(axes, generator, base) for _ in range(count)]


def _valid_set(
    axes: Sequence[tuple[str, str, tuple[float, float] | None, bool]],
    generator: np.random.Generator,
    base: Configuration,
) -> ParameterSet:
    refused: ConfigurationError | None = None
    for _ in range(_REDRAWS):
        parameters: ParameterSet = {}
        for section, key, bounds, is_integer in axes:
            value = _draw(float(generator.random()), bounds, is_integer)
            parameters.setdefault(section, {})[key] = value
        try:
            with_parameters(base, parameters)
        except ConfigurationError as error:
            refused = error
        else:
            return parameters
    raise ConfigurationError(f"none of {_REDRAWS} random parameter sets in turn is valid; the last: {refused}")


def _draw(share: float, bounds: tuple[float, float] | None, is_integer: bool) -> float:
    """Return the value that lies ``share`` of the way between the bounds."""
    if bounds is None:
        return int(share >= 0.5)
    low, high = bounds
    start = high / MAGNITUDES if low == 0.0 and is_integer and high >= 1e6 else low
    if start > 0.0 and high / start >= LOGARITHMIC_FROM:
        value = start * (high / start) ** share
    else:
        value = low + (high - low + (1 if is_integer else 0)) * share
    value = min(max(value, low), high)
    return math.floor(value) if is_integer else value


def _axes(keys: Mapping[str, Sequence[str]]) -> list[tuple[str, str, tuple[float, float] | None, bool]]:
    """Return (section, key, bounds or None for a switch, whether it is an integer)."""
    axes = []
    for section, names in keys.items():
        fields = _fields(section)
        for key in names or [name for name in fields if _is_drawable(fields[name])]:
            if key not in fields:
                raise ConfigurationError(f"no setting '{section}.{key}'; expected one of: {', '.join(sorted(fields))}")
            if not _is_drawable(fields[key]):
                raise ConfigurationError(f"'{section}.{key}' has no range of numbers to draw from; leave it out")
            axes.append((section, key, _bounds(fields[key]), fields[key].annotation is int))
    return axes


def _fields(section: str) -> dict[str, Any]:
    field = Configuration.model_fields.get(section)
    if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, Settings)):
        known = [n for n, f in Configuration.model_fields.items() if isinstance(f.annotation, type)]
        raise ConfigurationError(f"no section '{section}'; expected one of: {', '.join(known)}")
    return dict(field.annotation.model_fields)


def _is_drawable(field: Any) -> bool:
    return field.annotation is bool or (field.annotation in (int, float) and _bounds(field) is not None)


def _bounds(field: Any) -> tuple[float, float] | None:
    """Return the lowest and highest value that a number may have; None where one of them is not set."""
    if field.annotation is bool:
        return None
    is_integer = field.annotation is int
    limits = {
        name: rule
        for each in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if (rule := getattr(each, name, None)) is not None
    }
    if not limits.keys() & {"ge", "gt"} or not limits.keys() & {"le", "lt"}:
        return None
    high = limits.get("le")
    if high is None:
        high = limits["lt"] - 1 if is_integer else math.nextafter(limits["lt"], -math.inf)
    low = limits.get("ge")
    if low is None:
        low = limits["gt"] + 1 if is_integer else limits["gt"] or high / MAGNITUDES
        low = low if low != limits["gt"] else math.nextafter(low, math.inf)
    return float(low), float(high)
