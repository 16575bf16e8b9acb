"""Sizing: no method goes above the cap, and none gives more for less.

Invariants: 0 <= lots <= floor(wanted * max_scale); less equity, a wider stop, a nearer target, more cost, more
volatility or less edge never gives more lots; no edge gives none by Kelly; money in another unit gives the same lots.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chimera_platform.configuration import load_configuration
from chimera_platform.errors import ConfigurationError
from chimera_platform.portfolio.positions import MAX_POSITION_LOTS
from chimera_platform.risk.sizing import (
    SizingMethod,
    SizingSettings,
    kelly_of_bet,
    kelly_of_trades,
    round_trip_cost_ticks,
    sized_lots,
    sizing_record,
)
from tests.reference import kelly

NANOS = 10**9
NAN = math.nan
ARGUMENTS = (
    "wanted", "model_score", "stop_ticks", "target_ticks", "cost_ticks", "tick_value_nanos", "lot_notional_nanos",
    "equity_nanos", "symbol_risk", "trades", "mean_return", "variance_return",
)  # fmt: skip
USUAL: dict[str, Any] = {
    "wanted": 1_000,
    "model_score": NAN,
    "stop_ticks": 18,
    "target_ticks": 42.0,
    "cost_ticks": 2.0,
    "tick_value_nanos": NANOS,  # 1 a tick and lot: a lot loses 20 at its stop
    "lot_notional_nanos": 2_000 * NANOS,
    "equity_nanos": 100_000 * NANOS,
    "symbol_risk": 2e-4,  # a lot moves 20 a day
    "trades": 0.0,
    "mean_return": 0.0,
    "variance_return": 0.0,
}


def lots(method: str | dict[str, Any], **case: Any) -> int:
    """Return the lots of the usual trade: equity 100,000, stop and cost 20 a lot, target less cost 40 a lot."""
    given_settings = {"method": method} if isinstance(method, str) else method
    record = sizing_record(SizingSettings.model_validate(given_settings))[0]
    values = USUAL | case
    return int(sized_lots(record, *(values[name] for name in ARGUMENTS)))


@pytest.mark.parametrize(
    ("method", "case", "expected"),
    [
        ("engine", {}, 1_000),
        ("engine", {"equity_nanos": -1}, 1_000),
        ("fixed_fraction", {}, 25),  # 0.5 % of 100,000 is 500, over 20
        ("fixed_fraction", {"equity_nanos": 99_999 * NANOS}, 24),
        ("fixed_fraction", {"wanted": 10}, 10),
        ("fixed_fraction", {"stop_ticks": 98}, 5),
        ("fixed_fraction", {"stop_ticks": 1_000}, 0),
        ("fixed_fraction", {"equity_nanos": 0}, 0),
        ("fixed_fraction", {"wanted": 0}, 0),
        ("fixed_fraction", {"cost_ticks": -18.0}, 1_000),  # rebates make up for the stop: nothing to lose, the cap
        ("volatility_target", {}, 25),  # 0.5 % over 0.02 % a lot
        ("volatility_target", {"symbol_risk": 0.0051}, 0),
        ("volatility_target", {"symbol_risk": 0.0}, 1_000),
        ("volatility_target", {"symbol_risk": math.inf}, 0),
        ("volatility_target", {"symbol_risk": NAN}, 0),
        ("kelly", {}, 25),  # neither model nor trades: the fixed fraction
        ("kelly", {"trades": 29.0, "mean_return": -1.0, "variance_return": 1.0}, 25),  # too few
        ("kelly", {"trades": 30.0, "mean_return": -1.0, "variance_return": 1.0}, 0),
        ("kelly", {"trades": 30.0, "mean_return": 0.01, "variance_return": 0.0}, 0),  # no variance is no estimate
        ("kelly", {"model_score": 1.0 / 3.0}, 0),  # fair
        ("kelly", {"model_score": 0.357}, 0),  # better than fair, not at 95 %: 1/3 + 1.645 * 0.0149 = 0.3579
        ("kelly", {"model_score": 0.36}, 95),  # 0.5 * (0.36 - 0.64 / 2) / 1.05 = 1.905 % of 100,000, over 20
        ("kelly", {"model_score": 0.9}, 100),  # the most that Kelly may lose: 2 %
        ("kelly", {"model_score": 0.9, "target_ticks": 2.0}, 0),  # the target just pays the cost
        ("kelly", {"model_score": 0.9, "target_ticks": 1.0}, 0),  # and not even that
        ("kelly", {"model_score": 0.36, "trades": 500.0, "mean_return": -1.0, "variance_return": 1.0}, 95),
    ],
)
def test_sizes_by_example(method: str, case: dict[str, Any], expected: int) -> None:
    assert lots(method, **case) == expected


def test_by_its_own_trades_an_engine_gets_half_of_the_shrunken_fraction_of_equity_as_notional() -> None:
    """100 trades of 0.1 % with a deviation of 0.5 %: mean 2/3 of that, leverage 26.49, half of it on 2,000 a lot."""
    given_settings = {"method": "kelly", "kelly_max_risk": 0.5}
    fraction = 0.001 * 100 / 150 / (0.005**2 * (1 + 1 / 150))
    expected = int(0.5 * fraction * 100_000 / 2_000)
    case = {"trades": 100.0, "mean_return": 0.001, "variance_return": 0.005**2}
    assert lots(given_settings, **case) == expected == 662
    assert lots("kelly", **case) == 100  # no more than 2 % lost at the stop
    assert lots("kelly", **(case | {"mean_return": 0.0008})) == 0  # 1.6 standard errors


def test_sizing_may_go_above_the_engines_wish_only_where_it_is_told_to() -> None:
    assert lots({"method": "fixed_fraction", "max_scale": 1.5}, wanted=10) == 15
    assert lots({"method": "fixed_fraction", "max_scale": 0.55}, wanted=10) == 5
    huge = {"wanted": 1 << 62, "equity_nanos": 1 << 62, "tick_value_nanos": 1}
    assert lots({"method": "fixed_fraction", "max_scale": 100.0}, **huge) == MAX_POSITION_LOTS


METHODS = st.sampled_from([str(m) for m in SizingMethod])


@st.composite
def parameters(draw: Any) -> dict[str, Any]:
    return {
        "method": draw(METHODS),
        "max_scale": draw(st.sampled_from([0.5, 1.0, 3.0])),
        "risk_fraction": draw(st.floats(1e-4, 0.5)),
        "target_volatility": draw(st.floats(1e-4, 1.0)),
        "kelly_fraction": draw(st.floats(0.0, 1.0)),
        "kelly_max_risk": draw(st.sampled_from([0.01, 0.5])),
        "kelly_confidence": draw(st.sampled_from([0.5, 0.95, 0.999])),
        "kelly_prior_trades": draw(st.sampled_from([0.0, 50.0, 1_000.0])),
        "kelly_model_trades": draw(st.sampled_from([1.0, 100.0, 1e5])),
    }


@st.composite
def cases(draw: Any) -> dict[str, Any]:
    return {
        "wanted": draw(st.integers(0, 100_000)),
        "model_score": draw(st.one_of(st.just(NAN), st.floats(0.0, 1.0))),
        "stop_ticks": draw(st.integers(1, 500)),
        "target_ticks": float(draw(st.one_of(st.integers(1, 20), st.integers(1, 1_000)))),
        "cost_ticks": draw(st.floats(-5.0, 20.0)),
        "tick_value_nanos": draw(st.integers(1, 10**12)),
        "lot_notional_nanos": draw(st.integers(1, 10**15)),
        "equity_nanos": draw(st.integers(-(10**12), 10**17)),
        "symbol_risk": draw(st.floats(1e-8, 1.0)),
        "trades": draw(st.sampled_from([0.0, 29.0, 30.0, 80.5, 400.0])),
        "mean_return": draw(st.floats(-0.01, 0.01)),
        "variance_return": draw(st.floats(1e-8, 1e-3)),
    }


@settings(max_examples=400, deadline=None)
@given(parameters(), cases())
def test_lots_are_never_below_zero_or_above_the_cap(given_settings: dict[str, Any], case: dict[str, Any]) -> None:
    scale = 1.0 if given_settings["method"] == "engine" else given_settings["max_scale"]
    assert 0 <= lots(given_settings, **case) <= int(case["wanted"] * scale)


WORSE = [
    ("stop_ticks", st.integers(1, 500)),
    ("target_ticks", st.integers(1, 500).map(lambda n: -float(n))),
    ("cost_ticks", st.floats(0.01, 50.0)),
    ("symbol_risk", st.floats(1e-6, 1.0)),
    ("model_score", st.floats(0.0, 1.0).map(lambda x: -x)),
    ("mean_return", st.floats(0.0, 0.01).map(lambda x: -x)),
    ("variance_return", st.floats(0.0, 1e-3)),
    ("tick_value_nanos", st.integers(1, 10**12)),
    ("lot_notional_nanos", st.integers(1, 10**15)),
    ("wanted", st.integers(1, 100_000).map(lambda n: -n)),
]


@pytest.mark.parametrize(("name", "change"), WORSE, ids=[name for name, _ in WORSE])
def test_a_worse_trade_never_gets_more_lots(name: str, change: Any) -> None:
    @settings(max_examples=150, deadline=None)
    @given(parameters(), cases(), change)
    def never_more(given_settings: dict[str, Any], case: dict[str, Any], by: float) -> None:
        worse = case | {name: max(case[name] + by, 0) if by < 0 and name != "mean_return" else case[name] + by}
        assert lots(given_settings, **worse) <= lots(given_settings, **case)

    never_more()


@settings(max_examples=300, deadline=None)
@given(parameters(), cases(), st.floats(0.0, 1.0))
def test_less_equity_never_gets_more_lots(given_settings: dict[str, Any], case: dict[str, Any], share: float) -> None:
    """The risk of a lot is a fraction of equity and grows as that falls."""
    assume(case["equity_nanos"] > 0)
    left = int(case["equity_nanos"] * share)
    risk = case["symbol_risk"] * case["equity_nanos"] / left if left > 0 else math.inf
    less = case | {"equity_nanos": left, "symbol_risk": max(risk, case["symbol_risk"])}
    assert lots(given_settings, **less) <= lots(given_settings, **case)


@settings(max_examples=300, deadline=None)
@given(parameters(), cases(), st.integers(1, 9))
def test_money_in_another_unit_gives_the_same_lots(
    given_settings: dict[str, Any], case: dict[str, Any], power: int
) -> None:
    names = ("tick_value_nanos", "lot_notional_nanos", "equity_nanos")
    scaled = case | {name: case[name] * 2**power for name in names}
    assume(max(abs(scaled[name]) for name in names) < 1 << 62)
    assert lots(given_settings, **scaled) == lots(given_settings, **case)


@settings(max_examples=200, deadline=None)
@given(parameters(), cases(), st.floats(0.0, 1.0))
def test_without_an_edge_kelly_gives_no_lots(
    given_settings: dict[str, Any], case: dict[str, Any], share: float
) -> None:
    win, loss = case["target_ticks"] - case["cost_ticks"], case["stop_ticks"] + case["cost_ticks"]
    assume(loss > 0.0)
    fair = loss / (loss + win) if win > 0.0 else 1.0
    given_settings["method"] = "kelly"
    assert lots(given_settings, **(case | {"model_score": share * fair})) == 0
    losing = case | {"model_score": NAN, "trades": 100.0, "mean_return": -share * 0.01}
    assert lots(given_settings, **losing) == 0


@pytest.mark.parametrize(("stop", "target"), [(20, 40.0), (10, 10.0), (50, 20.0)], ids=lambda ticks: f"{ticks:g} ticks")
def test_what_is_lost_at_the_stop_is_the_fraction_of_equity_up_to_one_lot(stop: int, target: float) -> None:
    size = lots("fixed_fraction", stop_ticks=stop, target_ticks=target)
    lost, allowed = size * (stop + 2.0), 0.005 * 100_000
    assert allowed - (stop + 2.0) < lost <= allowed


def plain(**given_settings: Any) -> Any:
    """Settings without shrinkage and significance."""
    bare = {"method": "kelly", "kelly_confidence": 0.5, "kelly_prior_trades": 0.0, "kelly_model_trades": 1e9}
    return sizing_record(SizingSettings.model_validate(bare | given_settings))[0]


@pytest.mark.parametrize("probability", [0.35, 0.5, 0.6, 0.9])
@pytest.mark.parametrize("payoff", [0.5, 1.0, 2.0, 4.0])
def test_the_stake_without_shrinkage_maximises_expected_log_growth(probability: float, payoff: float) -> None:
    stake = kelly_of_bet(plain(), probability, 10.0 * payoff, 10.0)
    best = kelly.bet(probability, payoff)
    print(f"p {probability}, payoff {payoff}: kernel {stake:.6f}, maximised {best:.6f}")
    assert stake == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize(("mean", "deviation"), [(2e-4, 4e-3), (5e-4, 1e-2), (-1e-4, 5e-3)])
def test_notional_without_shrinkage_maximises_the_log_growth_of_trades_with_small_returns(
    mean: float, deviation: float
) -> None:
    """The second-order optimum: both differ by terms of the order of (mean / deviation)²."""
    normal = np.random.default_rng(11).normal(size=4_000)
    returns = mean + deviation * (normal - normal.mean()) / normal.std()
    fraction = kelly_of_trades(plain(), 1e12, mean, deviation**2)
    best = kelly.trades(returns.tolist())
    print(f"mean {mean}, deviation {deviation}: kernel {fraction:.3f}, maximised {best:.3f}")
    assert fraction == pytest.approx(best, rel=0.02, abs=1e-3)


def test_shrunken_half_kelly_grows_faster_than_the_plain_estimate_where_the_edge_is_estimated() -> None:
    """Twenty records of 60 trades: what each would have staked, judged by the growth under the true distribution."""
    mean, deviation, rng = 0.001, 0.01, np.random.default_rng(5)
    shrunken = sizing_record(SizingSettings(method=SizingMethod.KELLY, kelly_confidence=0.5))[0]
    growth = {"plain": 0.0, "shrunken half": 0.0}
    for _ in range(200):
        record = rng.normal(mean, deviation, 60)
        estimate = (60.0, float(record.mean()), float(record.var(ddof=1)))
        for name, fraction in (
            ("plain", kelly_of_trades(plain(), *estimate)),
            ("shrunken half", 0.5 * kelly_of_trades(shrunken, *estimate)),
        ):
            growth[name] += (fraction * mean - 0.5 * (fraction * deviation) ** 2) / 200
    best = 0.5 * (mean / deviation) ** 2
    print(
        f"growth per trade: plain {growth['plain']:.6f}, shrunken half {growth['shrunken half']:.6f}, best {best:.6f}"
    )
    assert growth["plain"] < 0.0 < growth["shrunken half"] < best


@pytest.mark.parametrize("cases_behind", [100.0, 1_000.0])
def test_a_model_without_edge_is_staked_on_as_often_as_the_confidence_says(cases_behind: float) -> None:
    """The share of wins in a sample of fair bets passes the 95 % test in about one of twenty samples."""
    record = sizing_record(SizingSettings(method=SizingMethod.KELLY, kelly_model_trades=cases_behind))[0]
    wins = np.random.default_rng(3).binomial(int(cases_behind), 1.0 / 3.0, 4_000) / cases_behind
    share = np.mean([kelly_of_bet(record, float(p), 40.0, 20.0) > 0.0 for p in wins])
    print(f"{cases_behind:g} cases: {share:.4f} of samples without an edge are taken for one")
    assert 0.03 < share < 0.07


def test_the_cost_of_a_round_trip_is_the_spread_and_two_fees() -> None:
    assert round_trip_cost_ticks(3, 2_000, 10, 5, 100) == pytest.approx(3 + 2 * (0.5 + 0.2))
    assert round_trip_cost_ticks(3, -2_000, 10, 0, 100) == pytest.approx(3 + 2 * 0.2)
    assert round_trip_cost_ticks(3, 2_000, 10, -5, 0) == pytest.approx(3 - 1)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("method", '"martingale"'),
        ("kelly_fraction", "1.5"),
        ("risk_fraction", "0.0"),
        ("kelly_confidence", "1.0"),
        ("max_scale", "0.0"),
        ("kelly_min_trades", "1"),
    ],
)
def test_settings_out_of_bounds_are_refused_by_name(tmp_path: Path, key: str, value: str) -> None:
    path = tmp_path / "chimera.toml"
    path.write_text(f"[sizing]\n{key} = {value}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=key):
        load_configuration(path, {})
