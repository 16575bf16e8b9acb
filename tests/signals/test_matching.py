"""Which detection found which episode: the rule of each kind, against its plain definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.signals.matching import RULES, MatchingRule, match
from chimera_platform.signals.records import DETECTION_DTYPE, Detector, Stage
from chimera_platform.signals.scorecard import match_all
from chimera_platform.simulation.market.episodes import EPISODE_DTYPE, EpisodeKind

SECOND = 1_000_000_000


def detections(detector: Detector, rows: list[dict[str, Any]]) -> np.ndarray:
    out = np.zeros(len(rows), DETECTION_DTYPE)
    for row, values in zip(out, rows, strict=True):
        row["detector"], row["stage"] = detector, Stage.CONFIRMED
        for name, value in values.items():
            row[name] = value
        row["ts_event"] = row["event_no"] * SECOND
    return out


def episodes(kind: EpisodeKind, rows: list[dict[str, Any]]) -> np.ndarray:
    out = np.zeros(len(rows), EPISODE_DTYPE)
    for row, values in zip(out, rows, strict=True):
        row["kind"], row["levels"], row["outcome"] = kind, 3, 1
        for name, value in values.items():
            row[name] = value
        row["start_ts"], row["end_ts"] = row["first_event_no"] * SECOND, row["last_event_no"] * SECOND
    return out


def plain_match(said: np.ndarray, truth: np.ndarray, rule: MatchingRule) -> list[int]:
    taken = [-1] * len(truth)
    for k in sorted(range(len(truth)), key=lambda k: int(truth[k]["first_event_no"])):
        e = truth[k]
        low, high = sorted((int(e["price"]), int(e["end_price"])))
        for i, d in enumerate(said):
            in_time = d["event_no"] >= e["first_event_no"] and d["ts_event"] <= e["end_ts"] + rule.wait_ns
            below = d["price_high"] < low and not (rule.whole_side and e["side"] > 0)
            above = d["price_low"] > high and not (rule.whole_side and e["side"] < 0)
            if rule.both_ends:
                below, above = d["price_high"] < high, d["price_low"] > low
            same = d["instrument_id"] == e["instrument_id"] and d["side"] == rule.sign * e["side"]
            if in_time and same and not below and not above and i not in taken:
                taken[k] = i
                break
    return taken


SIDE, PRICE = st.sampled_from([-1, 1]), st.integers(100, 108)


@pytest.mark.parametrize("detector", list(RULES), ids=lambda d: d.name.lower())
@settings(max_examples=60, deadline=None)
@given(
    said=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 1), SIDE, PRICE, st.integers(0, 3)), max_size=12),
    truth=st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 20), st.integers(0, 1), SIDE, PRICE, PRICE), max_size=8
    ),
)
def test_matching_is_the_plain_one(detector, said, truth) -> None:
    """Each episode, in order of its beginning, takes the first free detection that fits its kind's rule."""
    rows = detections(
        detector,
        [
            {"event_no": n, "instrument_id": k, "side": side, "price_low": low, "price_high": low + width}
            for n, k, side, low, width in sorted(said)
        ],
    )
    found = episodes(
        RULES[detector].kind,
        [
            {
                "first_event_no": n,
                "last_event_no": n + length,
                "instrument_id": k,
                "side": side,
                "price": price,
                "end_price": end,
            }
            for n, length, k, side, price, end in truth
        ],
    )
    taken = match(rows, found, RULES[detector])
    assert taken.tolist() == plain_match(rows, found, RULES[detector])
    used = taken[taken >= 0]
    assert len(set(used.tolist())) == len(used)


def test_speaking_all_the_time_finds_everything_and_is_nearly_always_wrong() -> None:
    truth = episodes(
        EpisodeKind.SWEEP,
        [{"first_event_no": n, "last_event_no": n + 2, "side": 1, "price": 100, "end_price": 104} for n in (50, 150)],
    )
    said = detections(
        Detector.SWEEP, [{"event_no": n, "side": 1, "price_low": 90, "price_high": 110} for n in range(200)]
    )
    figures = match_all(said, truth, Detector.SWEEP).score()
    assert figures.recall == 1.0 and figures.precision == 2 / 200


def test_a_drought_of_bids_is_found_by_a_vacuum_below() -> None:
    truth = episodes(
        EpisodeKind.DROUGHT, [{"first_event_no": 10, "last_event_no": 70, "side": 1, "price": 100, "end_price": 98}]
    )
    found = {"event_no": 15, "side": -1, "price_low": 60, "price_high": 70}
    for change, is_found in (
        ({}, True),
        ({"side": 1}, False),  # asks are thin
        ({"price_low": 101, "price_high": 110}, False),  # on the other side of the touch
        ({"event_no": 9}, False),
        ({"event_no": 71}, False),
    ):
        said = detections(Detector.VACUUM, [found | change])
        assert match_all(said, truth, Detector.VACUUM).score().found == is_found


def test_a_stop_run_speaks_for_the_way_back_and_must_have_come_back() -> None:
    run = {"first_event_no": 10, "last_event_no": 30, "side": 1, "price": 100, "end_price": 106}
    truth = episodes(EpisodeKind.STOP_RUN, [run, run | {"first_event_no": 50, "last_event_no": 90, "outcome": 0}])
    said = detections(
        Detector.STOP_RUN,
        [{"event_no": n, "side": -1, "price_low": 100, "price_high": 106} for n in (30, 60)],
    )
    figures = match_all(said, truth, Detector.STOP_RUN).score()
    assert (figures.episodes, figures.hidden_from_all, figures.found) == (1, 1, 1)
    assert (figures.detections, figures.right) == (2, 1)


def test_doubtful_episodes_are_not_asked_for_and_their_detections_set_aside() -> None:
    run = {"last_event_no": 90, "side": 1, "price": 100, "end_price": 106}
    truth = episodes(EpisodeKind.STOP_RUN, [run | {"first_event_no": n} for n in (10, 40)])
    said = detections(
        Detector.STOP_RUN, [{"event_no": n, "side": -1, "price_low": 100, "price_high": 106} for n in (12, 45)]
    )
    figures = match_all(said, truth, Detector.STOP_RUN, np.array([True, False])).score()
    assert (figures.episodes, figures.found, figures.detections, figures.right, figures.set_aside) == (1, 1, 1, 1, 1)


def test_a_level_that_absorbed_and_then_broke_is_set_aside() -> None:
    level = {"side": 1, "price": 100, "end_price": 100}
    truth = episodes(
        EpisodeKind.ABSORPTION,
        [
            level | {"first_event_no": 10, "last_event_no": 30},
            level | {"first_event_no": 50, "last_event_no": 70, "outcome": 0},
            level | {"first_event_no": 90, "last_event_no": 99, "outcome": 0},
            level | {"first_event_no": 110, "last_event_no": 130, "levels": 0},  # nobody attacked
        ],
    )
    said = detections(
        Detector.ABSORPTION,
        [{"event_no": n, "side": 1, "price_low": 100, "price_high": 100} for n in (35, 60, 62, 120)],
    )
    figures = match_all(said, truth, Detector.ABSORPTION).score()
    assert (figures.episodes, figures.found, figures.set_aside, figures.hidden_from_all) == (1, 1, 1, 1)
    assert (figures.detections, figures.right) == (3, 1)
    late = detections(Detector.ABSORPTION, [{"event_no": 36, "side": 1, "price_low": 100, "price_high": 100}])
    assert match_all(late, truth, Detector.ABSORPTION).score().found == 0


def test_a_stack_must_name_both_levels_and_one_that_broke_is_set_aside() -> None:
    levels = {"side": 1, "price": 100, "end_price": 102}
    truth = episodes(
        EpisodeKind.STACKED_ABSORPTION,
        [
            levels | {"first_event_no": 10, "last_event_no": 30},
            levels | {"first_event_no": 50, "last_event_no": 70, "outcome": 0},
        ],
    )
    named = {"event_no": 35, "side": 1, "price_low": 100, "price_high": 102}
    for change, is_found in (
        ({}, True),
        ({"price_low": 98, "price_high": 103}, True),
        ({"price_high": 101}, False),
        ({"price_low": 101}, False),
        ({"side": -1}, False),
        ({"event_no": 36}, False),
    ):
        said = detections(Detector.STACKED_ABSORPTION, [named | change, named | {"event_no": 60}])
        figures = match_all(said, truth, Detector.STACKED_ABSORPTION).score()
        assert (figures.episodes, figures.found, figures.set_aside) == (1, int(is_found), 1)
        assert (figures.detections, figures.right) == (1, int(is_found))


def test_a_level_of_a_stack_is_set_aside_as_absorption_once() -> None:
    stack = {"side": 1, "price": 100, "end_price": 102, "last_event_no": 30}
    alone = {"side": 1, "price": 100, "end_price": 100, "first_event_no": 50, "last_event_no": 70}
    truth = np.concatenate(
        [
            episodes(EpisodeKind.STACKED_ABSORPTION, [stack | {"first_event_no": 10, "second_ts": 20 * SECOND}]),
            episodes(EpisodeKind.ABSORPTION, [alone]),
        ]
    )
    level = {"side": 1, "price_low": 100, "price_high": 100}
    upper = {"side": 1, "price_low": 102, "price_high": 102}
    said = detections(
        Detector.ABSORPTION,
        [
            level | {"event_no": 12},
            level | {"event_no": 14},  # again: wrong
            {"event_no": 16, "side": 1, "price_low": 101, "price_high": 101},  # neither of the two: wrong
            upper | {"event_no": 25},
            level | {"event_no": 60},
        ],
    )
    figures = match_all(said, truth, Detector.ABSORPTION).score()
    assert (figures.episodes, figures.found, figures.set_aside) == (1, 1, 2)
    assert (figures.detections, figures.right, figures.hidden_from_all) == (3, 1, 0)
    truth["second_ts"] = 0  # the second attack never came
    assert match_all(said, truth, Detector.ABSORPTION).score().set_aside == 1
