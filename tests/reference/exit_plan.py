"""Exit plans by definition: exact fractions, and the whole history looked at anew at each price."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from chimera_platform.execution.exit_settings import ExitSettings, TargetSource
from chimera_platform.execution.records import OrderReason as R

MINUTE_NS = 60_000_000_000


def exactly(setting: float) -> Fraction:
    return Fraction(round(setting * 10**6), 10**6)


def whole(ticks: Fraction | float) -> int:
    return max(1, math.ceil(ticks))


@dataclass
class NaivePlan:
    """What is to be done with one position of ``side``, told of every fill and every price."""

    settings: ExitSettings
    side: int
    stop: int  # ticks, as the intent has it
    target: int
    predicted_move: float
    minute_volatility: float
    max_hold_ns: int
    price: int
    cost: int
    entered: int = 0  # lots
    started: int | None = None
    held: int = 0
    average: Fraction = Fraction(0)
    history: list[tuple[int, Fraction]] = field(default_factory=list)  # prices, with the average then

    def __post_init__(self) -> None:
        settings = self.settings
        if settings.max_hold_ns:
            self.max_hold_ns = min(self.max_hold_ns, settings.max_hold_ns)
        if not math.isnan(self.minute_volatility):
            horizon = settings.volatility_horizon_ns or self.max_hold_ns
            volatility = self.minute_volatility * math.sqrt(horizon / MINUTE_NS)
            if settings.stop_volatility_floor:
                self.stop = max(self.stop, whole(settings.stop_volatility_floor * volatility))
            if settings.stop_volatility_cap:
                self.stop = min(self.stop, whole(settings.stop_volatility_cap * volatility))
        if settings.max_stop_fraction:
            self.stop = max(1, min(self.stop, math.floor(exactly(settings.max_stop_fraction) * self.price)))
        if settings.target_source is TargetSource.RATIO and settings.take_profit_ratio:
            self.target = whole(exactly(settings.take_profit_ratio) * self.stop)
        if settings.target_source is TargetSource.MODEL and not math.isnan(self.predicted_move):
            least, most = exactly(settings.model_target_min) * self.stop, exactly(settings.model_target_max) * self.stop
            self.target = whole(sorted((least, Fraction(self.predicted_move), most))[1])

    def fill(self, lots: int, ts: int) -> None:
        if self.held == 0:
            self.started = ts
        self.entered += lots

    def hold(self, held: int, cost_ticks: int) -> None:
        """``held``: lots, unsigned; ``cost_ticks``: their signed entry cost."""
        self.held = held
        self.average = Fraction(cost_ticks, self.side * held) if held else Fraction(0)

    def stops(self) -> list[tuple[int, R]]:
        """Return every stop that the prices seen have earned, in the order of time."""
        settings = self.settings
        found: list[tuple[int, R]] = []
        followed: list[int] = []
        for price, average in self.history:
            profit = self.side * (price - average)
            if settings.break_even_after:
                least = max(whole(exactly(settings.break_even_after) * self.stop), self.cost + 1)
                if profit >= least:
                    entry = math.ceil(self.side * average) * self.side
                    found.append((entry + self.side * self.cost, R.BREAK_EVEN))
            after = whole(exactly(settings.trail_after) * self.stop) if settings.trail_after else -math.inf
            if settings.trail_distance and (followed or profit >= after):
                followed.append(price)
                best = max(self.side * each for each in followed) * self.side
                stop = best - self.side * whole(exactly(settings.trail_distance) * self.stop)
                if self.side * (stop - average) > -self.stop:
                    found.append((stop, R.TRAILING))
        return found

    def raised(self) -> tuple[int, R] | None:
        """Return the raised stop in force: the most favourable one, of equal ones the first."""
        return max(self.stops(), key=lambda stop: self.side * stop[0], default=None)

    def parts(self) -> list[tuple[int, int]]:
        """Return (distance in ticks, lots that have left by then) of each part."""
        settings, gone, parts = self.settings, Fraction(0), []
        for at, share in (
            (settings.first_partial_at, settings.first_partial_share),
            (settings.second_partial_at, settings.second_partial_share),
        ):
            if share:
                gone += exactly(share)
                parts.append((whole(exactly(at) * self.target), math.floor(gone * self.entered)))
        return parts

    def next(self, price: int, ts: int) -> tuple[int, int]:
        """Return (OrderReason, lots to close) at a closing price, (0, 0) for nothing."""
        assert self.started is not None
        profit, raised = self.side * (price - self.average), self.raised()
        if raised is not None and self.side * (price - raised[0]) <= 0:
            return raised[1], self.held
        if profit <= -self.stop:
            return R.STOP, self.held
        if profit >= self.target:
            return R.TARGET, self.held
        if ts >= self.started + self.max_hold_ns:
            return R.TIME, self.held
        self.history.append((price, self.average))
        gone = max(self.entered - self.held, 0)
        due = max((lots - gone for distance, lots in self.parts() if profit >= distance), default=0)
        return (R.PARTIAL_TARGET, due) if due > 0 else (0, 0)
