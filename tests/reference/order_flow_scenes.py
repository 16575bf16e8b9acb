"""Made-up scenes in which the order-flow strategies often, but not always, find what they look for."""

from __future__ import annotations

import math
from random import Random

from chimera_platform.regimes.names import Regime
from chimera_platform.signals.records import Detector, Stage
from tests.reference.order_flow import Frame, Scene, Signal

SECOND = 1_000_000_000
START = 10**18  # ns UTC
_STEPS = (1, 50_000_000, SECOND, 10 * SECOND, 30 * SECOND, 300 * SECOND)
_STAGES = {Detector.SWEEP: Stage.FAILED}


def made_up(seed: int, count: int) -> list[Scene]:
    """Return ``count`` scenes in the order of time."""
    rng, ts, day = Random(seed), START, []
    for _ in range(count):
        ts += rng.choice(_STEPS)
        day.append(_scene(rng, ts))
    return day


def _scene(rng: Random, ts: int) -> Scene:
    bid, side = rng.randrange(19_950, 20_050), rng.choice((1, -1))
    ask = bid + rng.choice((1, 2, 4, 4, 8, 0, -2))
    scene = Scene(ts=ts, bid=bid, ask=ask, is_sized=rng.random() < 0.8)
    scene.features = {
        "vwap_deviation": _maybe(rng, -side * rng.uniform(-0.0005, 0.003)),
        "ofi_norm_10s": _maybe(rng, side * rng.uniform(-0.2, 1.0)),
        "microprice_edge": _maybe(rng, side * rng.uniform(-0.1, 0.5)),
        "fitted_microprice_edge": rng.choice((math.nan, side * rng.uniform(-0.1, 0.5))),
        "mid_return_10s": _maybe(rng, side * rng.uniform(-0.0002, 0.001)),
        "realised_vol_60s": rng.choice((math.nan, 0.0, rng.uniform(0.0, 0.001))),
    }
    near = bid if side > 0 else ask
    for detector in Detector:
        if rng.random() < 0.3:
            signal = _signal(rng, ts, detector, near, side)
            speaks_for = -side if detector == Detector.SWEEP else side
            scene.signals[detector, speaks_for if rng.random() < 0.8 else -speaks_for] = signal
    scene.frames = [_frame(rng, near, side) for _ in range(3)]
    scene.regime, scene.regime_confidence = rng.choice(list(Regime)), rng.choice((0.0, rng.random(), 1.0))
    scene.levels = [bid + rng.randrange(-60, 60) for _ in range(rng.choice((0, 3, 6)))]
    scene.nodes = [
        (near + rng.randrange(-12, 12), near + rng.randrange(-60, 60), rng.choice((1.0, 2.0, 3.0, rng.uniform(0, 9))))
        for _ in range(rng.choice((0, 0, 1, 3)))
    ]
    return scene


def _maybe(rng: Random, value: float) -> float:
    return math.nan if rng.random() < 0.05 else value


def _signal(rng: Random, ts: int, detector: Detector, near: int, side: int) -> Signal:
    depth, ahead = rng.randrange(0, 12), rng.randrange(-12, 6)
    edge = near + side * ahead
    if detector == Detector.ICEBERG:
        edge, depth = near - side * rng.choice((0, 0, 1, 4, -1)), 0
    if detector == Detector.VACUUM:
        depth = -rng.randrange(10, 80)
    size = rng.randrange(0, 50)
    return Signal(
        number=rng.randrange(0, 6),
        ts=ts - rng.choice((0, 0, 1, 10, 11, 20, 60, 61)) * SECOND,
        stage=_STAGES.get(detector, Stage.CONFIRMED) if rng.random() < 0.8 else rng.choice(list(Stage)),
        low=min(edge, edge - side * depth),
        high=max(edge, edge - side * depth),
        strength=rng.choice((rng.random(), 1.0)),
        size=size,
        evidence=(float(rng.randrange(1, 4)), 0.0, float(rng.randrange(0, 9)), float(rng.randrange(0, size + 1))),
        is_news=rng.random() < 0.5,
    )


def _frame(rng: Random, near: int, side: int) -> Frame:
    middle = 2.0 * (near + side * rng.randrange(-4, 40))
    lows = [2 * near - rng.randrange(0, 20) for _ in range(2)]
    highs = [2 * near + rng.randrange(0, 20) for _ in range(2)]
    bars = rng.randrange(21, 60)
    return Frame(
        trend=rng.choice((-1, 0, 1)),
        efficiency=_maybe(rng, rng.random()),
        middle=_maybe(rng, middle),
        deviation=_maybe(rng, rng.choice((0.0, rng.uniform(1.0, 30.0)))),
        ema_slow=_maybe(rng, middle),
        rsi=_maybe(rng, 50.0 - side * rng.uniform(-10.0, 50.0)),
        divergence=rng.choice((0, 0, side)),
        divergence_bar=rng.randrange(0, bars + 1),
        bars=bars,
        lows=(lows[0], lows[1]),
        highs=(highs[0], highs[1]),
    )
