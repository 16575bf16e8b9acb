from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from chimera_platform.errors import DataError
from chimera_platform.learning.touches import TouchPath
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.microstructure.fitted_microprice import fitted_adjustment
from chimera_platform.microstructure.fitted_microprice_estimation import MicropriceSettings, adjustments, fit_microprice
from tests.reference.touch_chain import BINS, SPREADS, play
from tests.reference.touch_chain import touches as touches_of

Array = np.ndarray[Any, Any]
FIVE = MicropriceSettings(imbalance_bins=BINS, wide_share=0.01)


@pytest.fixture(scope="module")
def chain() -> tuple[Array, Array, Array, Array]:
    states, moves = play(np.zeros(40, np.int64), 10_000, np.random.default_rng(2))
    parts = [touches_of(states[:, k], moves[:, k]) for k in range(states.shape[1])]
    bid, bid_size, ask, ask_size = (np.concatenate(column) for column in zip(*parts, strict=True))
    return bid, bid_size, ask, ask_size


@pytest.fixture(scope="module")
def starts(chain: tuple[Array, ...]) -> Array:
    return np.arange(len(chain[0])) % 10_001 == 0


def test_the_fit_finds_the_mean_future_mid_of_a_chain_that_is_played_out(chain: Any, starts: Array) -> None:
    """From every state, the mean mid of many chains long after equals the mid and the fitted adjustment."""
    fit = fit_microprice(*chain, starts, FIVE)
    assert fit.adjustment.shape == (SPREADS, BINS) and fit.rounds > 2
    rng, paths = np.random.default_rng(3), 40_000
    for state in range(BINS * SPREADS):
        later = play(np.full(paths, state), 150, rng)[1].sum(axis=0)
        error = 4 * later.std() / np.sqrt(paths) + 0.02  # the chain that was fitted on is finite too
        assert fit.adjustment[divmod(state, BINS)] == pytest.approx(later.mean(), abs=error)
    assert abs(fit.adjustment).max() > 0.3, "a chain without a microprice would prove nothing"
    assert not np.allclose(fit.first, fit.adjustment, atol=0.05), "the first move is not the whole of it"


def test_the_adjustment_is_antisymmetric_and_a_balanced_book_has_none(chain: Any, starts: Array) -> None:
    adjustment = fit_microprice(*chain, starts, FIVE).adjustment
    assert np.array_equal(adjustment, -adjustment[:, ::-1]) and (adjustment[:, BINS // 2] == 0).all()
    bid, bid_size, ask, ask_size = chain
    mirrored = fit_microprice(-ask, ask_size, -bid, bid_size, starts, FIVE)
    assert mirrored.adjustment == pytest.approx(adjustment, abs=1e-9)


def test_the_fitted_microprice_is_a_martingale_where_the_mid_is_none(chain: Any, starts: Array) -> None:
    """The mean change to the next state is zero within its error, whatever the imbalance; the mid's is not."""
    table, (bid, _, ask, _) = fit_microprice(*chain, starts, FIVE).table, chain
    shift = adjustments(table, *chain)
    follows, mid2 = ~starts[1:], bid + ask
    column = chain[1][:-1] // 2
    for one in range(BINS):
        use = follows & (column == one)
        change = np.diff(mid2 + shift)[use]
        assert abs(change.mean()) < 4 * change.std() / np.sqrt(len(change))
    use = follows & (column == BINS - 1)
    drift = np.diff(mid2)[use]
    assert drift.mean() > 6 * drift.std() / np.sqrt(len(drift))


def test_a_days_trend_does_not_make_the_sum_grow(chain: Any, starts: Array) -> None:
    bid, bid_size, ask, ask_size = chain
    rising = np.arange(len(bid)) // 50
    fit = fit_microprice(bid + rising, bid_size, ask + rising, ask_size, starts, FIVE)
    assert np.isfinite(fit.adjustment).all() and abs(fit.adjustment).max() < 5


def test_states_that_say_nothing_new_and_broken_books_change_nothing(chain: Any, starts: Array) -> None:
    part, begin = tuple(a[:30_000] for a in chain), starts[:30_000]
    plain = fit_microprice(*part, begin, FIVE).adjustment
    again = np.repeat(np.arange(30_000), 2)
    repeated = np.zeros(60_000, bool)
    repeated[::2] = begin
    assert fit_microprice(*(a[again] for a in part), repeated, FIVE).adjustment.tobytes() == plain.tobytes()
    bid, bid_size, ask, ask_size = (a[again].copy() for a in part)
    odd = np.flatnonzero(begin)[1:] * 2 - 1  # the copies before each new beginning: nothing follows on them
    ask[odd[0::3]] = bid[odd[0::3]]
    ask_size[odd[1::3]] = 0
    assert fit_microprice(bid, bid_size, ask, ask_size, repeated, FIVE).adjustment.tobytes() == plain.tobytes()
    jump = part[0] + 1000 * np.cumsum(begin)  # between two beginnings prices may jump: that is no move
    higher = part[2] + 1000 * np.cumsum(begin)
    assert fit_microprice(jump, part[1], higher, part[3], begin, FIVE).adjustment.tobytes() == plain.tobytes()


def test_spreads_of_many_ticks_share_rows_that_the_kernel_reads_alike(chain: Any, starts: Array) -> None:
    bid, bid_size, ask, ask_size = chain
    mid2 = bid + ask
    wide_bid, wide_ask = (mid2 * 25 - 25 * (ask - bid)) // 2, (mid2 * 25 + 25 * (ask - bid)) // 2
    fit = fit_microprice(wide_bid, bid_size, wide_ask, ask_size, starts, FIVE.model_copy(update={"spreads_max": 2}))
    narrow = fit_microprice(*chain, starts, FIVE)
    assert fit.table["spread_step"][0] == 25
    assert fit.adjustment == pytest.approx(25 * narrow.adjustment)
    table = fit.table[0]
    assert fitted_adjustment(table, 100, 9, 125, 1) == fit.adjustment[0, 4]
    assert fitted_adjustment(table, 100, 9, 126, 1) == fit.adjustment[1, 4]
    assert fitted_adjustment(table, 100, 9, 900, 1) == fit.adjustment[1, 4], "the last row is for all wider spreads"


def test_too_little_data_is_an_error_that_names_the_state(chain: Any) -> None:
    few = tuple(a[:400] for a in chain)
    with pytest.raises(DataError, match=r"imbalance bin \d of 5, spread row 0 of 1 was left \d+ times; expected 300"):
        fit_microprice(*few, settings=FIVE)
    rare = fit_microprice(*(a[:9000] for a in chain), settings=FIVE.model_copy(update={"visits_min": 1000}))
    assert rare.adjustment.shape[0] == 1, "rows with few visits become one"
    nothing = tuple(a[:0] for a in chain)
    with pytest.raises(DataError, match="0 states of the touch"):
        fit_microprice(*nothing)


def test_a_price_that_never_moves_is_an_error() -> None:
    sizes = np.arange(20_000) % 13 * 2 + 1
    still = np.full(20_000, 100)
    with pytest.raises(DataError, match="the mid never moves"):
        fit_microprice(still, sizes, still + 1, 26 - sizes)


@pytest.mark.parametrize("bins", [4, 1, 17])
def test_an_even_or_impossible_number_of_bins_is_refused(bins: int) -> None:
    with pytest.raises(ValidationError, match="imbalance_bins"):
        MicropriceSettings(imbalance_bins=bins)


@pytest.mark.real_data
def test_on_real_orders_it_predicts_later_mids_better_than_mid_and_weighted_mid_out_of_sample(real_data: Path) -> None:
    archive = real_data / "lobster" / "LOBSTER_SampleFile_GOOG_2012-06-21_1.zip"
    events = np.concatenate(list(open_source([archive], "lobster", load_instruments()).batches(65_536)))
    touches = TouchPath(1).run(events)
    rows = np.stack([touches[name] for name in ("bid", "bid_size", "ask", "ask_size")], axis=1)
    half = len(rows) // 2
    table = fit_microprice(*rows[:half].T).table
    bid, bid_size, ask, ask_size = rows[half:].T
    mid2, size = (bid + ask).astype(float), bid_size + ask_size
    shift = adjustments(table, *rows[half:].T)
    weighted = 2.0 * (bid * ask_size + ask * bid_size) / size
    moves = np.flatnonzero(np.diff(mid2) != 0) + 1
    print("GOOG, second half, root mean squared error of the mid k moves later, half ticks: mid, weighted, fitted")
    for k in (1, 5, 10, 20, 50):
        then = np.searchsorted(moves, np.arange(len(mid2)), "right") + k - 1
        use = then < len(moves)
        later = mid2[moves[then[use]]]
        errors = [float(np.sqrt(np.mean((later - guess[use]) ** 2))) for guess in (mid2, weighted, mid2 + shift)]
        print(f"k {k:3d}: " + ", ".join(f"{error:.3f}" for error in errors))
        assert errors[2] < errors[1]
        assert k == 1 or errors[2] < errors[0], "it forecasts where the mid settles, not its next flicker"
