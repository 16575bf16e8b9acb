"""One instrument's engines: cuts into batches, snapshots, releases, bounded buffers, and no look-ahead."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.engines import step
from chimera_platform.engines.step import SymbolEngines
from chimera_platform.errors import CapacityError, ConfigurationError, DataError, ReleaseError
from chimera_platform.execution.records import INTENT_DTYPE, Engine
from chimera_platform.learning.model_inputs import MODEL_INPUT_COUNT, MODEL_INPUT_NAMES, model_input_rows
from chimera_platform.learning.target_inputs import TARGET_INPUT_NAMES
from chimera_platform.learning.target_model import predicted_moves
from chimera_platform.learning.trees import QUANTILE_REGRESSOR, Trees
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.microstructure.feature_names import FEATURE_NAMES
from chimera_platform.releases import Release
from tests.reference import random_market

UNIVERSE = Universe([load_instruments()["XAUUSD"], load_instruments()["XAGUSD"]])
QUOTES = random_market.quotes(8_000, seed=21, step_ns=4_000_000_000)
DEPTH = random_market.depth(8_000, seed=22)
STREAMS = {"quotes": QUOTES, "depth": DEPTH}


def engines(configuration: Configuration | None = None) -> SymbolEngines:
    return SymbolEngines(UNIVERSE, 0, configuration or Configuration())


def in_batches(own: SymbolEngines, events: np.ndarray[Any, Any], size: int, first: int = 0) -> np.ndarray[Any, Any]:
    parts = [own.run(events[k : k + size], first + k) for k in range(0, len(events), size)]
    return np.concatenate(parts)


def model(feature_count: int = MODEL_INPUT_COUNT, names: tuple[str, ...] = MODEL_INPUT_NAMES) -> Trees:
    rng = np.random.default_rng(1)
    x = rng.normal(0, 0.5, (2000, feature_count))
    x[rng.random(x.shape) < 0.2] = np.nan
    data = xgboost.DMatrix(x, rng.integers(0, 2, 2000), feature_names=list(names) or None)
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 4, "nthread": 1}, data, 20)
    return Trees.from_xgboost_json(bytes(booster.save_raw("json")))


def target_model(names: tuple[str, ...] = TARGET_INPUT_NAMES) -> Trees:
    rng = np.random.default_rng(2)
    x = rng.normal(0, 0.5, (2000, len(names)))
    x[rng.random(x.shape) < 0.2] = np.nan
    data = xgboost.DMatrix(x, rng.exponential(1.0, 2000), feature_names=list(names))
    parameters = {"objective": QUANTILE_REGRESSOR, "quantile_alpha": 0.5, "max_depth": 3, "nthread": 1}
    booster = xgboost.train(parameters, data, 30)
    return Trees.from_xgboost_json(bytes(booster.save_raw("json")), objective=QUANTILE_REGRESSOR)


def release(
    parameters: dict[str, dict[str, float]] | None = None, trees: Trees | None = None, target: Trees | None = None
) -> Release:
    return Release("0" * 32, parameters or {}, {}, trees, 0.6, {}, target_trees=target)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_the_cut_into_batches_changes_no_byte(name: str, size: int) -> None:
    whole, cut = engines(), engines()
    expected = whole.run(STREAMS[name], 1000)
    assert len(expected) > 50
    assert in_batches(cut, STREAMS[name], size, 1000).tobytes() == expected.tobytes()
    assert cut.state_hash() == whole.state_hash()


def test_positions_give_the_events_their_numbers_in_the_run() -> None:
    positions = np.arange(len(DEPTH)) * 3 + 5
    plain, spread = engines().run(DEPTH, 0), engines().run(DEPTH, 70, positions)
    np.testing.assert_array_equal(spread["event_no"], 70 + positions[plain["event_no"]])


@pytest.mark.parametrize("name", STREAMS)
def test_a_future_that_is_cut_off_leaves_earlier_intents_as_they_are(name: str) -> None:
    events = STREAMS[name]
    expected = engines().run(events, 0)
    for cut in (1, 500, 3_333, 7_999):
        known = expected[expected["event_no"] < cut]
        assert engines().run(events[:cut], 0).tobytes() == known.tobytes()


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(0, 8_000), name=st.sampled_from(sorted(STREAMS)))
def test_a_restored_snapshot_goes_on_byte_for_byte(cut: int, name: str) -> None:
    """Invariant: snapshot, pickle and restore at any event change neither what follows nor the state."""
    events = STREAMS[name]
    first, second = engines(), engines()
    first.run(events[:cut], 0)
    second.run(events[: cut // 2], 0)  # restore overwrites whatever was there
    second.restore(pickle.loads(pickle.dumps(first.snapshot())))
    assert second.state_hash() == first.state_hash()
    assert second.run(events[cut:], cut).tobytes() == first.run(events[cut:], cut).tobytes()
    assert second.state_hash() == first.state_hash()


def test_the_state_hash_tells_states_apart() -> None:
    own = engines()
    hashes = {own.state_hash()}
    for k in range(20):
        own.run(DEPTH[k : k + 1], k)
        hashes.add(own.state_hash())
    assert len(hashes) == 21


def test_an_instrument_takes_less_than_two_megabytes_however_busy_its_market() -> None:
    own = engines()
    before = own.nbytes
    own.run(DEPTH, 0)
    assert own.nbytes == before < 2_000_000


def test_a_snapshot_holds_little_more_than_what_is_in_use() -> None:
    own = engines()
    own.run(DEPTH, 0)
    assert len(pickle.dumps(own.snapshot())) < own.nbytes / 5


@pytest.mark.parametrize("damage", [{"state": b"short"}, {"book": b"short"}])
def test_a_state_that_is_none_is_refused(damage: dict[str, bytes]) -> None:
    own = engines()
    with pytest.raises(DataError, match="bytes"):
        own.restore(own.snapshot() | damage)


def test_a_full_output_buffer_is_emptied_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    eager = with_parameters(Configuration(), {"hft": {"cooldown_ns": 0, "unsized_ofi_norm_min": 0.1}})
    expected = engines(eager).run(QUOTES, 0)
    monkeypatch.setattr(step, "_BUFFER_ROWS", 3)
    small = engines(eager)
    assert len(expected) > 1_000
    assert small.run(QUOTES, 0).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", STREAMS)
def test_what_stood_in_the_buffer_before_does_not_show(name: str) -> None:
    own = engines()
    own._out.view("u1")[:] = 0x5A
    assert own.run(STREAMS[name], 0).tobytes() == engines().run(STREAMS[name], 0).tobytes()


def test_a_buffer_that_cannot_hold_one_event_is_an_error_not_an_endless_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "_BUFFER_ROWS", 2)
    with pytest.raises(CapacityError, match="2 intents"):
        engines(Configuration()).run(QUOTES, 0)


def test_intents_do_not_alias_the_buffer() -> None:
    own = engines()
    first = own.run(DEPTH[:4_000], 0)
    kept = first.copy()
    own.run(DEPTH[4_000:], 4_000)
    assert len(first) > 0
    assert first.tobytes() == kept.tobytes()


def test_no_events_give_no_intents() -> None:
    intents = engines().run(DEPTH[:0], 0)
    assert intents.dtype == INTENT_DTYPE
    assert len(intents) == 0


def test_read_only_and_strided_events_are_taken() -> None:
    expected = engines().run(DEPTH, 0)
    read_only = DEPTH.copy()
    read_only.flags.writeable = False
    strided = np.repeat(DEPTH, 2)[::2]
    assert not strided.flags.c_contiguous
    for events in (read_only, strided):
        assert engines().run(events, 0).tobytes() == expected.tobytes()


def test_an_event_of_another_instrument_is_refused() -> None:
    foreign = DEPTH[:10].copy()
    foreign["instrument_id"][4] = 1
    with pytest.raises(DataError, match="instrument 1 among those of instrument 0"):
        engines().run(foreign, 0)


def test_positions_that_do_not_fit_the_events_are_refused() -> None:
    with pytest.raises(DataError, match="3 positions for 10 events"):
        engines().run(DEPTH[:10], 0, np.arange(3))


def test_an_intent_carries_the_features_and_quotes_of_its_event() -> None:
    intents = engines().run(DEPTH, 0)
    features = dict(zip(FEATURE_NAMES, intents["features"].T, strict=True))
    tick = float(UNIVERSE[0].tick_size)
    np.testing.assert_allclose(features["mid"], (intents["bid_price"] + intents["ask_price"]) / 2 * tick)
    np.testing.assert_array_equal(intents["seq"], DEPTH["seq"][intents["event_no"]])
    np.testing.assert_array_equal(intents["ts_event"], DEPTH["ts_event"][intents["event_no"]])
    assert (intents["intent_no"] == -1).all()
    assert (intents["size"] >= 1).all()


def test_without_a_release_there_is_no_score() -> None:
    intents = engines().run(DEPTH, 0)
    assert np.isnan(intents["model_score"]).all()
    assert np.isnan(intents["model_threshold"]).all()
    assert (intents["release_no"] == 0).all()


def test_a_releases_model_scores_every_intent_and_filters_none() -> None:
    trees = model()
    plain, scored = engines(), engines()
    scored.apply_release(release(trees=trees), 3)
    before, after = plain.run(QUOTES, 0), scored.run(QUOTES, 0)
    assert set(after["engine"]) >= {Engine.HFT, Engine.STRUCTURE}
    np.testing.assert_array_equal(after["event_no"], before["event_no"])
    np.testing.assert_array_equal(after["model_score"], trees.predict(model_input_rows(after)))
    assert (after["model_threshold"] == 0.6).all()
    assert (after["release_no"] == 3).all()
    assert (after["model_score"] < 0.6).any()
    assert len(np.unique(after["model_score"])) > 10


@pytest.mark.parametrize("has_signal_model", [False, True])
def test_a_releases_target_model_predicts_every_intents_move_beside_a_signal_model_or_alone(
    has_signal_model: bool,
) -> None:
    trees, target = model() if has_signal_model else None, target_model()
    plain, predicting = engines(), engines()
    plain.apply_release(release(trees=trees), 3)
    predicting.apply_release(release(trees=trees, target=target), 3)
    before, after = plain.run(QUOTES, 0), predicting.run(QUOTES, 0)
    assert np.isnan(before["predicted_move"]).all()
    np.testing.assert_array_equal(after["predicted_move"], predicted_moves(target, after))
    assert len(np.unique(after["predicted_move"])) > 10
    after["predicted_move"] = before["predicted_move"]
    assert after.tobytes() == before.tobytes()


def test_the_next_release_without_a_target_model_predicts_nothing() -> None:
    own = engines()
    own.apply_release(release(target=target_model()), 1)
    own.apply_release(release(trees=model()), 2)
    assert np.isnan(own.run(QUOTES, 0)["predicted_move"]).all()


def test_a_releases_parameters_change_what_is_wanted() -> None:
    strict, loose = {"hft": {"unsized_ofi_norm_min": 0.9}}, {"hft": {"unsized_ofi_norm_min": 0.1}}
    counts = []
    for parameters in (strict, {}, loose):
        own = engines()
        own.apply_release(release(parameters), 1)
        counts.append(len(own.run(QUOTES, 0)))
    assert counts[0] < counts[1] < counts[2]


def test_a_release_in_mid_stream_counts_from_the_next_event_on() -> None:
    changed, plain = engines(), engines()
    first = changed.run(QUOTES[:4_000], 0)
    changed.apply_release(release({name: {"enabled": 0} for name in ("hft", "structure", "order_flow")}), 1)
    assert len(changed.run(QUOTES[4_000:], 4_000)) == 0
    assert first.tobytes() == plain.run(QUOTES[:4_000], 0).tobytes()


def test_the_next_release_does_not_inherit_the_last_ones_parameters() -> None:
    own, fresh = engines(), engines()
    own.apply_release(release({"hft": {"enabled": 0}}, model()), 1)
    own.apply_release(release({"structure": {"enabled": 0}}), 2)
    fresh.apply_release(release({"structure": {"enabled": 0}}), 2)
    assert own.run(QUOTES, 0).tobytes() == fresh.run(QUOTES, 0).tobytes()


REFUSED: dict[str, tuple[Callable[[], Release], type[Exception], str]] = {
    "value out of bounds": (lambda: release({"hft": {"stop_vols": -1.0}}), ConfigurationError, "hft.stop_vols"),
    "unknown parameter": (lambda: release({"hft": {"nerve": 1.0}}), ConfigurationError, "hft.nerve"),
    "model of other width": (lambda: release(trees=model(5, ())), ReleaseError, "5 columns without names"),
    "model of other names": (
        lambda: release(trees=replace(model(), feature_names=MODEL_INPUT_NAMES[::-1])),
        ReleaseError,
        "its model reads regime",
    ),
    "target model of other names": (
        lambda: release(target=target_model(TARGET_INPUT_NAMES[::-1])),
        ReleaseError,
        "its target model reads stop_spreads",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_release_that_is_refused_leaves_the_old_one_in_force(name: str) -> None:
    make, error, message = REFUSED[name]
    own, kept = engines(), engines()
    good = release({"hft": {"cooldown_ns": 60_000_000_000}}, model())
    own.apply_release(good, 1)
    kept.apply_release(good, 1)
    with pytest.raises(error, match=message):
        own.apply_release(make(), 2)
    assert own.run(QUOTES, 0).tobytes() == kept.run(QUOTES, 0).tobytes()


def test_a_snapshot_does_not_carry_the_release() -> None:
    scored, plain = engines(), engines()
    scored.apply_release(release(trees=model()), 5)
    scored.run(QUOTES[:4_000], 0)
    plain.restore(scored.snapshot())
    assert np.isnan(plain.run(QUOTES[4_000:], 4_000)["model_score"]).all()
