"""The settings that the platform's source documents name, and which of its own each of them is.

Where a document's section and key are the platform's as well, nothing is to be done. Otherwise the document's key is an
*alias*: in a file (``[system] max_positions = 10``), in the environment (``CHIMERA_SYSTEM__MAX_POSITIONS=10``) and on
the command line (``--set system.max_positions=10``) it stands for the setting beside it, in the document's unit. Each
layer is translated before it is laid over the others, so that the order file < environment < command line holds for
aliases too; within one layer a setting may only be named once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from chimera_platform.configuration_layers import Layer, leaves, put
from chimera_platform.errors import ConfigurationError
from chimera_platform.settings import Settings

Path = tuple[str, ...]
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass(frozen=True)
class DocumentKey:
    """A key of a document and what it sets.

    Parameters
    ----------
    name : section and key as the document has them.
    value : the document's own value.
    unit : of the document's value.
    setting : the platform's setting.
    factor : the setting's units in one of the document's; 1 takes the value as it is.
    implies : what else naming the key sets, unless the same layer says otherwise.
    """

    name: Path
    value: Any
    unit: str
    setting: Path
    factor: int = 1
    implies: Mapping[Path, Any] = field(default_factory=dict)

    @property
    def is_alias(self) -> bool:
        """Whether the platform calls it otherwise."""
        return self.name != self.setting

    @property
    def label(self) -> str:
        """``[section] key``, as it stands in a file."""
        return f"[{'.'.join(self.name[:-1])}] {self.name[-1]}"


def _own(section: str, unit: str, **values: Any) -> list[DocumentKey]:
    """Return keys that are the platform's own."""
    return [DocumentKey((section, key), value, unit, (section, key)) for key, value in values.items()]


_SYSTEM = [
    DocumentKey(("system", "max_positions"), 10, "positions", ("risk", "max_positions")),
    DocumentKey(("system", "max_risk_per_trade"), 0.02, "fraction of equity", ("risk", "max_risk_per_trade")),
    DocumentKey(("system", "max_portfolio_risk"), 0.10, "fraction of equity", ("risk", "max_portfolio_risk")),
    DocumentKey(("system", "data_update_interval"), 0.1, "s", ("coordination", "clock_interval_ns"), 1_000_000_000),
    DocumentKey(("system", "signal_confidence_threshold"), 0.6, "fraction", ("risk", "signal_confidence_threshold")),
]
_SWEEP, _ABSORPTION, _ICEBERG = ("trading", "liquidity_sweep"), ("trading", "absorption"), ("trading", "iceberg")
_TRADING = [
    DocumentKey((*_SWEEP, "min_volume"), 10_000, "lots", ("detectors", "sweeps", "lots_min")),
    DocumentKey(
        (*_SWEEP, "price_impact_threshold"), 0.001, "fraction of the price", ("detectors", "sweeps", "move_min")
    ),
    DocumentKey((*_SWEEP, "time_window"), 5, "s", ("detectors", "sweeps", "window_ms"), 1_000),
    DocumentKey(
        (*_ABSORPTION, "flow_imbalance_threshold"), 0.7, "fraction", ("detectors", "absorption", "flow_share_min")
    ),
    DocumentKey((*_ABSORPTION, "volume_threshold"), 5_000, "lots", ("detectors", "absorption", "lots_min")),
    DocumentKey((*_ABSORPTION, "rejection_count"), 3, "attempts", ("detectors", "absorption", "attempts_min")),
    DocumentKey((*_ICEBERG, "replenishment_threshold"), 0.8, "fraction", ("detectors", "icebergs", "refill_share_min")),
    DocumentKey((*_ICEBERG, "size_consistency"), 0.9, "fraction", ("detectors", "icebergs", "regularity")),
    DocumentKey((*_ICEBERG, "time_interval_tolerance"), 2, "s", ("detectors", "icebergs", "refill_ms"), 1_000),
]
_RISK = [
    DocumentKey(("risk", "max_drawdown"), 0.15, "fraction of the peak", ("circuit_breaker", "max_drawdown")),
    DocumentKey(("risk", "var_confidence"), 0.95, "fraction", ("value_at_risk", "var_confidence")),
    DocumentKey(("risk", "position_sizing"), "kelly", "name", ("sizing", "method")),
    DocumentKey(("risk", "stop_loss_pct"), 0.02, "fraction of the price", ("exits", "max_stop_fraction")),
    DocumentKey(
        ("risk", "take_profit_ratio"),
        2.0,
        "stops",
        ("exits", "take_profit_ratio"),
        implies={("exits", "target_source"): "ratio"},
    ),
]
DOCUMENT_KEYS: tuple[DocumentKey, ...] = (
    *_own(
        "threading",
        "core",
        hft_thread_core=1,
        structure_thread_core=2,
        coordinator_thread_core=3,
        execution_thread_core=4,
    ),
    *_own("performance_tracking", "switch", enable_dynamic_rebalancing=True),
    *_own("performance_tracking", "s", rebalance_interval_seconds=10),
    *_own("performance_tracking", "trades", min_trades_before_rebalance=20),
    *_own(
        "risk_adaptive",
        "fraction of risk.max_spread_ppm",
        spread_threshold_london=0.4,
        spread_threshold_newyork=0.5,
        spread_threshold_asia=0.3,
    ),
    *_own("risk_adaptive", "ms", latency_threshold_ms=50),
    *_own("risk_adaptive", "rejects", reject_escalation_threshold=10),
    *_own("latency_attribution", "switch", enable_execution_analytics=True),
    *_own("latency_attribution", "score", quality_score_threshold=0.6),
    *_own("latency_attribution", "s", export_stats_interval_seconds=60),
    *_own("hedge_controller", "switch", enable_cross_engine_hedging=True),
    *_own("hedge_controller", "score", hedge_threshold_score=0.3),
    *_own("hedge_controller", "fraction", hedge_size_ratio=0.25),
    *_SYSTEM,
    *_TRADING,
    *_RISK,
)
"""Every key of the documents, section by section."""

_ALIASES = {key.name: key for key in DOCUMENT_KEYS if key.is_alias}
_ALIAS_SECTIONS = ("system", "trading")
"""Tables of the documents that are no sections of the platform."""


def field_of(settings: type[Settings], path: Path) -> FieldInfo:
    """Return the field at ``path`` below ``settings``; KeyError where there is none."""
    found: Any = settings
    for name in path[:-1]:
        found = found.model_fields[name].annotation
    about: FieldInfo = found.model_fields[path[-1]]
    return about


def document_bounds(key: DocumentKey, about: FieldInfo) -> str:
    """Return the setting's bounds in the document's unit, such as ``≥ 0.01, ≤ 60``, or its names; empty without any."""
    if isinstance(about.annotation, type) and issubclass(about.annotation, Enum):
        return ", ".join(str(member.value) for member in about.annotation)
    limits = [(sign, getattr(rule, name, None)) for rule in about.metadata for name, sign in _BOUNDS.items()]
    return ", ".join(f"{sign} {limit / key.factor:g}" for sign, limit in limits if limit is not None)


def in_document_units(key: DocumentKey, configuration: Settings) -> Any:
    """Return the value of the setting that ``key`` stands for, in the document's unit."""
    found: Any = configuration
    for name in key.setting:
        found = getattr(found, name)
    return found if key.factor == 1 else found / key.factor


def translated(layer: Layer, settings: type[Settings]) -> Layer:
    """Return ``layer`` with the documents' keys as the settings of ``settings`` that they stand for.

    Raises
    ------
    ConfigurationError
        Naming the document's key where a value is of a wrong type or out of bounds, where a table of the documents
        has another key, and where a setting is named as itself and by its alias.
    """
    own = Layer({}, {})
    given: list[tuple[DocumentKey, Any, str]] = []
    wrong: list[str] = []
    for path, value in leaves(layer.content):
        if path in _ALIASES:
            given.append((_ALIASES[path], value, layer.origins[path]))
        elif path[0] in _ALIAS_SECTIONS and not (value == {} and _is_table(path)):
            wrong.append(_unknown(path, value, layer.origins[path]))
        elif path[0] not in _ALIAS_SECTIONS:
            put(own, path, value, layer.origins[path])
    for key, value, origin in given:
        name = ".".join(key.setting)
        if key.setting in own.origins:
            wrong.append(f"{origin}: '{key.label}' sets '{name}', which {own.origins[key.setting]} sets as well")
            continue
        try:
            put(own, key.setting, _converted(key, value, field_of(settings, key.setting)), _where(key, origin))
        except ValueError as error:
            wrong.append(f"{origin}: '{key.label}', which sets '{name}', is {value!r}; expected {error}")
    for key, _, origin in given:
        for path, value in key.implies.items():
            if path not in own.origins:
                put(own, path, value, _where(key, origin))
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return own


def _where(key: DocumentKey, origin: str) -> str:
    """Return where a value comes from, with the document's key; a variable's name has it already."""
    if origin.startswith("$"):
        return origin
    return f"{origin} {'.'.join(key.name)}" if origin == "--set" else f"{origin}: {key.label}"


def _is_table(path: Path) -> bool:
    return any(name[: len(path)] == path for name in _ALIASES if len(name) > len(path))


def _unknown(path: Path, value: Any, origin: str) -> str:
    if _is_table(path):
        return f"{origin}: '{'.'.join(path)}' is {value!r}; expected a table"
    tables = {name[:-1] for name in _ALIASES if name[0] == path[0]}
    table = max((known for known in tables if path[: len(known)] == known), key=len, default=path[:1])
    known = sorted(name[len(table)] for name in _ALIASES if name[: len(table)] == table)
    expected = ", ".join(dict.fromkeys(known))
    return f"{origin}: unknown key '{'.'.join(path)}' with value {value!r}; expected one of: {expected}"


def _converted(key: DocumentKey, value: Any, about: FieldInfo) -> Any:
    """Return ``value`` in the setting's unit; ValueError says what was expected, in the document's."""
    bounds = document_bounds(key, about)
    expected = f"{bounds} {key.unit}".strip()
    if key.factor != 1:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"a number, {expected}")
        exact = Decimal(str(value)) * key.factor  # as it was written: 0.3 s are 300 ms
        if about.annotation is int and exact != exact.to_integral_value():
            raise ValueError(f"a whole number of 1/{key.factor} {key.unit}")
        value = int(exact) if about.annotation is int else float(exact)
    try:
        return TypeAdapter(cast(Any, Annotated[about.annotation, about])).validate_python(value)
    except ValidationError as error:
        message = str(error.errors()[0]["msg"]).removeprefix("Input should be ")
        is_bound = error.errors()[0]["type"].startswith(("greater_than", "less_than"))
        raise ValueError(expected if is_bound else message) from error
