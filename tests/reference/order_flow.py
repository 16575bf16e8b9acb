"""The order-flow engine's rules in plain Python; the definition that the kernels are tested against."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chimera_platform.execution.records import IntentReason, OrderType
from chimera_platform.regimes.names import Regime
from chimera_platform.signals.records import Detector, Stage

MINUTE = 60_000_000_000
NAN = math.nan


@dataclass
class Signal:
    """What a detector said last for a side."""

    number: int
    ts: int
    stage: Stage
    low: int
    high: int
    strength: float
    size: int = 0
    evidence: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    is_news: bool = False


@dataclass
class Frame:
    """A timeframe; prices in half ticks."""

    trend: int = 0
    efficiency: float = NAN
    middle: float = NAN
    deviation: float = NAN
    ema_slow: float = NAN
    rsi: float = NAN
    divergence: int = 0
    divergence_bar: int = 0
    bars: int = 0
    lows: tuple[int, int] = (0, 0)  # of the last bar, of the one under way
    highs: tuple[int, int] = (0, 0)

    @property
    def is_known(self) -> bool:
        return not math.isnan(self.efficiency) and not math.isnan(self.deviation)


@dataclass
class Scene:
    """All that the engine may look at, at one event."""

    ts: int
    bid: int
    ask: int
    is_sized: bool = True
    features: dict[str, float] = field(default_factory=dict)
    signals: dict[tuple[Detector, int], Signal] = field(default_factory=dict)  # by detector and the side it speaks for
    frames: list[Frame] = field(default_factory=list)
    regime: Regime = Regime.QUIET_RANGE
    regime_confidence: float = 0.0
    levels: list[int] = field(default_factory=list)  # points of control and value edges of both sessions
    nodes: list[tuple[int, int, float]] = field(default_factory=list)  # high, low, strength

    def feature(self, name: str) -> float:
        return self.features.get(name, NAN)

    @property
    def mid(self) -> float:
        return (self.bid + self.ask) / 2

    @property
    def vwap(self) -> float:
        return self.mid / (1 + self.feature("vwap_deviation"))

    @property
    def lean(self) -> float:
        fitted = self.feature("fitted_microprice_edge")
        return self.feature("microprice_edge") if math.isnan(fitted) else fitted


@dataclass(frozen=True)
class Trade:
    """A strategy's wish."""

    reason: IntentReason
    side: int
    confidence: float
    limit_price: int
    stop_distance: int
    target_distance: int
    signal: tuple[Detector, int] | None = None


@dataclass(frozen=True)
class Wanted:
    """An intent's decisive fields."""

    reason: IntentReason
    side: int
    size: int
    order_type: OrderType
    limit_price: int
    stop_distance: int
    target_distance: int
    max_hold_ns: int
    time_to_live_ns: int
    confidence: float


def whole_ticks(distance: float) -> int:
    return max(1, math.ceil(distance))


class OrderFlow:
    """The engine with its memory of what it did."""

    def __init__(self, settings: Any, tick_value_nanos: int) -> None:
        self.settings, self.tick_value = settings, tick_value_nanos
        self.engine = settings.order_flow
        self.last_ts: int | None = None
        self.last_by_reason: dict[IntentReason, int] = {}
        self.used: dict[tuple[Detector, int], int] = {}
        self.next_look, self.next_touch = 0, 0

    # ---- when ----

    def is_due(self, scene: Scene) -> bool:
        if not self.engine.enabled:
            return False
        if self.last_ts is not None and scene.ts - self.last_ts < self.engine.cooldown_ns:
            return False
        if scene.ts >= self.next_look:
            if self.may_trade(scene):
                return True
            self.next_look = scene.ts + self.engine.look_interval_ns
        return self.has_news(scene) or (scene.ts >= self.next_touch and self.is_at_iceberg(scene))

    def may_trade(self, scene: Scene) -> bool:
        """Whether a signal may still be valid, or the price is where a fade or a bounce begins."""
        own, said = self.settings, max((signal.ts for signal in scene.signals.values()), default=0)
        valid = (own.sweep_reversal, own.stacked_absorption, own.iceberg_defense, own.vacuum_entry)
        if scene.ts - said <= max(strategy.valid_ns for strategy in valid):
            return True
        frame, fade, bounce = scene.frames[0], own.mean_reversion, own.node_bounce
        if fade.enabled and abs(frame.middle - 2 * scene.mid) >= fade.band_deviations_min * frame.deviation:
            return True
        strong = [(high, low) for high, low, strength in scene.nodes if strength >= bounce.strength_min]
        return bounce.enabled and any(
            abs(scene.mid - price) * bounce.approach_noise
            <= bounce.near_noise * abs(0.5 * frame.ema_slow - price) * (1 + 1e-9)
            for pair in strong
            for price in pair
        )

    def has_news(self, scene: Scene) -> bool:
        listened = {
            Detector.SWEEP: ("sweep_reversal", Stage.FAILED),
            Detector.STOP_RUN: ("sweep_reversal", Stage.CONFIRMED),
            Detector.STACKED_ABSORPTION: ("stacked_absorption", Stage.CONFIRMED),
            Detector.ICEBERG: ("iceberg_defense", Stage.CONFIRMED),
            Detector.VACUUM: ("vacuum_entry", Stage.CONFIRMED),
        }
        for (detector, _), signal in scene.signals.items():
            if detector in listened and signal.is_news:
                strategy, stage = listened[detector]
                if getattr(self.settings, strategy).enabled and signal.stage == stage:
                    return True
        return False

    def is_at_iceberg(self, scene: Scene) -> bool:
        on = self.settings.iceberg_defense.enabled
        return on and any(self.iceberg_at_touch(scene, side) is not None for side in (1, -1))

    def see(self, scene: Scene) -> Wanted | None:
        if not self.is_due(scene):
            return None
        self.next_look = scene.ts + self.engine.look_interval_ns
        self.next_touch = scene.ts + self.engine.touch_interval_ns
        spread = scene.ask - scene.bid
        if spread < 1 or spread > self.engine.spread_bps_max * 1e-4 * scene.mid:
            return None
        trades = [trade for trade in self.trades(scene) if trade is not None]
        if not trades:
            return None
        best = max(trades, key=lambda t: t.confidence)  # the first of equals, and reasons come in order
        self.last_ts = self.last_by_reason[best.reason] = scene.ts
        if best.signal is not None:
            self.used[best.signal] = scene.signals[best.signal].number
        s = self.strategy(best.reason)
        return Wanted(
            reason=best.reason,
            side=best.side,
            size=max(1, math.floor(self.engine.order_notional * 1e9 / (self.tick_value * scene.mid))),
            order_type=OrderType.LIMIT if best.limit_price else OrderType.MARKET,
            limit_price=best.limit_price,
            stop_distance=best.stop_distance,
            target_distance=best.target_distance,
            max_hold_ns=s.max_hold_ns,
            time_to_live_ns=s.time_to_live_ns if best.limit_price else 0,
            confidence=best.confidence,
        )

    def trades(self, scene: Scene) -> Iterator[Trade | None]:
        strategies = {
            IntentReason.SWEEP_REVERSAL: self.sweep_reversal,
            IntentReason.STACKED_ABSORPTION: self.stacked_absorption,
            IntentReason.ICEBERG_DEFENSE: self.iceberg_defense,
            IntentReason.VACUUM: self.vacuum_entry,
            IntentReason.MEAN_REVERSION: self.mean_reversion,
            IntentReason.NODE_BOUNCE: self.node_bounce,
        }
        for reason, strategy in strategies.items():
            s = self.strategy(reason)
            last = self.last_by_reason.get(reason)
            if s.enabled and (last is None or scene.ts - last >= s.cooldown_ns):
                yield from strategy(scene)

    def strategy(self, reason: IntentReason) -> Any:
        name = {IntentReason.VACUUM: "vacuum_entry"}.get(reason, reason.name.lower())
        return getattr(self.settings, name)

    # ---- the six strategies ----

    def sweep_reversal(self, scene: Scene) -> Iterator[Trade | None]:
        s, reason = self.settings.sweep_reversal, IntentReason.SWEEP_REVERSAL
        for side in (1, -1):
            sweep = self.valid(scene, (Detector.SWEEP, -side), Stage.FAILED, s.valid_ns)
            if sweep is not None and sweep.size > 0 and sweep.evidence[3] >= s.trapped_share_min * sweep.size:
                yield self.reversal(scene, reason, side, (Detector.SWEEP, -side))
            if self.valid(scene, (Detector.STOP_RUN, side), Stage.CONFIRMED, s.valid_ns) is not None:
                yield self.reversal(scene, reason, side, (Detector.STOP_RUN, side))

    def stacked_absorption(self, scene: Scene) -> Iterator[Trade | None]:
        s = self.settings.stacked_absorption
        for side in (1, -1):
            key = (Detector.STACKED_ABSORPTION, side)
            stack = self.valid(scene, key, Stage.CONFIRMED, s.valid_ns)
            if stack is not None and stack.evidence[0] >= s.levels_min:
                yield self.reversal(scene, IntentReason.STACKED_ABSORPTION, side, key)

    def iceberg_at_touch(self, scene: Scene, side: int) -> Signal | None:
        s = self.settings.iceberg_defense
        iceberg = self.valid(scene, (Detector.ICEBERG, side), Stage.CONFIRMED, s.valid_ns)
        if iceberg is None:
            return None
        distance = scene.bid - iceberg.low if side > 0 else iceberg.high - scene.ask
        return iceberg if 0 <= distance <= s.approach_spreads * (scene.ask - scene.bid) else None

    def iceberg_defense(self, scene: Scene) -> Iterator[Trade | None]:
        s = self.settings.iceberg_defense
        for side in (1, -1):
            iceberg = self.iceberg_at_touch(scene, side)
            if iceberg is not None and iceberg.evidence[2] >= s.hidden_over_peak_min * iceberg.evidence[0]:
                price = iceberg.low if side > 0 else iceberg.high
                key = (Detector.ICEBERG, side)
                yield self.back_from(
                    scene, IntentReason.ICEBERG_DEFENSE, side, key, price + side * s.front_ticks, price
                )

    def vacuum_entry(self, scene: Scene) -> Iterator[Trade | None]:
        s, reason = self.settings.vacuum_entry, IntentReason.VACUUM
        for side in (1, -1):
            key = (Detector.VACUUM, side)
            void = self.valid(scene, key, Stage.CONFIRMED, s.valid_ns)
            if void is None or not self.flow_agrees(scene, s, side):
                continue
            start, end = (void.low, void.high) if side > 0 else (void.high, void.low)
            confidence = self.confidence(scene, s, side, void.strength, self.continuation(scene, side))
            limit, entry = self.entry(scene, s, side, start)
            stop = self.stop(scene, s, side, entry, start)
            yield self.trade(reason, s, side, confidence, limit, stop, side * (end - entry), key)

    def mean_reversion(self, scene: Scene) -> Iterator[Trade | None]:
        s, frame = self.settings.mean_reversion, scene.frames[0]
        side = 1 if 2 * scene.mid < frame.middle else -1
        strength = self.stretch(scene, side)
        if strength is None or not self.has_turned(scene, s, side):
            return
        confidence = self.confidence(scene, s, side, strength, self.reversal_agreement(scene, side))
        limit, entry = self.entry(scene, s, side, scene.bid if side > 0 else scene.ask)
        extreme = min(frame.lows) / 2 if side > 0 else max(frame.highs) / 2
        stop = self.stop(scene, s, side, entry, extreme)
        distance = self.nearest(scene, side, entry, s.reward_risk_min * stop, [frame.middle / 2, *scene.levels])
        yield self.trade(IntentReason.MEAN_REVERSION, s, side, confidence, limit, stop, distance)

    def stretch(self, scene: Scene, side: int) -> float | None:
        """Strength of a fade; None where fair value, band or momentum does not speak for it."""
        s, frame = self.settings.mean_reversion, scene.frames[0]
        deviation = frame.deviation / 2
        fair = scene.vwap if scene.is_sized else scene.frames[1].middle / 2
        parts = []
        for value, least in ((fair, s.fair_deviations_min), (frame.middle / 2, s.band_deviations_min)):
            distance, needed = side * (value - scene.mid), least * deviation
            if math.isnan(distance) or math.isnan(needed) or deviation == 0 or distance < needed:
                return None
            parts.append(distance / (distance + needed) if needed > 0 else 1.0)
        stretched = side * (50 - frame.rsi)
        if frame.divergence == side and frame.bars - frame.divergence_bar < s.divergence_bars:
            parts.append(1.0)
        elif stretched >= s.rsi_stretch_min:
            parts.append(stretched / 50)
        else:
            return None
        return (parts[0] + parts[1] + parts[2]) / 3 or None

    def node_bounce(self, scene: Scene) -> Iterator[Trade | None]:
        """The strongest node from which a trade is possible; of equals the first, its high before its low."""
        s = self.settings.node_bounce
        found: list[tuple[float, Trade]] = []
        for high, low, strength in scene.nodes:
            for node in (high, low):
                trade = self.bounce(scene, node, strength) if strength >= s.strength_min else None
                if trade is not None:
                    found.append((strength, trade))
        if found:
            yield max(found, key=lambda pair: pair[0])[1]

    def bounce(self, scene: Scene, node: int, strength: float) -> Trade | None:
        s, frame = self.settings.node_bounce, scene.frames[0]
        average, noise = frame.ema_slow / 2, self.noise(scene)
        side = 1 if average > node else -1
        near = abs(scene.mid - node) <= s.near_noise * noise
        came = side * (average - node) >= s.approach_noise * noise
        if not (near and came and self.has_turned(scene, s, side)):
            return None
        confidence = self.confidence(
            scene, s, side, strength / (strength + s.strength_min), self.reversal_agreement(scene, side)
        )
        limit, entry = self.entry(scene, s, side, node)
        extreme = min(node, frame.lows[1] / 2) if side > 0 else max(node, frame.highs[1] / 2)
        stop = self.stop(scene, s, side, entry, extreme)
        nodes = [price for high, low, _ in scene.nodes for price in (high, low)]
        levels = [frame.middle / 2, *scene.levels, *nodes]
        distance = self.nearest(scene, side, entry, s.reward_risk_min * stop, levels)
        return self.trade(IntentReason.NODE_BOUNCE, s, side, confidence, limit, stop, distance)

    # ---- what they share ----

    def valid(self, scene: Scene, key: tuple[Detector, int], stage: Stage, valid_ns: int) -> Signal | None:
        signal = scene.signals.get(key)
        if signal is None or signal.stage != stage or scene.ts - signal.ts > valid_ns:
            return None
        return None if self.used.get(key) == signal.number else signal

    def reversal(self, scene: Scene, reason: IntentReason, side: int, key: tuple[Detector, int]) -> Trade | None:
        """Back from a zone: entered at the edge ahead in the trade's direction, wrong beyond the other one."""
        signal = scene.signals[key]
        edges = (signal.high, signal.low) if side > 0 else (signal.low, signal.high)
        return self.back_from(scene, reason, side, key, *edges)

    def back_from(
        self, scene: Scene, reason: IntentReason, side: int, key: tuple[Detector, int], anchor: int, extreme: int
    ) -> Trade | None:
        s, signal = self.strategy(reason), scene.signals[key]
        if not self.flow_agrees(scene, s, side):
            return None
        confidence = self.confidence(scene, s, side, signal.strength, self.reversal_agreement(scene, side))
        limit, entry = self.entry(scene, s, side, anchor)
        stop = self.stop(scene, s, side, entry, extreme)
        distance = self.nearest(scene, side, entry, s.reward_risk_min * stop, scene.levels)
        return self.trade(reason, s, side, confidence, limit, stop, distance, key)

    def noise(self, scene: Scene) -> float:
        volatility = scene.feature("realised_vol_60s")
        sigma = 0.0 if math.isnan(volatility) else volatility * scene.mid
        sigma *= math.sqrt(self.engine.noise_horizon_ns / MINUTE)
        return max(float(scene.ask - scene.bid), sigma)

    def flow_agrees(self, scene: Scene, s: Any, side: int) -> bool:
        if scene.is_sized and not side * scene.lean >= s.lean_min:
            return False
        return side * scene.feature("ofi_norm_10s") >= s.ofi_norm_min

    def has_turned(self, scene: Scene, s: Any, side: int) -> bool:
        return side * scene.feature("mid_return_10s") >= s.momentum_min and self.flow_agrees(scene, s, side)

    def weighted(self, scene: Scene, share: Any) -> float:
        weights = (self.engine.weight_1m, self.engine.weight_5m, self.engine.weight_15m)
        known = [(w, share(f)) for w, f in zip(weights, scene.frames, strict=True) if f.is_known]
        total = weight = 0.0
        for w, value in known:
            total, weight = total + w * value, weight + w
        return total / weight if known else 0.0

    def reversal_agreement(self, scene: Scene, side: int) -> float:
        def share(frame: Frame) -> float:
            against = side * frame.trend < 0 and frame.efficiency >= self.engine.efficiency_strong
            stretched = side * (frame.middle - 2 * scene.mid) >= self.engine.stretch_deviations * frame.deviation
            return 0.5 * (not against) + 0.5 * stretched

        return self.weighted(scene, share)

    def continuation(self, scene: Scene, side: int) -> float:
        return self.weighted(scene, lambda frame: {1: 1.0, 0: 0.5, -1: 0.0}[side * frame.trend])

    def confidence(self, scene: Scene, s: Any, side: int, strength: float, agreement: float) -> float | None:
        trend = {1: s.trend_with, -1: s.trend_against}
        factor = {
            Regime.QUIET_RANGE: s.quiet_range,
            Regime.ACTIVE_RANGE: s.active_range,
            Regime.TREND_UP: trend[side],
            Regime.TREND_DOWN: trend[-side],
            Regime.BREAKOUT: s.breakout,
            Regime.STRESSED: s.stressed,
        }[scene.regime]
        c = scene.regime_confidence
        value = strength * agreement * (c * factor + (1 - c))
        if agreement < s.confluence_min or not value > 0 or value < s.confidence_min:
            return None
        return min(value, 1.0)

    def entry(self, scene: Scene, s: Any, side: int, anchor: int) -> tuple[int, int]:
        """(limit price, entry price)."""
        opposite = scene.ask if side > 0 else scene.bid
        if side * (opposite - anchor) <= s.chase_noise * self.noise(scene):
            return 0, opposite
        limit = min(anchor, scene.ask - 1) if side > 0 else max(anchor, scene.bid + 1)
        return limit, limit

    def stop(self, scene: Scene, s: Any, side: int, entry: int, extreme: float) -> int:
        noise, distance = self.noise(scene), side * (entry - extreme)
        if distance < 0:
            return 0
        distance = distance + s.stop_buffer_noise * noise
        return whole_ticks(min(max(distance, s.stop_noise_min * noise), s.stop_noise_max * noise))

    def nearest(self, scene: Scene, side: int, entry: int, least: float, levels: list[float]) -> float:
        ahead = [side * (level - entry) for level in [scene.vwap, *levels]]
        return min([d for d in ahead if d >= least], default=math.inf)

    def trade(
        self,
        reason: IntentReason,
        s: Any,
        side: int,
        confidence: float | None,
        limit: int,
        stop: int,
        distance: float,
        signal: tuple[Detector, int] | None = None,
    ) -> Trade | None:
        if confidence is None or stop == 0 or not s.reward_risk_min * stop <= distance < math.inf:
            return None
        target = whole_ticks(min(distance, s.reward_risk_max * stop))
        return Trade(reason, side, confidence, limit, stop, target, signal)
