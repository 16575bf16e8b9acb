"""The engines' rules in plain Python, from whole histories; the definition that the kernels are tested against."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from chimera_platform.engines.hft import HftSettings
from chimera_platform.engines.structure import StructureSettings
from chimera_platform.execution.records import Engine, IntentReason, OrderType
from chimera_platform.market.events import EventFlag
from chimera_platform.microstructure.feature_names import FEATURE_NAMES
from chimera_platform.signals.records import Stage

MINUTE = 60_000_000_000


@dataclass(frozen=True)
class SaidOfSweep:
    """What the detector said last of the sweeps of one side."""

    ts: int
    stage: Stage
    strength: float
    lots_trapped: float
    is_news: bool  # since the engines looked last


@dataclass(frozen=True)
class Observation:
    """What an engine sees at the last record of a source event whose book is tradable."""

    event_no: int
    ts: int
    flags: int
    bid: int
    ask: int
    features: dict[str, float]
    sweeps: dict[int, SaidOfSweep] = field(default_factory=dict)  # by side, +1 and -1

    @classmethod
    def of(
        cls, event_no: int, event: Any, bid: int, ask: int, vector: Any, sweeps: dict[int, SaidOfSweep] | None = None
    ) -> Observation:
        features = dict(zip(FEATURE_NAMES, [float(v) for v in vector], strict=True))
        return cls(event_no, int(event["ts_event"]), int(event["flags"]), bid, ask, features, sweeps or {})


@dataclass(frozen=True)
class Wanted:
    """An intent's decisive fields."""

    ts_event: int
    event_no: int
    engine: Engine
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


def lots(notional: float, tick_value_nanos: int, mid: float) -> int:
    return max(1, int(notional * 1e9 / (tick_value_nanos * mid) // 1))


def whole_ticks(distance: float) -> int:
    return max(1, math.ceil(distance))


# ---- HFT ------------------------------------------------------------------------------------------------------


def hft(observations: list[Observation], settings: HftSettings, tick_value_nanos: int) -> list[Wanted]:
    if settings.version == 1:
        return hft_baseline(observations, settings, tick_value_nanos)
    wanted: list[Wanted] = []
    last = None
    for seen in observations:
        if last is not None and seen.ts - last < settings.cooldown_ns:
            continue
        trade = hft_trade(seen, settings)
        if trade is not None:
            last = seen.ts
            wanted.append(hft_intent(seen, *trade, settings, tick_value_nanos))
    return wanted


def hft_trade(seen: Observation, settings: HftSettings) -> tuple[int, float, IntentReason] | None:
    """The trade that is wanted, as (side, confidence, reason)."""
    fresh = {
        side: said for side, said in seen.sweeps.items() if seen.ts - said.ts <= settings.sweep_valid_ms * 1_000_000
    }
    for side in (1, -1):
        confidence = hft_confidence(seen, side, settings)
        if confidence is None:
            continue
        sweep = fresh.get(side)
        if sweep is not None and sweep.stage is Stage.FAILED and sweep.lots_trapped > 0:
            return None
        if sweep is not None and sweep.stage is Stage.CONFIRMED:
            confidence += (1 - confidence) * settings.sweep_confidence * sweep.strength
        return side, confidence, IntentReason.IMBALANCE
    strong = [
        (side, said.strength, IntentReason.SWEEP_MOMENTUM)
        for side, said in fresh.items()
        if said.is_news and said.stage is Stage.CONFIRMED and said.strength >= settings.sweep_strength_min
    ]
    return strong[0] if len(strong) == 1 else None


def hft_baseline(observations: list[Observation], s: HftSettings, tick_value_nanos: int) -> list[Wanted]:
    wanted: list[Wanted] = []
    moves = []  # of the mid, up to now
    for before, seen in pairwise(observations):
        if seen.bid + seen.ask != before.bid + before.ask:
            moves.append(seen.bid + seen.ask - before.bid - before.ask)
        if not moves or (wanted and seen.ts - wanted[-1].ts_event < s.cooldown_ns):
            continue
        spread, mid = seen.ask - seen.bid, (seen.bid + seen.ask) / 2
        threshold = s.trigger_spread_ppm * (seen.bid + seen.ask) / 2e6
        if spread > threshold:
            continue
        wanted.append(
            Wanted(
                ts_event=seen.ts,
                event_no=seen.event_no,
                engine=Engine.HFT,
                reason=IntentReason.SPREAD_TRIGGER,
                side=1 if moves[-1] > 0 else -1,
                size=lots(s.order_notional, tick_value_nanos, mid),
                order_type=OrderType.MARKET,
                limit_price=0,
                stop_distance=whole_ticks(s.stop_spreads * threshold),
                target_distance=whole_ticks(s.target_spreads * threshold),
                max_hold_ns=s.max_hold_ns,
                time_to_live_ns=0,
                confidence=1 - spread / threshold,
            )
        )
    return wanted


def hft_confidence(seen: Observation, side: int, settings: HftSettings) -> float | None:
    """The confidence in a trade on this side; None where the engine does not want it."""
    f = seen.features
    ofi = side * f["ofi_norm_10s"]
    if seen.flags & EventFlag.SIZE_ASSUMED:
        momentum, sigma = side * f["mid_return_10s"], f["realised_vol_60s"] * math.sqrt(10 / 60)
        needed = [
            ofi > 0,
            momentum > 0,
            ofi >= settings.unsized_ofi_norm_min,
            momentum >= settings.momentum_vols_min * sigma,
        ]
        return min(1.0, ofi) if all(needed) else None
    fitted = f.get("fitted_microprice_edge", math.nan)
    queue, trades = side * f["queue_imbalance"], side * f["trade_imbalance_10s"]
    edge = side * (f["microprice_edge"] if math.isnan(fitted) else fitted)
    needed = [
        queue > 0,
        queue >= settings.queue_imbalance_min,
        edge >= settings.microprice_edge_min,
        ofi >= settings.ofi_norm_min,
        math.isnan(trades) or trades >= settings.trade_imbalance_min,
    ]
    if not all(needed):
        return None
    strengths = [queue, min(max(2 * edge, 0.0), 1.0), ofi] + ([] if math.isnan(trades) else [max(trades, 0.0)])
    return sum(strengths) / len(strengths)


def hft_intent(
    seen: Observation, side: int, confidence: float, reason: IntentReason, s: HftSettings, tick_value_nanos: int
) -> Wanted:
    spread, mid = seen.ask - seen.bid, (seen.bid + seen.ask) / 2
    volatility = seen.features["realised_vol_60s"]
    sigma = 0.0 if math.isnan(volatility) else volatility * mid * math.sqrt(s.max_hold_ns / MINUTE)
    return Wanted(
        ts_event=seen.ts,
        event_no=seen.event_no,
        engine=Engine.HFT,
        reason=reason,
        side=side,
        size=lots(s.order_notional, tick_value_nanos, mid),
        order_type=OrderType.MARKET,
        limit_price=0,
        stop_distance=whole_ticks(max(s.stop_spreads * spread, s.stop_vols * sigma)),
        target_distance=whole_ticks(max(s.target_spreads * spread, s.target_vols * sigma)),
        max_hold_ns=s.max_hold_ns,
        time_to_live_ns=0,
        confidence=confidence,
    )


# ---- structure ------------------------------------------------------------------------------------------------


@dataclass
class Timeframe:
    """Bars of one timeframe as (start, mids in it), and what was measured as each of them completed."""

    minutes: int
    range_bars: int
    history_bars: int
    bars: list[tuple[int, list[int]]] = field(default_factory=list)  # the last one is under way
    widths: list[int] = field(default_factory=list)
    rank: float = math.nan

    def take(self, ts: int, mid_doubled: int) -> None:
        start = ts // (self.minutes * MINUTE)
        if self.bars and start <= self.bars[-1][0]:
            self.bars[-1][1].append(mid_doubled)
            return
        if self.bars:
            self.measure()
        self.bars.append((start, [mid_doubled]))

    def measure(self) -> None:
        if len(self.bars) < self.range_bars:
            return
        mids = [m for _, bar in self.bars[-self.range_bars :] for m in bar]
        width = max(mids) - min(mids)
        past = self.widths[-self.history_bars :]
        self.rank = sum(w < width for w in past) / len(past) if len(past) >= 8 else math.nan
        self.widths.append(width)

    def completed(self) -> list[list[int]]:
        """The last bars of the range, without the one under way; fewer at the beginning."""
        return [bar for _, bar in self.bars[-self.range_bars - 1 : -1]]


def structure(observations: list[Observation], s: StructureSettings, tick_value_nanos: int) -> list[Wanted]:
    if s.version == 1:
        return structure_baseline(observations, s, tick_value_nanos)
    frames = [Timeframe(minutes, s.range_bars, s.history_bars) for minutes in (1, 5, 15)]
    wanted: list[Wanted] = []
    outside, last = 0, None
    for seen in observations:
        mid_doubled = seen.bid + seen.ask
        for frame in frames:
            frame.take(seen.ts, mid_doubled)
        bars = frames[0].completed()
        if len(bars) < s.range_bars:
            continue
        high, low = max(max(b) for b in bars), min(min(b) for b in bars)
        average_bar = sum(max(b) - min(b) for b in bars) / s.range_bars
        beyond = s.breakout_bars * average_bar
        side = 1 if mid_doubled > high + beyond else -1 if mid_doubled < low - beyond else 0
        if side == 0 and low <= mid_doubled <= high:
            outside = 0
        if side == 0 or side == outside:
            continue
        outside = side
        compressed = sum(frame.rank <= s.compression_quantile for frame in frames)
        if (last is not None and seen.ts - last < s.cooldown_ns) or compressed < s.timeframes_min:
            continue
        last = seen.ts
        confidence = sum(0.0 if math.isnan(f.rank) else 1 - f.rank for f in frames) / 3
        wanted.append(structure_intent(seen, side, high, low, average_bar, confidence, s, tick_value_nanos))
    return wanted


def structure_baseline(observations: list[Observation], s: StructureSettings, tick_value_nanos: int) -> list[Wanted]:
    fast_bars, slow_bars = sorted((s.cross_bars_a, s.cross_bars_b))
    wanted: list[Wanted] = []
    closes: list[int] = []
    averages: list[tuple[float, float]] = []  # (fast, slow) after each completed minute
    end, mid = 0, 0
    for seen in observations:
        crossed = 0
        if seen.ts >= end:
            if end:
                closes.append(mid)
                before = averages[-1] if averages else (closes[0], closes[0])
                steps = zip(before, (fast_bars, slow_bars), strict=True)
                averages.append(tuple(e + 2 / (n + 1) * (mid - e) for e, n in steps))  # type: ignore[arg-type]
                sides = [1 if fast > slow else -1 for fast, slow in averages if fast != slow]
                moved = averages[-1][0] != averages[-1][1]
                if moved and len(sides) > 1 and sides[-1] != sides[-2] and len(closes) >= slow_bars:
                    crossed = sides[-1]
            end = (seen.ts // MINUTE + 1) * MINUTE
        mid = seen.bid + seen.ask
        if crossed == 0 or (wanted and seen.ts - wanted[-1].ts_event < s.cooldown_ns):
            continue
        stop = s.cross_stop_ppm * (mid / 2) / 1e6
        wanted.append(
            Wanted(
                ts_event=seen.ts,
                event_no=seen.event_no,
                engine=Engine.STRUCTURE,
                reason=IntentReason.EMA_CROSS,
                side=crossed,
                size=lots(s.order_notional, tick_value_nanos, mid / 2),
                order_type=OrderType.MARKET,
                limit_price=0,
                stop_distance=whole_ticks(stop),
                target_distance=whole_ticks(s.reward_risk * stop),
                max_hold_ns=s.max_hold_ns,
                time_to_live_ns=0,
                confidence=0.5,
            )
        )
    return wanted


def structure_intent(
    seen: Observation,
    side: int,
    high: int,
    low: int,
    average_bar: float,
    confidence: float,
    s: StructureSettings,
    tick_value_nanos: int,
) -> Wanted:
    mid_doubled = seen.bid + seen.ask
    edge = high if side > 0 else low
    limit = side * (mid_doubled - edge) > s.chase_bars * average_bar
    if not limit:
        entry = seen.ask if side > 0 else seen.bid
    elif side > 0:
        entry = math.floor(edge / 2)
    else:
        entry = math.ceil(edge / 2)
    to_middle = side * (entry - (high + low) / 4)
    stop = min(max(to_middle, s.stop_bars_min * average_bar / 2), s.stop_bars_max * average_bar / 2)
    stop = max(stop, s.stop_spreads_min * (seen.ask - seen.bid))
    return Wanted(
        ts_event=seen.ts,
        event_no=seen.event_no,
        engine=Engine.STRUCTURE,
        reason=IntentReason.BREAKOUT,
        side=side,
        size=lots(s.order_notional, tick_value_nanos, mid_doubled / 2),
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        limit_price=entry if limit else 0,
        stop_distance=whole_ticks(stop),
        target_distance=whole_ticks(s.reward_risk * stop),
        max_hold_ns=s.max_hold_ns,
        time_to_live_ns=s.time_to_live_ns if limit else 0,
        confidence=confidence,
    )
