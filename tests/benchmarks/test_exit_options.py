"""Options of exits: chosen on days gone by only, adopted where a recorded market is for them and none against."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.exit_options import BASE, OPTIONS, MarketResult, OptionResult, walk_forward
from benchmarks.exit_page import adopted, page
from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.simulation.comparison.markets import Market
from chimera_platform.simulation.comparison.statistics import Difference

NONE = Difference(0.0, np.nan, np.nan, 6, 0, 0, 1.0)
UP, DOWN = Difference(5.0, 1.0, 9.0, 6, 6, 0, 0.03), Difference(-5.0, -9.0, -1.0, 6, 0, 6, 0.03)
OPEN = Difference(1.0, -2.0, 4.0, 6, 4, 2, 0.7)


def option(name: str, gain: Difference, holm_p: float = 0.03) -> OptionResult:
    return OptionResult(name, 12.0, 100, 0.4, gain, holm_p)


def market(options: list[OptionResult], is_simulated: bool = False, **given: Any) -> MarketResult:
    about = Market("sim" if is_simulated else "recorded", (), is_simulated, "Days.")
    plain = MarketResult(about, 6, 7.0, 90, 0.5, options, OPEN, ["a", "a", BASE], {})
    return replace(plain, **given)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_a_configuration(name: str) -> None:
    parameters: dict[str, Any] = {"exits": OPTIONS[name]}
    changed = with_parameters(Configuration(), parameters).exits
    assert changed != Configuration().exits


def test_the_walk_takes_what_gained_most_on_the_days_before_and_nothing_where_none_had() -> None:
    gains = {"a": np.array([5.0, 5.0, -30.0, 2.0, 3.0, 4.0]), "b": np.array([-1.0, -2.0, -1.0, -1.0, 40.0, 7.0])}
    walked, chosen = walk_forward(gains)
    assert chosen == [BASE, BASE, "b"]
    assert walked.tolist() == [0.0, 0.0, 7.0]


def test_a_day_decides_nothing_about_itself_or_before() -> None:
    random = np.random.default_rng(1)
    gains = {name: random.normal(size=12) for name in "abc"}
    walked, chosen = walk_forward(gains)
    for day in range(6, 12):
        other = {name: np.where(np.arange(12) >= day, random.normal(size=12), gain) for name, gain in gains.items()}
        assert walk_forward(other)[1][: day - 5] == chosen[: day - 5]
        np.testing.assert_array_equal(walk_forward(other)[0][: day - 6], walked[: day - 6])


@pytest.mark.parametrize(
    ("recorded", "p", "simulated", "expected"),
    [
        (UP, 0.03, UP, ["a"]),
        (UP, 0.03, OPEN, ["a"]),
        (UP, 0.03, DOWN, []),
        (UP, 1.0, UP, ["a"]),
        (OPEN, 0.03, UP, []),
        (DOWN, 0.03, UP, []),
        (NONE, 1.0, UP, []),
    ],
)
def test_an_option_is_adopted_where_a_recorded_market_is_for_it_and_none_is_against_it(
    recorded: Difference, p: float, simulated: Difference, expected: list[str]
) -> None:
    results = [market([option("a", recorded, p)]), market([option("a", simulated)], is_simulated=True)]
    assert adopted(results) == expected


def test_the_page_shows_each_markets_options_the_walk_and_the_models() -> None:
    unseen = {"examples": 900, "loss": 0.3, "loss_constant": 0.4, "gain": 0.25, "gain_low": 0.1, "reached": 0.52}
    shown = page(
        [market([option("a", UP), option("b", NONE)], targets={"m": unseen, "n": {"examples": 3}})], "the command"
    )
    assert "the command" in shown
    assert "The interval lies above 0 on a recorded market and below 0 on none: a." in shown
    assert "| a | 12.0 | 100 | 40.0% | 5.0 [1.0, 9.0] | 6 : 0 | 0.03 |" in shown
    assert "| b | 12.0 | 100 | 40.0% | changes nothing | | |" in shown
    assert "| **walk-forward** | | | | 1.0 [-2.0, 4.0] | 4 : 2 | 0.7 |" in shown
    assert "Taken in the walk: a (2); as configured (1)." in shown
    assert "- **m**: predicts moves better than a constant on recorded; pays on none." in shown
    assert "- **n**: predicts moves better than a constant on none; pays on none." in shown
    assert "walk" not in page([market([option("a", UP)], chosen=[])], "").split("### ")[1]
    assert "m: on 900 intents" in shown and "25.0% less (lower bound 10.0%)" in shown
    assert "n: 3 intents that it had not seen, too few" in shown
    assert "**The defaults leave every option off**" in page([market([option("a", OPEN)])], "")
