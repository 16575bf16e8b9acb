"""The estimators against planted answers, and the known facts on recorded markets against their shuffled controls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from chimera_platform.market.events import EVENT_DTYPE, EventKind
from chimera_platform.microstructure.market_facts import (
    area_under_curve,
    autocorrelation,
    before_next_move,
    flow_over_intervals,
    hill_exponent,
    r_squared,
    shuffled_within,
    tick_test,
    weighted_quantiles,
    windowed_r_squared,
)
from chimera_platform.simulation.facts.command import main, open_any
from chimera_platform.simulation.facts.measures import Facts, facts_of
from chimera_platform.simulation.facts.observation import market_orders, observe

GOOG, AMZN = "LOBSTER_SampleFile_GOOG_2012-06-21_10.zip", "LOBSTER_SampleFile_AMZN_2012-06-21_1.zip"
SIMULATOR = "sim://?symbols=XAUUSD&seed=7&days=1&rate=0.5"


def test_quantiles_weigh_values_by_the_time_they_stood() -> None:
    values, seconds = np.array([5.0, 1.0, 3.0]), np.array([1.0, 7.0, 2.0])
    assert weighted_quantiles(values, seconds, (0.5, 0.7, 0.71, 0.9, 0.99)).tolist() == [1.0, 1.0, 3.0, 3.0, 5.0]
    assert np.isnan(weighted_quantiles(values, np.zeros(3), (0.5,))).all()


@pytest.mark.parametrize("exponent", [1.2, 2.5])
def test_hill_finds_the_exponent_of_a_pareto_tail(exponent: float) -> None:
    sizes = 100.0 * (1.0 + np.random.default_rng(3).pareto(exponent, 200_000))
    assert hill_exponent(sizes) == pytest.approx(exponent, rel=0.05)


def test_hill_gives_nothing_for_too_little_or_for_a_tail_without_spread() -> None:
    assert np.isnan(hill_exponent(np.arange(1, 300)))
    assert np.isnan(hill_exponent(np.full(10_000, 7)))


def test_autocorrelation_finds_a_planted_memory_and_none_in_noise() -> None:
    noise = np.random.default_rng(5).normal(size=100_000)
    memory = np.zeros(len(noise))
    for t in range(1, len(noise)):
        memory[t] = 0.6 * memory[t - 1] + noise[t]
    assert autocorrelation(memory, (1, 2, 5)) == pytest.approx([0.6, 0.36, 0.6**5], abs=0.02)
    assert np.abs(autocorrelation(noise, range(1, 51))).max() < 0.02
    assert autocorrelation(np.tile([1, -1], 50), (1, 2)).tolist() == [-1.0, 1.0]


def test_autocorrelation_leaves_gaps_out() -> None:
    whole = np.tile([1.0, -1.0], 100)
    gapped = whole.copy()
    gapped[[50, 51, 120, 121]] = np.nan
    assert autocorrelation(gapped, (1,))[0] == pytest.approx(-1.0)
    assert np.isnan(autocorrelation(np.full(100, 2.0), (1,))).all()


def test_r_squared_is_the_share_explained_and_differs_by_window() -> None:
    x = np.array([0.0, 1.0, 2.0, 3.0] * 2)
    y = np.concatenate([2.0 * x[:4], -5.0 * x[4:]])
    window = np.repeat([0, 1], 4)
    assert windowed_r_squared(x, y, window, 4) == pytest.approx(1.0)  # a line of its own to each
    assert r_squared(x, y) < 0.3
    assert np.isnan(windowed_r_squared(x, y, window, 5))


def test_shuffling_keeps_what_each_window_holds() -> None:
    x, window = np.arange(40), np.repeat([3, 9], 20)
    shuffled = shuffled_within(x, window, 1)
    assert not np.array_equal(shuffled, x)
    assert sorted(shuffled[:20]) == list(range(20)) and sorted(shuffled[20:]) == list(range(20, 40))


def test_the_auc_equals_scikit_learns_with_ties() -> None:
    random = np.random.default_rng(2)
    score, positive = random.integers(0, 9, 500).astype(float), random.random(500) < 0.4
    assert area_under_curve(score, positive) == pytest.approx(roc_auc_score(positive, score), abs=1e-12)
    assert np.isnan(area_under_curve(score, np.ones(500, np.bool_)))


def test_the_tick_test_keeps_the_last_direction() -> None:
    assert tick_test(np.array([10, 10, 11, 11, 9, 9, 10])).tolist() == [0, 0, 1, 1, -1, -1, 1]


def test_flow_and_change_belong_to_the_interval_that_their_events_lie_in() -> None:
    ts = np.array([5, 10, 14, 20, 29, 30, 45])
    mid = np.array([100.0, 101.0, 103.0, 103.0, 102.0, 107.0, 110.0])
    flow = np.array([9.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    start, total, change = flow_over_intervals(ts, mid, flow, np.ones(7, np.bool_), 10)
    assert start.tolist() == [10, 20, 30]
    assert total.tolist() == [3.0, 12.0, 16.0]
    assert change.tolist() == [3.0, -1.0, 5.0]


def test_intervals_that_touch_an_unusable_state_are_left_out() -> None:
    ts, mid = np.array([5, 10, 14, 20, 29, 30, 45]), np.arange(7.0)
    valid = np.array([True, True, False, True, True, True, True])
    start, _, _ = flow_over_intervals(ts, mid, np.ones(7), valid, 10)
    assert start.tolist() == [30]  # 10 holds it, 20 begins in it


def test_one_signal_is_taken_from_each_spell_before_the_mid_moves() -> None:
    ts = np.array([0, 10, 20, 30, 30, 40, 50])
    mid = np.array([1.0, 1.0, 2.0, 2.0, 1.5, 1.5, 3.0])
    signal = np.array([0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.9])
    drawn, rises = before_next_move(ts, mid, signal, np.ones(7, np.bool_), 1)
    assert drawn.tolist() == [0.1, 0.2, 0.3]
    assert rises.tolist() == [True, False, True]
    valid = np.array([True, True, True, True, False, True, True])
    drawn, rises = before_next_move(ts, mid, signal, valid, 1)
    assert drawn.tolist() == [0.1] and rises.tolist() == [True]


def test_fills_of_one_time_and_aggressor_are_one_market_order() -> None:
    fills = np.zeros(5, EVENT_DTYPE)
    fills["kind"] = EventKind.EXECUTE
    fills["ts_event"], fills["size"], fills["price"] = [1, 1, 1, 2, 2], [3, 4, 5, 6, 7], [10, 11, 9, 9, 8]
    fills["side"] = [-1, -1, 1, 1, 1]  # of the resting order
    ts, price, size, sign = market_orders(fills)
    assert (ts.tolist(), price.tolist(), size.tolist(), sign.tolist()) == (
        [1, 1, 2],
        [11, 9, 8],
        [7, 5, 13],
        [1, -1, -1],
    )


def facts(source: Path | str) -> Facts:
    (only,) = observe(open_any(str(source)))
    return facts_of(only)


@pytest.fixture(scope="module", params=[GOOG, AMZN])
def nasdaq(request: pytest.FixtureRequest, real_data: Path) -> Facts:
    return facts(real_data / "lobster" / request.param)


@pytest.fixture(scope="module")
def binance(real_data: Path) -> Facts:
    return facts(real_data / "binance" / "usdm_btcusdt_20240808.gz")


def test_order_flow_explains_the_mids_change_on_nasdaq(nasdaq: Facts) -> None:
    assert (nasdaq.ofi > 0.2).all()
    assert (nasdaq.ofi > 5.0 * nasdaq.ofi_shuffled).all()
    assert nasdaq.ofi[0] < nasdaq.ofi[1] < nasdaq.ofi[2]


def test_order_flow_explains_the_mids_change_on_binance(binance: Facts) -> None:
    assert (binance.ofi[:2] > 0.3).all() and (binance.ofi[:2] > 5.0 * binance.ofi_shuffled[:2]).all()
    assert np.isnan(binance.ofi[2])  # under six minutes: too few for a line


def test_queue_imbalance_predicts_the_next_move_on_recorded_markets(nasdaq: Facts, binance: Facts) -> None:
    for market in (nasdaq, binance):
        noise = 1.0 / np.sqrt(12.0 * market.moves / 4.0)  # of an AUC without information, both classes alike
        assert market.auc > 0.5 + 6.0 * noise
        assert abs(market.auc_shuffled - 0.5) < 4.0 * noise


def test_signs_of_market_orders_remember_on_recorded_markets(nasdaq: Facts, binance: Facts) -> None:
    for market in (nasdaq, binance):
        assert (market.signs[:10] > 2.0 / np.sqrt(market.sign_count)).all()
        assert market.signs[0] > market.signs[9] and market.signs.mean() > 0.02


def test_recorded_markets_have_clustered_volatility_heavy_trade_tails_and_mostly_cancels(nasdaq: Facts) -> None:
    assert nasdaq.clustering[0] > 0.1
    assert 1.0 < nasdaq.tail < 4.0
    assert 0.5 < nasdaq.cancel_ratio < 1.0
    assert 0.0 < nasdaq.spread_bp[0] <= nasdaq.spread_bp[1] <= nasdaq.spread_bp[2] < 100.0


def test_prints_without_quotes_give_what_they_can(real_data: Path) -> None:
    comex = facts(real_data / "comex" / "tick" / "gc")
    assert comex.signs[0] > 0.1 and comex.clustering[0] > 0.1 and 1.0 < comex.tail < 4.0
    assert np.isnan(comex.auc) and np.isnan(comex.ofi).all() and np.isnan(comex.spread_bp).all()


def test_the_simulator_shares_the_signs_of_the_known_facts() -> None:
    simulated = facts("sim://?symbols=XAUUSD&seed=7&days=2")
    assert (simulated.ofi > 5.0 * simulated.ofi_shuffled).all()
    assert simulated.auc > 0.53 > simulated.auc_shuffled
    assert simulated.signs[0] > 0.1 and simulated.clustering[0] > 0.1
    assert 0.7 < simulated.cancel_ratio < 1.0


def test_depth_and_cancel_ratio_equal_a_count_by_hand() -> None:
    source = open_any(SIMULATOR)
    (seen,) = observe(source, batch_size=997)
    events = np.concatenate(list(source.batches(65_536)))
    lots = {kind: int(events["size"][events["kind"] == kind].sum()) for kind in EventKind}
    gone = lots[EventKind.CANCEL] + lots[EventKind.DELETE]
    assert seen.cancel_ratio == gone / (gone + lots[EventKind.EXECUTE])
    (whole,) = observe(source, batch_size=65_536)
    assert whole.depth == pytest.approx(seen.depth, rel=1e-12)
    best = _time_weighted_touch(events)
    assert seen.depth[0] == pytest.approx(best, rel=1e-9)


def _time_weighted_touch(events: np.ndarray) -> float:
    """Mean lots at a side's best price between the opening and the close, from a dictionary of levels."""
    levels: dict[tuple[int, int], int] = {}
    area = time = 0.0
    ts, touch = 0, 0
    opened = False
    for event in events:
        kind, key = int(event["kind"]), (int(event["side"]), int(event["price"]))
        if kind == EventKind.ADD:
            levels[key] = levels.get(key, 0) + int(event["size"])
        elif kind in (EventKind.CANCEL, EventKind.DELETE, EventKind.EXECUTE):
            levels[key] -= int(event["size"])
            if levels[key] == 0:
                del levels[key]
        if event["flags"] & 1:
            now = int(event["ts_event"])
            if opened:
                area += touch * float(now - ts)
                time += now - ts
            bids, asks = ([p for s, p in levels if s == side] for side in (1, -1))
            touch = levels[1, max(bids)] + levels[-1, min(asks)] if bids and asks else 0
            ts, opened = now, bool(bids and asks)
    return area / (2.0 * time)


def test_the_command_writes_a_table_that_marks_what_lies_outside(tmp_path: Path, real_data: Path) -> None:
    out = tmp_path / "facts.md"
    source = real_data / "lobster" / AMZN
    assert main([f"NASDAQ={source}", f"simulator={SIMULATOR}", "--out", str(out)]) == 0
    text = out.read_text()
    assert "| fact | NASDAQ AMZN | simulator XAUUSD |" in text
    assert "chimera_platform.simulation.facts.command" in text
    (cancels,) = [line for line in text.splitlines() if line.startswith("| cancel ratio")]
    assert cancels.split("|")[2].strip() == f"{facts(source).cancel_ratio:.3f}"
    assert "**" in cancels.split("|")[3]  # one recorded market alone: the simulator cannot hit it exactly
    assert [p.name for p in tmp_path.iterdir()] == ["facts.md"]


@pytest.mark.parametrize("argument", ["nothing", "label=", "label=/does/not/exist", "label=sim://?sede=1"])
def test_a_bad_source_is_refused_and_nothing_is_written(
    argument: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "facts.md"
    assert main([argument, "--out", str(out)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not out.exists()
