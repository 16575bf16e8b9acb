"""Books that are locked, crossed, one-sided, halted, huge or gone: defined behaviour, and nothing undefined decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.decision_path import DecisionPath
from chimera_platform.engines.step import SymbolEngines
from chimera_platform.execution.hedges import without_hedges
from chimera_platform.execution.records import Engine, IntentReason, OrderType
from chimera_platform.market.book import apply_event, best_ask, best_bid, is_tradable, new_books
from chimera_platform.market.events import EventFlag
from chimera_platform.market.instruments import Universe, load_instruments
from tests.reference.awkward_market import awkward
from tests.reference.random_market import interleaved

UNIVERSE = Universe([load_instruments()[symbol] for symbol in ("XAUUSD", "XAGUSD")])
ENGINE_SECTIONS = (
    "hft", "structure", "order_flow", "sweep_reversal", "stacked_absorption", "iceberg_defense", "vacuum_entry",
    "mean_reversion", "node_bounce",
)  # fmt: skip
SEEDS = range(3)
CAUTIOUS = {"allocator": {"max_leverage": 0.5}}  # prices that rise fivefold at once would soon leave exact arithmetic

MAY_BE_UNKNOWN = (
    "model_score", "model_threshold", "predicted_move", "volatility_ratio", "quality", "stress_correlation",
    "var_historical", "var_cornish_fisher", "var_filtered", "es_historical", "es_cornish_fisher", "es_filtered",
)  # fmt: skip
"""Fields whose comment says that NaN means unknown."""


def eager(**more: dict[str, float]) -> Configuration:
    """All engines on, every least and largest at the bound at which they want most."""
    parameters: dict[str, dict[str, float]] = {}
    for section in ENGINE_SECTIONS:
        chosen: dict[str, float] = {}
        for name, info in getattr(Configuration(), section).__class__.model_fields.items():
            bounds = {type(m).__name__: m for m in info.metadata}
            if info.annotation not in (int, float):
                continue
            if name.endswith("_min") and "Ge" in bounds:
                chosen[name] = bounds["Ge"].ge
            elif name.endswith("_max") and "Le" in bounds:
                chosen[name] = bounds["Le"].le
            elif name == "cooldown_ns":
                chosen[name] = 0
        parameters[section] = chosen | more.get(section, {})
    return with_parameters(Configuration(), parameters | CAUTIOUS)


def stream(seed: int) -> np.ndarray[Any, Any]:
    return interleaved([awkward(2 * seed + k, instrument_id=k) for k in range(2)])


CONFIGURATIONS = {
    "defaults": with_parameters(Configuration(), CAUTIOUS),
    "eager": eager(),
    "baseline": eager(hft={"version": 1, "trigger_spread_ppm": 10_000.0}),
}


@pytest.mark.parametrize(("name", "seed"), [*(("eager", seed) for seed in SEEDS), ("defaults", 3), ("baseline", 4)])
def test_nothing_undefined_and_no_untradable_moment_leads_to_an_intent(name: str, seed: int) -> None:
    events = stream(seed)
    path = DecisionPath(UNIVERSE, CONFIGURATIONS[name])
    output = path.run(events, 0)
    wanted = without_hedges(output.intents)  # a hedge has no features, and comes before the event at which it is due
    require_defined(wanted)
    require_tradable(wanted, events)
    for rows in (wanted, *output[1:]):
        for field in rows.dtype.names or ():
            if rows.dtype[field].kind == "f" and field not in MAY_BE_UNKNOWN:
                assert not np.isnan(rows[field]).any(), field
    assert path._coordinator.violation() == 0


@pytest.mark.parametrize("huge", [10**9, 10**12, 2**52])
def test_engines_stay_defined_at_prices_beyond_any_account(huge: int) -> None:
    events = awkward(3, far=(huge, 3, -50))
    intents = SymbolEngines(UNIVERSE, 0, eager()).run(events, 0)
    assert (intents["bid_price"] > huge // 2).any() and (intents["bid_price"] < 10).any()
    require_defined(intents)
    require_tradable(intents, events)


def require_defined(intents: np.ndarray[Any, Any]) -> None:
    assert ((intents["confidence"] >= 0.0) & (intents["confidence"] <= 1.0)).all()  # false for NaN
    for field in ("size", "stop_distance", "target_distance", "max_hold_ns"):
        assert (intents[field] >= 1).all(), field
        assert (intents[field] < 2**62).all(), field
    limits = intents["order_type"] == OrderType.LIMIT
    assert (intents["time_to_live_ns"][limits] >= 1).all()
    assert not np.isinf(intents["features"]).any()
    assert not intents["limit_price"][~limits].any()
    assert (intents["bid_price"] < intents["ask_price"]).all()


def require_tradable(intents: np.ndarray[Any, Any], events: np.ndarray[Any, Any]) -> None:
    """The quotes of every intent are those of a tradable book that a source event has just completed."""
    books, touch = new_books(2), np.zeros((len(events), 2), np.int64)
    tradable = np.zeros(len(events), np.bool_)
    for event_no, event in enumerate(events):
        book = books[event["instrument_id"]]
        apply_event(book, event)
        if event["flags"] & EventFlag.LAST and is_tradable(book):
            tradable[event_no] = True
            touch[event_no] = best_bid(book), best_ask(book)
    at = intents["event_no"]
    assert tradable[at].all()
    assert (np.stack([intents["bid_price"], intents["ask_price"]], axis=1) == touch[at]).all()
    assert (intents["instrument_id"] == events["instrument_id"][at]).all()


def test_the_awkward_market_gives_every_engine_something_to_do() -> None:
    intents = np.concatenate([DecisionPath(UNIVERSE, eager()).run(stream(seed), 0).intents for seed in SEEDS])
    assert set(intents["engine"]) == set(Engine)
    reasons = {IntentReason(int(r)) for r in set(intents["reason"])}
    assert reasons >= {
        IntentReason.IMBALANCE,
        IntentReason.SWEEP_MOMENTUM,
        IntentReason.BREAKOUT,
        IntentReason.SWEEP_REVERSAL,
        IntentReason.ICEBERG_DEFENSE,
        IntentReason.MEAN_REVERSION,
    }
    assert {OrderType(int(t)) for t in set(intents["order_type"])} == {OrderType.MARKET, OrderType.LIMIT}


def test_what_is_decided_on_awkward_events_does_not_depend_on_batches() -> None:
    events, outputs, hashes = stream(7), [], []
    for size in (len(events), 613):
        path = DecisionPath(UNIVERSE, eager())
        parts = [path.run(events[k : k + size], k) for k in range(0, len(events), size)]
        outputs.append([np.concatenate(tables).tobytes() for tables in zip(*parts, strict=True)])
        hashes.append(path.state_hash())
    assert outputs[0] == outputs[1]
    assert hashes[0] == hashes[1]
