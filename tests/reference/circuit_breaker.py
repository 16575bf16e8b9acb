"""The circuit breaker as its definition reads: exact fractions, every equity kept, nothing computed beforehand."""

from __future__ import annotations

from fractions import Fraction

from chimera_platform.risk.circuit_breaker import DAY_NS, BreakerState, CircuitBreakerSettings


def _parts(fraction: float) -> Fraction:
    """Return ``fraction`` in whole billionths, as limits are counted."""
    return Fraction(round(fraction * 1_000_000_000), 1_000_000_000)


class NaiveBreaker:
    """Follows one account from ``equity`` on."""

    def __init__(self, settings: CircuitBreakerSettings, equity: int) -> None:
        self.settings = settings
        self.day: int | None = None
        self.reset(equity)

    def reset(self, equity: int) -> None:
        """Forget all losses, as a person does by hand."""
        self.state = BreakerState.NORMAL
        self.peak = self.day_start = self.last = equity

    def see(self, equity: int, ts: int) -> None:
        """Take in the equity at a time."""
        day = (ts - self.settings.day_start_ns) // DAY_NS
        if self.day is not None and day > self.day:
            self.day_start = self.last
        self.day = day if self.day is None else max(day, self.day)
        self.last = equity
        if not self.settings.enabled or self.state is BreakerState.TRIGGERED:
            return
        self.peak = max(self.peak, equity)
        self.state = self._state_at(equity)

    def _state_at(self, equity: int) -> BreakerState:
        s = self.settings
        of_day = s.daily_loss_limit * s.daily_warning_fraction
        if equity <= 0 or self._has_lost(equity, s.max_drawdown, s.daily_loss_limit):
            return BreakerState.TRIGGERED
        if self._has_lost(equity, s.warning_drawdown, of_day):
            return BreakerState.WARNING
        recovered = not self._has_lost(equity, s.warning_drawdown * s.recover_fraction, of_day * s.recover_fraction)
        return BreakerState.NORMAL if recovered else self.state

    def _has_lost(self, equity: int, drawdown: float, of_day: float) -> bool:
        from_peak = Fraction(self.peak - equity) >= _parts(drawdown) * self.peak
        return from_peak or Fraction(self.day_start - equity) >= _parts(of_day) * self.day_start
