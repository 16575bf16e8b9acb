from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chimera_platform.learning.microprice_trial import MOVES_AHEAD, try_microprice
from chimera_platform.learning.touches import TOUCH_DTYPE, TouchPath
from chimera_platform.market.events import BUY, SELL, EventFlag, EventKind, StatusCode
from chimera_platform.microstructure.fitted_microprice_estimation import MicropriceSettings
from tests.reference.event_streams import Record, make_events
from tests.reference.touch_chain import BINS, play, touches

SETTINGS = MicropriceSettings(imbalance_bins=BINS, wide_share=0.01)


def chain(states: int, seed: int = 4) -> np.ndarray[Any, Any]:
    played = play(np.zeros(1, np.int64), states - 1, np.random.default_rng(seed))
    rows = np.zeros(states, TOUCH_DTYPE)
    for name, values in zip(("bid", "bid_size", "ask", "ask_size"), touches(*(a[:, 0] for a in played)), strict=True):
        rows[name] = values
    rows["is_start"][0] = 1
    return rows


def test_a_microprice_that_forecasts_is_accepted_with_its_errors() -> None:
    trial = try_microprice(chain(60_000), SETTINGS)
    assert trial.is_accepted and trial.fit is not None and trial.states == 60_000
    assert trial.error_fitted < 0.995 * trial.error_mid and 10_000 < trial.tested < 12_000


def test_one_that_forecasts_the_wrong_way_is_refused() -> None:
    """Where the last part of the data is mirrored, bids for asks but not the price, the fit misleads there."""
    rows = chain(60_000)
    late = rows[48_000:]
    late["bid_size"], late["ask_size"] = late["ask_size"].copy(), late["bid_size"].copy()
    trial = try_microprice(rows, SETTINGS)
    assert not trial.is_accepted and "no less than the mid's" in trial.reason
    assert trial.error_fitted > trial.error_mid


def test_too_little_data_is_a_reason_not_a_failure() -> None:
    trial = try_microprice(chain(500), SETTINGS)
    assert trial.fit is None and "fit on more data" in trial.reason and np.isnan(trial.error_mid)
    assert not try_microprice(chain(0 + 1)).is_accepted
    few = try_microprice(chain(4_000), SETTINGS.model_copy(update={"visits_min": 20}))
    assert few.fit is not None and "forecasts to judge it by" in few.reason and few.tested < 1_000


def test_forecasts_are_not_judged_across_breaks() -> None:
    rows = chain(60_000)
    rows["is_start"][::100] = 1
    jumps = 10_000 * np.cumsum(rows["is_start"], dtype=np.int64)
    rows["bid"] += jumps
    rows["ask"] += jumps
    trial = try_microprice(rows, SETTINGS)
    assert trial.error_mid < 20 and 0 < trial.tested < 12_000 * (1 - MOVES_AHEAD / 100)


def level(side: int, price: int, size: int, **more: int) -> Record:
    return {"kind": EventKind.LEVEL, "side": side, "price": price, "size": size, **more}


def test_the_touch_path_shows_each_state_once_and_where_the_chain_begins_anew() -> None:
    events = make_events(
        level(BUY, 99, 5),
        level(SELL, 101, 7, flags=0),  # not the end of its source event
        level(SELL, 102, 1),
        level(BUY, 90, 1),  # behind the touch
        level(BUY, 99, 6),
        {"kind": EventKind.STATUS, "price": StatusCode.HALT},
        {"kind": EventKind.STATUS, "price": StatusCode.RESUME},
        level(BUY, 101, 1),  # locked
        level(BUY, 101, 0),
    )
    rows = TouchPath(1).run(events)
    assert rows[["bid", "bid_size", "ask", "ask_size", "is_start"]].tolist() == [
        (99, 5, 101, 7, 1),
        (99, 6, 101, 7, 0),
        (99, 6, 101, 7, 1),
        (99, 6, 101, 7, 1),
    ]


@pytest.mark.parametrize("cut", [1, 3])
def test_the_touch_path_does_not_depend_on_the_cut(cut: int) -> None:
    rng = np.random.default_rng(1)
    events = make_events(
        *(
            level(
                side, 100 - side * int(rng.integers(0, 4)), int(rng.integers(0, 4)), instrument_id=int(rng.integers(2))
            )
            for side in rng.choice([1, -1], 400).tolist()
        )
    )
    events["flags"] = np.where(rng.random(400) < 0.7, EventFlag.LAST, 0)
    whole, path = TouchPath(2).run(events), TouchPath(2)
    parts = np.concatenate([path.run(events[i : i + cut]) for i in range(0, 400, cut)])
    assert len(whole) > 50 and parts.tobytes() == whole.tobytes()
