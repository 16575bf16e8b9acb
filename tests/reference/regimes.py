"""The regime by its definition: from lists of all bars, with nothing carried along but the list of answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from chimera_platform.regimes.names import Regime

STEP = 4


class Bar(NamedTuple):
    high: int
    low: int
    close: int
    trend: int
    ema_slow: float
    middle: float
    deviation: float
    efficiency: float
    spread: int
    depth: int


def smoothed(values: Sequence[float], bars: int) -> list[float]:
    """Exponential average that is a plain mean as long as there are few values."""
    result: list[float] = []
    for n, value in enumerate(values, start=1):
        weight = 1 / min(bars + 1, n)
        result.append(value if n == 1 else (1 - weight) * result[-1] + weight * value)
    return result


def ramp(value: float, low: float, high: float) -> float:
    return 0.0 if math.isnan(value) or value <= low else min((value - low) / (high - low), 1.0)


def rank(levels: Sequence[float], n: int, first: int, history: int) -> float:
    """Rank of the n-th level (1-based) among every fourth one before it, from the ``first`` on."""
    past = [levels[k - 1] for k in range(STEP, n, STEP) if k >= first][-(history // STEP) :]
    if not past:
        return 0.5
    return sum(1.0 if p < levels[n - 1] else 0.5 if p == levels[n - 1] else 0.0 for p in past) / len(past)


def regimes(bars: Sequence[Bar], s: Any) -> list[tuple[int, float, list[float]]]:
    """(regime, confidence, shares) after every bar; confidence 0 and no shares before there is enough history."""
    volatility = smoothed([(b.high - b.low) ** 2 / (4 * math.log(2)) for b in bars], s.smoothing_bars)
    spread = smoothed([float(b.spread) for b in bars], s.smoothing_bars)
    depth = smoothed([float(b.depth) for b in bars], s.smoothing_bars)
    width = [b.deviation for b in bars]
    first = next((n for n, b in enumerate(bars, start=1) if not math.isnan(b.deviation)), len(bars) + 1)
    answers: list[tuple[int, float, list[float]]] = []
    breakout: tuple[int, int, float, float] | None = None  # side, bar, degree, middle
    compressed = 0
    leaders: list[int] = []
    for n, bar in enumerate(bars, start=1):
        remembered = min(len([k for k in range(STEP, n + 1, STEP) if k >= first]), s.history_bars // STEP)
        before = len([k for k in range(STEP, n, STEP) if k >= first])
        v, w = (rank(x, n, first, s.history_bars) for x in (volatility, spread))
        d, narrow = rank(depth, n, first, s.history_bars), rank(width, n, first, s.history_bars) if before else 0.5
        if breakout and (breakout[0] * (bar.close - breakout[3]) <= 0 or n - breakout[1] >= s.breakout_bars):
            breakout = None
        if n > 1 and breakout is None and compressed and n - compressed <= s.release_bars:
            band, unit = bars[n - 2].middle, max(bars[n - 2].deviation, spread[n - 1])
            degree = ramp(abs(bar.close - band), s.breakout_low * unit, s.breakout_high * unit)
            if degree > 0:
                breakout, compressed = (1 if bar.close > band else -1, n, degree, band), 0
        if 2 * STEP * remembered >= s.history_bars_min and breakout is None and narrow <= s.compression_quantile:
            compressed = n
        if STEP * remembered < s.history_bars_min:
            answers.append((0, 0.0, []))
            continue
        score = (v + w + 1 - d) / 3 if len({b.depth for b in bars[:n]}) > 1 else (v + w) / 2
        stress = ramp(score, s.stress_low, s.stress_high)
        release = breakout[2] * (1 - (n - breakout[1]) / s.breakout_bars) if breakout else 0.0
        follows = bar.trend * (bar.close - bar.ema_slow) > 0
        trend = ramp(bar.efficiency, s.trend_low, s.trend_high) if follows else 0.0
        calm = (1 - stress) * (1 - release) * (1 - trend)
        moving = (1 - stress) * (1 - release) * trend
        shares = [calm * (1 - v), calm * v, 0.0, 0.0, (1 - stress) * release, stress]
        shares[Regime.TREND_UP if bar.trend > 0 else Regime.TREND_DOWN] = moving
        leader = shares.index(max(shares))
        held = answers[-1][0] if leaders else leader
        leads = leader != held and shares[leader] - shares[held] >= s.switch_margin
        leaders.append(leader if leads else -1)
        urgent = leads and leader in (Regime.BREAKOUT, Regime.STRESSED)
        if urgent or (leads and leaders[-s.switch_bars :] == [leader] * s.switch_bars):
            held = leader
            leaders[-1] = -1  # a new regime starts the count afresh
        answers.append((held, shares[held], shares))
    return answers
