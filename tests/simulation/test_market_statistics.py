"""What the simulated market must have in common with a real one, and what may be learnt from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from chimera_platform.market.instruments import load_instruments
from chimera_platform.microstructure.feature_names import Feature
from chimera_platform.microstructure.feature_stream import FeatureStream
from chimera_platform.simulation.market.episodes import VolatilityRegime
from chimera_platform.simulation.market.simulator import SimulatedMarket

DAY_NS, SECOND_NS = 86_400 * 10**9, 10**9
REGIMES = tuple(int(r) for r in VolatilityRegime)


@dataclass
class Observed:
    """One symbol's features at each source event, and the true regime then."""

    ts: np.ndarray
    features: np.ndarray
    regime: np.ndarray

    def change(self, horizon_s: float) -> np.ndarray:
        """Change of the mid over the horizon; NaN where the session ends before."""
        mid = self.features[:, Feature.MID]
        later = np.searchsorted(self.ts, self.ts + int(horizon_s * SECOND_NS), side="right") - 1
        reaches = np.append(self.ts[1:], 0)[later] >= self.ts + int(horizon_s * SECOND_NS)
        same_day = self.ts[later] // DAY_NS == self.ts // DAY_NS
        return np.where(same_day & reaches, mid[later] - mid, np.nan)

    def minute_returns(self) -> np.ndarray:
        """Log returns of the mid by minute, with NaN between sessions."""
        first, last = self.ts[0], self.ts[-1]
        grid = np.arange(first, last, 60 * SECOND_NS)
        at = np.searchsorted(self.ts, grid, side="right") - 1
        returns = np.diff(np.log(self.features[at, Feature.MID]))
        fresh = grid - self.ts[at] < 600 * SECOND_NS
        return np.where(fresh[1:] & fresh[:-1], returns, np.nan)


def observe(url: str) -> list[Observed]:
    market = SimulatedMarket.from_url(url, load_instruments())
    stream, events, values = FeatureStream(market.universe), [], []
    for batch in market.batches(65_536):
        positions, rows = stream.run(batch)
        events.append(batch[positions])
        values.append(rows.copy())
    event, value, regimes = np.concatenate(events), np.concatenate(values), market.regimes()
    usable = ~np.isnan(value[:, Feature.MID])
    found = []
    for i in range(len(market.universe)):
        mine = usable & (event["instrument_id"] == i)
        ts = event["ts_event"][mine]
        regime = regimes["regime"][np.searchsorted(regimes["start_ts"], ts, side="right") - 1]
        found.append(Observed(ts, value[mine], regime))
    return found


@pytest.fixture(scope="module")
def observed() -> list[Observed]:
    return observe("sim://?days=6&seed=7")


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    both = ~(np.isnan(a) | np.isnan(b))
    return float(np.corrcoef(a[both], b[both])[0, 1])


@pytest.mark.parametrize("asked", [-0.8, 0.0, 0.8])
def test_minute_returns_correlate_as_asked(asked: float) -> None:
    # Somewhat below what is asked: each book's quotes follow late and on a grid of their own (Epps 1979).
    first, second = (o.minute_returns() for o in observe(f"sim://?days=6&rate=0.5&seed=9&correlation={asked}"))
    n = min(len(first), len(second))
    seen = correlation(first[:n], second[:n])
    print(f"correlation of minute returns: asked {asked}, seen {seen:.2f}")
    assert abs(seen) < 0.1 if asked == 0 else 0.7 * abs(asked) < seen * np.sign(asked) < 1.1 * abs(asked)


def test_every_symbol_correlates_with_the_first_and_the_others_among_each_other() -> None:
    returns = [o.minute_returns() for o in observe("sim://?symbols=GC,EURUSD,BTCUSDT&days=4&rate=0.5&correlation=-0.8")]
    n = min(map(len, returns))
    assert correlation(returns[0][:n], returns[1][:n]) < -0.4
    assert correlation(returns[0][:n], returns[2][:n]) < -0.4
    assert correlation(returns[1][:n], returns[2][:n]) > 0.4


def test_volatility_and_spread_rise_with_the_regime(observed: list[Observed]) -> None:
    for symbol in observed:
        moves, spread = symbol.change(60.0), symbol.features[:, Feature.SPREAD]
        volatility = [np.nanstd(moves[symbol.regime == r]) for r in REGIMES]
        spreads = [spread[symbol.regime == r].mean() for r in REGIMES]
        print(f"1-minute volatility by regime {np.round(volatility, 4)}, spread {np.round(spreads, 4)}")
        assert volatility[1] > 1.4 * volatility[0] and volatility[2] > 1.15 * volatility[1]
        assert spreads[2] > 1.4 * max(spreads[0], spreads[1])


def test_spreads_are_those_of_the_trade(observed: list[Observed]) -> None:
    gold, silver = (np.average(o.features[:-1, Feature.SPREAD], weights=np.diff(o.ts)) for o in observed)
    print(f"time-weighted spread: XAUUSD {gold:.3f} $, XAGUSD {silver:.4f} $")
    assert 0.10 < gold < 0.30 and 0.002 < silver < 0.008


def test_imbalance_predicts_the_next_move_in_the_active_regime_and_hardly_in_the_stressed(
    observed: list[Observed],
) -> None:
    for symbol in observed:
        move, imbalance = symbol.change(5.0), symbol.features[:, Feature.QUEUE_IMBALANCE]
        by_regime = [correlation(imbalance[symbol.regime == r], move[symbol.regime == r]) for r in REGIMES]
        print(f"correlation of queue imbalance with the mid's next 5 s, by regime: {np.round(by_regime, 3)}")
        assert by_regime[1] > 0.12
        assert by_regime[1] > 2.0 * abs(by_regime[2])
        assert by_regime[1] > 1.2 * by_regime[0] > 0


def test_shuffled_imbalance_predicts_nothing(observed: list[Observed]) -> None:
    for symbol in observed:
        move, imbalance = symbol.change(5.0), symbol.features[:, Feature.QUEUE_IMBALANCE]
        shuffled = np.random.default_rng(1).permutation(imbalance)
        assert abs(correlation(shuffled, move)) < 5.0 / np.sqrt(len(move))


def test_order_flow_predicts_with_noise_and_not_perfectly(observed: list[Observed]) -> None:
    for symbol in observed:
        active = symbol.regime == VolatilityRegime.ACTIVE
        move = symbol.change(10.0)[active]
        flow, trades, edge = (
            symbol.features[active, f]
            for f in (Feature.OFI_NORM_10S, Feature.TRADE_IMBALANCE_10S, Feature.MICROPRICE_EDGE)
        )
        seen = [correlation(x, move) for x in (flow, trades, edge)]
        print(f"active regime, next 10 s: OFI {seen[0]:.2f}, trade imbalance {seen[1]:.2f}, microprice {seen[2]:.2f}")
        assert 0.2 < seen[0] < 0.7 and 0.1 < seen[1] < 0.7 and 0.1 < seen[2] < 0.7


def test_crossing_the_spread_pays_in_good_states_and_hardly_elsewhere(observed: list[Observed]) -> None:
    """Taking where order flow and imbalance agree does no more than cover the spread; strong in the active, it wins."""
    for symbol in observed:
        f = symbol.features
        side = np.sign(f[:, Feature.QUEUE_IMBALANCE])
        flow = f[:, Feature.OFI_NORM_10S] * side
        agree = (np.abs(f[:, Feature.QUEUE_IMBALANCE]) > 0.4) & (flow > 0.2)
        net = symbol.change(30.0) * side / f[:, Feature.SPREAD] - 1.0
        everywhere = np.nanmean(net[agree])
        strong = agree & (flow > 0.7) & (symbol.regime == VolatilityRegime.ACTIVE)
        good = np.nanmean(net[strong])
        bad = np.nanmean(net[agree & (symbol.regime == VolatilityRegime.STRESSED)])
        print(f"net of the spread, in spreads, after 30 s: all {everywhere:.2f}, good {good:.2f}, stressed {bad:.2f}")
        assert abs(everywhere) < 0.2 < good and good > everywhere + 0.2


def test_returns_have_heavy_tails_and_clustered_volatility(observed: list[Observed]) -> None:
    """Stylised facts (Cont 2001): excess kurtosis, absolute returns that remember, returns that hardly do."""
    for symbol in observed:
        returns = symbol.minute_returns()
        plain = returns[~np.isnan(returns)]
        kurtosis = float(np.mean((plain - plain.mean()) ** 4) / plain.var() ** 2)
        memory = [correlation(np.abs(returns[k:]), np.abs(returns[:-k])) for k in (1, 10, 30)]
        drift = correlation(returns[1:], returns[:-1])
        print(
            f"minute returns: kurtosis {kurtosis:.1f}, |r| lags 1, 10, 30: {np.round(memory, 2)}, r lag 1: {drift:.2f}"
        )
        assert kurtosis > 4.0
        assert memory[0] > 0.15 and memory[1] > 0.05 and memory[2] > 0.0
        assert abs(drift) < 0.35  # not nothing: makers are late and there are trends
