"""What is compared: the first version, the second, and each upgrade by itself and left out.

The first version is the source document's: a spread trigger, crossing averages, capital split 60/40 between these two
engines, limits that do not adapt. The second is the configuration as it stands. A *variant* is the configuration
with parameters over it, section → key → value, as a release has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.engines.order_flow.parameters import STRATEGIES

Parameters = Mapping[str, Mapping[str, float]]

V1, V2 = "v1", "v2"
SMALL_V1, SMALL_V2 = "small account: v1", "small account: v2"
IDEAL_V1, IDEAL_V2 = "ideal venue: v1", "ideal venue: v2"
SMALL_EQUITY = 20_000
_REGIME_FACTORS = ("quiet_range", "active_range", "trend_with", "trend_against", "breakout", "stressed")
_NO_SCALING = 0.9999  # soft over hard drawdown: sizes stay whole until the hard limit refuses


class Role(StrEnum):
    """What a variant is there for."""

    VERSION = "version"  # one of the two versions, whole
    ALONE = "alone"  # one upgrade over the first version
    LEFT_OUT = "left out"  # the second version without one upgrade
    CONDITION = "condition"  # a version under other conditions of account or venue


@dataclass(frozen=True)
class Variant:
    """A configuration to compare.

    Attributes
    ----------
    name : unique.
    role : what it is there for.
    parameters : over the configuration; validated by ``with_parameters``.
    upgrade : key of the upgrade that it shows; "" where it shows none.
    against : name of the variant that it is compared with; "" where it is compared with none.
    uses_release : whether the release to compare under is in force.
    uses_model : whether that release's signal model decides too.
    """

    name: str
    role: Role
    parameters: Parameters
    upgrade: str = ""
    against: str = ""
    uses_release: bool = False
    uses_model: bool = False

    def configuration(self, base: Configuration) -> Configuration:
        """Return the variant's settings; ConfigurationError where a section or key does not exist."""
        return with_parameters(base, self.parameters)


@dataclass(frozen=True)
class Upgrade:
    """What the second version has and the first has not.

    Attributes
    ----------
    key, title : a short name, and what it is.
    alone : parameters over the first version's that bring it; None where it needs another upgrade.
    left_out : parameters over the configuration that take it away.
    """

    key: str
    title: str
    left_out: Parameters
    alone: Parameters | None = None


@dataclass(frozen=True)
class Row:
    """A row of the document's comparison of versions, and what stands for it here.

    Attributes
    ----------
    metric, first, second : as the document has them.
    upgrades : keys of the upgrades that show it.
    said : what is not compared, and why.
    """

    metric: str
    first: str
    second: str
    upgrades: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True)
class Plan:
    """Variants to run, in the order of the tables, and the upgrades that they show."""

    variants: tuple[Variant, ...]
    upgrades: tuple[Upgrade, ...]
    untouched: tuple[str, ...] = field(default=())  # configuration sections that no variant changes


DOCUMENT: tuple[Row, ...] = (
    Row(
        "Architecture",
        "Single-threaded",
        "Multi-threaded isolated",
        said="Not a matter of profit: any number of workers takes the same decisions, to the byte (one digest).",
    ),
    Row("HFT Edge", "Spread triggers", "Microstructure intelligence", ("hft", "hft_sweeps")),
    Row("Structure", "Basic EMA", "Multi-timeframe regime", ("structure", "structure_timeframes", "regime_factors")),
    Row(
        "Capital",
        "Static 60/40",
        "Dynamic rebalancing",
        ("shares",),
        "The shares of three engines are compared. Weights from attribution come with a release, between runs; "
        "**rebalancing within a run comes with a later part of the platform**.",
    ),
    Row(
        "Risk",
        "Static limits",
        "Adaptive + session-aware",
        ("drawdown_scaling",),
        "Sizes that shrink in a drawdown are compared. **Spread limits by session, escalation of rejects and the "
        "pause on latency come with a later part**.",
    ),
    Row(
        "Latency Tracking",
        "None",
        "Full attribution",
        said="Decides nothing: the journal keeps every time, and SQL attributes it. **A pause or a route that "
        "follows from it comes with a later part.** What latency costs stands under *What the venue costs*.",
    ),
    Row("Hedge Logic", "None", "Cross-engine hedging", ("hedging",)),
)
"""The document's table without its expectations, which are measured: see :data:`EXPECTED`."""

EXPECTED: tuple[tuple[str, str, str], ...] = (
    ("Win Rate (HFT)", "~52%", "~58%+"),
    ("Win Rate (Structure)", "~55%", "~65%+"),
    ("Sharpe Ratio", "~1.2", "~2.0+"),
)
"""What the document expects of the two versions."""

LATER = (
    "Q-learning exits, the fusion of indicators, the regime model (regimes are by rules here) and the genetic search "
    "for parameters"
)
"""What the other documents promise and no variant can switch yet."""


def plan(base: Configuration, *, has_release: bool = False, has_model: bool = False) -> Plan:
    """Return what to compare.

    Parameters
    ----------
    base : the second version, but for switches that are off in it.
    has_release : whether there is a release to compare with the plain configuration.
    has_model : whether that has a signal model.

    Raises
    ------
    ConfigurationError
        If a variant's parameter does not exist or is out of bounds.
    """
    first, second, all_upgrades = first_version(base), second_version(base), upgrades(base)
    variants = [Variant(V1, Role.VERSION, first), Variant(V2, Role.VERSION, second, against=V1)]
    for each in all_upgrades:
        if each.alone is not None:
            variants.append(Variant(f"v1 + {each.key}", Role.ALONE, over(first, each.alone), each.key, V1))
    for each in all_upgrades:
        variants.append(Variant(f"v2 - {each.key}", Role.LEFT_OUT, over(second, each.left_out), each.key, V2))
    variants += _conditions(base, first, second, {each.key: each for each in all_upgrades})
    if has_release:
        variants.append(Variant("v2 + release", Role.CONDITION, second, "release", V2, uses_release=True))
    if has_model:
        variants.append(Variant("v2 + release + model", Role.CONDITION, second, "model", "v2 + release", True, True))
    for variant in variants:
        variant.configuration(base)
    touched = {section for variant in variants for section in variant.parameters}
    untouched = tuple(sorted(set(type(base).model_fields) - touched))
    return Plan(tuple(variants), all_upgrades, untouched)


def over(parameters: Parameters, changes: Parameters) -> dict[str, dict[str, float]]:
    """Return ``parameters`` with ``changes`` over them."""
    joined = {section: dict(values) for section, values in parameters.items()}
    for section, values in changes.items():
        joined.setdefault(section, {}).update(values)
    return joined


def first_version(base: Configuration) -> dict[str, dict[str, float]]:
    """Return the parameters of the document's first version: simple engines, 60/40, limits that do not adapt."""
    return {
        "hft": {"version": 1, "enabled": 1},
        "structure": {"version": 1, "enabled": 1},
        "order_flow": {"enabled": 0},
        "allocator": {"hft_share": 0.6, "structure_share": 0.4, "order_flow_share": 0.0},
        "risk": {"soft_drawdown": _NO_SCALING * base.risk.hard_drawdown},
        "hedge_controller": {"enable_cross_engine_hedging": 0},
    }


def second_version(base: Configuration) -> dict[str, dict[str, float]]:
    """Return the parameters that make sure of the second version's engines; all else is the configuration's."""
    return {
        "hft": {"version": 2, "enabled": 1},
        "structure": {"version": 2, "enabled": 1},
        "order_flow": {"enabled": 1},
    }


def upgrades(base: Configuration) -> tuple[Upgrade, ...]:
    """Return every upgrade that the configuration can switch."""
    shares = {name: getattr(base.allocator, name) for name in ("hft_share", "structure_share", "order_flow_share")}
    capital = {"order_flow_share": base.allocator.order_flow_share}
    strategies = [
        Upgrade(
            name,
            f"{name.replace('_', ' ')} of the six strategies",
            {name: {"enabled": 0}},
            {
                "order_flow": {"enabled": 1},
                "allocator": capital,
                **{other: {"enabled": 0} for other in STRATEGIES if other != name},
                name: {"enabled": 1},
            },
        )
        for name in STRATEGIES
    ]
    return (
        Upgrade(
            "hft",
            "HFT engine V2 in place of the spread trigger",
            {"hft": {"version": 1}},
            {"hft": {"version": 2}},
        ),
        Upgrade(
            "structure",
            "structure engine V2 in place of the crossing averages",
            {"structure": {"version": 1}},
            {"structure": {"version": 2}},
        ),
        Upgrade(
            "order_flow",
            "the order-flow engine, all six strategies",
            {"order_flow": {"enabled": 0}},
            {"order_flow": {"enabled": 1}, "allocator": capital},
        ),
        *strategies,
        Upgrade(
            "shares",
            "capital shares of three engines in place of 60/40",
            {"allocator": {"hft_share": 0.6, "structure_share": 0.4}},
            {"allocator": shares},
        ),
        Upgrade(
            "drawdown_scaling",
            "sizes that shrink in a drawdown",
            {"risk": {"soft_drawdown": _NO_SCALING * base.risk.hard_drawdown}},
            {"risk": {"soft_drawdown": base.risk.soft_drawdown}},
        ),
        Upgrade(
            "hedging",
            "hedges against what the engines hold together",
            {"hedge_controller": {"enable_cross_engine_hedging": 0}},
            {"hedge_controller": {"enable_cross_engine_hedging": 1}},
        ),
        Upgrade(
            "hft_sweeps",
            "what the sweep detector tells the HFT engine to follow",
            {"hft": {"sweep_strength_min": 1.0, "sweep_confidence": 0.0}},
        ),
        Upgrade(
            "structure_timeframes",
            "compression on several timeframes rather than on one",
            {"structure": {"timeframes_min": 1}},
        ),
        Upgrade(
            "confluence",
            "the timeframes' veto on the six strategies",
            {name: {"confluence_min": 0.0} for name in STRATEGIES},
        ),
        Upgrade(
            "regime_factors",
            "confidence of the six strategies by regime",
            {name: dict.fromkeys(_REGIME_FACTORS, 1.0) for name in STRATEGIES},
        ),
        Upgrade(
            "flow_veto",
            "the present flow's veto on the six strategies",
            {name: {"lean_min": -0.5, "ofi_norm_min": -1.0} for name in STRATEGIES},
        ),
        Upgrade(
            "limit_entries",
            "waiting with a limit order rather than running after the price",
            {"structure": {"chase_bars": 5.0}, **{name: {"chase_noise": 20.0} for name in STRATEGIES}},
        ),
        Upgrade("hft_engine", "an HFT engine at all", {"hft": {"enabled": 0}}),
        Upgrade("structure_engine", "a structure engine at all", {"structure": {"enabled": 0}}),
    )


def ideal_venue(base: Configuration) -> dict[str, dict[str, float]]:
    """Return the parameters of a venue without latency and impact."""
    return {
        "venue": {
            name: 0
            for name in type(base.venue).model_fields
            if name in ("order_latency_ns", "report_latency_ns", "feed_latency_ns", "impact_coefficient")
        }
    }


def _conditions(
    base: Configuration, first: Parameters, second: Parameters, known: Mapping[str, Upgrade]
) -> list[Variant]:
    """Return the versions under other conditions: no latency or impact; an account so small that its caps bind."""
    ideal, small = ideal_venue(base), {"account": {"starting_equity": SMALL_EQUITY}}
    found = [
        Variant(IDEAL_V1, Role.CONDITION, over(first, ideal), against=V1),
        Variant(IDEAL_V2, Role.CONDITION, over(second, ideal), against=V2),
        Variant(SMALL_V1, Role.CONDITION, over(first, small)),
        Variant(SMALL_V2, Role.CONDITION, over(second, small), against=SMALL_V1),
    ]
    for upgrade in (known["shares"], known["drawdown_scaling"]):
        if upgrade.alone is not None:
            alone = over(over(first, small), upgrade.alone)
            found.append(Variant(f"small account: v1 + {upgrade.key}", Role.ALONE, alone, upgrade.key, SMALL_V1))
        without = over(over(second, small), upgrade.left_out)
        found.append(Variant(f"small account: v2 - {upgrade.key}", Role.LEFT_OUT, without, upgrade.key, SMALL_V2))
    return found
