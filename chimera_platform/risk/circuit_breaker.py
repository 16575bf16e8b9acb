"""The circuit breaker: Normal, Warning, Triggered, by what the account has lost from its peak and since the day began.

A loss is a fraction of what it is counted from: the *drawdown* of the highest equity since the start or the last
manual reset, the *loss of the day* of the equity with which the trading day began. Warning shrinks sizes and ends
when both losses are below ``recover_fraction`` of the levels at which it began (hysteresis: equity has to cross
another level than before, or a new day has to begin). Triggered ends by a manual reset alone; so it is with equity
that is not positive.

All levels are kept as integer nanos of equity, so a loss of exactly the limit is at the limit, whatever the account's
size, and the question at each revaluation is three compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from chimera_platform.kernels import record_kernel
from chimera_platform.settings import Settings

_BILLION = 1_000_000_000
DAY_NS = 86_400_000_000_000
LOWEST, HIGHEST = -(1 << 62), 1 << 62
NO_DAY = LOWEST
"""The day's number before the first event."""


class BreakerState(IntEnum):
    """How much risk the account's losses leave."""

    NORMAL = 0
    WARNING = 1  # smaller sizes
    TRIGGERED = 2  # everything is cancelled and closed; until a person resets it


NORMAL, WARNING = int(BreakerState.NORMAL), int(BreakerState.WARNING)
TRIGGERED = int(BreakerState.TRIGGERED)


class BreakerChange(IntEnum):
    """What :func:`follow_breaker` has changed, a sum of these."""

    NONE = 0
    STATE = 1
    DAY = 2  # a new trading day


STATE_CHANGED, DAY_CHANGED = int(BreakerChange.STATE), int(BreakerChange.DAY)


class CircuitBreakerSettings(Settings):
    """At which losses sizes shrink, and at which everything is closed until a person resets it."""

    enabled: bool = Field(True, description="whether losses change the breaker's state")
    warning_drawdown: float = Field(
        0.05, gt=0.0, lt=1.0, description="fall below peak equity at which Warning begins, fraction of the peak"
    )
    max_drawdown: float = Field(
        0.15, gt=0.0, le=1.0, description="fall below peak equity that triggers the breaker, fraction of the peak"
    )
    daily_loss_limit: float = Field(
        0.03,
        gt=0.0,
        le=1.0,
        description="loss since the trading day began that triggers the breaker, fraction of equity then",
    )
    daily_warning_fraction: float = Field(
        0.7, gt=0.0, lt=1.0, description="share of daily_loss_limit at which Warning begins"
    )
    recover_fraction: float = Field(
        0.8, gt=0.0, lt=1.0, description="Warning ends when each loss is below this share of the level of its warning"
    )
    warning_multiplier: float = Field(
        0.5, ge=0.0, le=1.0, description="factor on the sizes of entries while the breaker is at Warning"
    )
    day_start_ns: int = Field(
        79_200_000_000_000,
        ge=0,
        lt=DAY_NS,
        description="when a trading day begins, ns after midnight UTC; 22:00 is in the metals' daily break all year",
    )

    @model_validator(mode="after")
    def _warning_comes_first(self) -> CircuitBreakerSettings:
        if self.warning_drawdown >= self.max_drawdown:
            raise ValueError(
                f"warning_drawdown is {self.warning_drawdown}; expected less than max_drawdown ({self.max_drawdown})"
            )
        return self


CIRCUIT_BREAKER_DTYPE = np.dtype(
    [
        ("warning_drawdown_ppb", "<i8"),  # billionths of the peak
        ("trigger_drawdown_ppb", "<i8"),
        ("recover_drawdown_ppb", "<i8"),
        ("warning_daily_ppb", "<i8"),  # billionths of equity at the day's start
        ("trigger_daily_ppb", "<i8"),
        ("recover_daily_ppb", "<i8"),
        ("day_start_ns", "<i8"),  # after midnight UTC
        ("warning_multiplier", "<f8"),
        ("enabled", "u1"),
    ],
    align=True,
)

BREAKER_DTYPE = np.dtype(
    [
        ("peak_nanos", "<i8"),  # highest equity since the start or the last manual reset
        ("day_no", "<i8"),  # trading days since 1970; NO_DAY before the first event
        ("day_end_ts", "<i8"),  # ns UTC, when the next trading day begins
        ("day_start_nanos", "<i8"),  # equity when the day began
        ("equity_nanos", "<i8"),  # as last seen
        ("warn_at_nanos", "<i8"),  # Warning begins where equity is at or below
        ("trigger_at_nanos", "<i8"),  # Triggered where equity is at or below
        ("recover_above_nanos", "<i8"),  # Warning ends where equity is above
        ("look_below_nanos", "<i8"),  # equity at or below, or above the next, may change the state or the peak
        ("look_above_nanos", "<i8"),
        ("state", "u1"),  # BreakerState
    ],
    align=True,
)


def circuit_breaker_record(settings: CircuitBreakerSettings) -> np.ndarray[Any, Any]:
    """Return ``settings`` as CIRCUIT_BREAKER_DTYPE, shape (1,)."""
    record = np.zeros(1, CIRCUIT_BREAKER_DTYPE)
    daily_warning = settings.daily_loss_limit * settings.daily_warning_fraction
    fractions = {
        "warning_drawdown_ppb": settings.warning_drawdown,
        "trigger_drawdown_ppb": settings.max_drawdown,
        "recover_drawdown_ppb": settings.warning_drawdown * settings.recover_fraction,
        "warning_daily_ppb": daily_warning,
        "trigger_daily_ppb": settings.daily_loss_limit,
        "recover_daily_ppb": daily_warning * settings.recover_fraction,
    }
    for name, fraction in fractions.items():
        record[name] = round(fraction * _BILLION)
    record["day_start_ns"] = settings.day_start_ns
    record["warning_multiplier"] = settings.warning_multiplier
    record["enabled"] = settings.enabled
    return record


@record_kernel
def equity_at_loss(base_nanos: int, loss_ppb: int) -> int:
    """Return the highest equity at which at least ``loss_ppb`` billionths of ``base_nanos`` (>= 0) are lost: exact."""
    billions = base_nanos // _BILLION
    rest = (base_nanos - billions * _BILLION) * loss_ppb
    return base_nanos - billions * loss_ppb + (-rest) // _BILLION


@record_kernel
def _set_levels(breaker: Any, settings: Any) -> None:
    """Compute the levels of equity from the peak and the day's start, and what has to be looked at in this state."""
    peak, day_start = max(breaker.peak_nanos, 0), max(breaker.day_start_nanos, 0)
    warn_at = max(
        equity_at_loss(peak, settings.warning_drawdown_ppb), equity_at_loss(day_start, settings.warning_daily_ppb)
    )
    trigger_at = max(
        equity_at_loss(peak, settings.trigger_drawdown_ppb), equity_at_loss(day_start, settings.trigger_daily_ppb)
    )
    breaker.warn_at_nanos = max(warn_at, 0)
    breaker.trigger_at_nanos = max(trigger_at, 0)
    breaker.recover_above_nanos = max(
        equity_at_loss(peak, settings.recover_drawdown_ppb), equity_at_loss(day_start, settings.recover_daily_ppb)
    )
    breaker.look_below_nanos, breaker.look_above_nanos = LOWEST, HIGHEST
    if settings.enabled == 1 and breaker.state == NORMAL:
        breaker.look_below_nanos, breaker.look_above_nanos = breaker.warn_at_nanos, breaker.peak_nanos
    elif settings.enabled == 1 and breaker.state == WARNING:
        breaker.look_below_nanos, breaker.look_above_nanos = breaker.trigger_at_nanos, breaker.recover_above_nanos


@record_kernel
def start_breaker(breaker: Any, settings: Any, equity_nanos: int) -> None:
    """Put ``breaker`` into its state before the first event, with what the account starts with."""
    breaker.day_no = NO_DAY
    breaker.day_end_ts = LOWEST
    reset_breaker(breaker, settings, equity_nanos)


@record_kernel
def reset_breaker(breaker: Any, settings: Any, equity_nanos: int) -> None:
    """Do the manual reset: Normal, with losses counted from ``equity_nanos`` on, those of the day as well."""
    breaker.state = NORMAL
    breaker.peak_nanos = equity_nanos
    breaker.day_start_nanos = equity_nanos
    breaker.equity_nanos = equity_nanos
    _set_levels(breaker, settings)


@record_kernel
def needs_look(breaker: Any, equity_nanos: int, ts: int) -> bool:
    """Return whether :func:`follow_breaker` has anything to do; if not, this equity is taken as the last one seen.

    Parameters
    ----------
    breaker : BREAKER_DTYPE record.
    equity_nanos : the account's equity now.
    ts : ns UTC of the event.
    """
    if equity_nanos <= breaker.look_below_nanos or equity_nanos > breaker.look_above_nanos or ts >= breaker.day_end_ts:
        return True
    breaker.equity_nanos = equity_nanos
    return False


@record_kernel
def _begin_day(breaker: Any, settings: Any, ts: int) -> int:
    """Begin the trading day of ``ts`` with the equity that was last seen before it; return what has changed."""
    day_no = (ts - settings.day_start_ns) // DAY_NS
    is_first = breaker.day_no == NO_DAY
    breaker.day_no = day_no
    breaker.day_end_ts = (day_no + 1) * DAY_NS + settings.day_start_ns
    if is_first:
        return 0
    breaker.day_start_nanos = breaker.equity_nanos
    return DAY_CHANGED


@record_kernel
def _next_state(breaker: Any, equity_nanos: int) -> int:
    """Return the state that follows on Normal or Warning at this equity, the levels being up to date."""
    state = breaker.state
    if equity_nanos <= breaker.trigger_at_nanos:
        return TRIGGERED
    if state == NORMAL:
        return WARNING if equity_nanos <= breaker.warn_at_nanos else NORMAL
    return NORMAL if equity_nanos > breaker.recover_above_nanos else WARNING


@record_kernel
def follow_breaker(breaker: Any, settings: Any, equity_nanos: int, ts: int) -> int:
    """Take in the account's equity at ``ts`` (ns UTC): day, peak, levels and state; return :class:`BreakerChange`.

    A day's loss is counted from the last equity seen before the day, so that a gap over its beginning is the new
    day's. Calling it where :func:`needs_look` says no changes nothing but the last equity seen.
    """
    changed = _begin_day(breaker, settings, ts) if ts >= breaker.day_end_ts else 0
    breaker.equity_nanos = equity_nanos
    is_live = settings.enabled == 1 and breaker.state != TRIGGERED
    if is_live:
        breaker.peak_nanos = max(breaker.peak_nanos, equity_nanos)
    _set_levels(breaker, settings)
    if is_live:
        state = _next_state(breaker, equity_nanos)
        if state != breaker.state:
            breaker.state = state
            _set_levels(breaker, settings)
            changed += STATE_CHANGED
    return changed


@record_kernel
def breaker_multiplier(breaker: Any, settings: Any) -> float:
    """Return the factor on the sizes of entries: 1, ``warning_multiplier`` or 0."""
    if breaker.state == NORMAL:
        return 1.0
    return settings.warning_multiplier if breaker.state == WARNING else 0.0


@record_kernel
def _loss(base_nanos: int, equity_nanos: int) -> float:
    """Return the loss as a fraction of ``base_nanos``, all of it where there was nothing; never negative."""
    if base_nanos <= 0:
        return 1.0
    return max(float(base_nanos - equity_nanos) / float(base_nanos), 0.0)


@record_kernel
def loss_and_limit(breaker: Any, settings: Any, equity_nanos: int) -> Any:
    """Return (loss, limit), fractions: of drawdown and day's loss the one that is nearer to its limit in this state.

    The limit of Normal and Warning is that at which Warning begins, of Triggered that which triggers.
    """
    drawdown_limit, daily_limit = settings.warning_drawdown_ppb / 1e9, settings.warning_daily_ppb / 1e9
    if breaker.state == TRIGGERED:
        drawdown_limit, daily_limit = settings.trigger_drawdown_ppb / 1e9, settings.trigger_daily_ppb / 1e9
    drawdown, of_day = _loss(breaker.peak_nanos, equity_nanos), _loss(breaker.day_start_nanos, equity_nanos)
    if drawdown * daily_limit >= of_day * drawdown_limit:
        return drawdown, drawdown_limit
    return of_day, daily_limit


@dataclass(frozen=True)
class BreakerView:
    """The breaker for people: its state, and the loss that is nearest to its limit, both fractions."""

    state: BreakerState
    equity: float  # of the account's currency
    loss: float
    limit: float

    @property
    def sentence(self) -> str:
        """State and figures in one line."""
        return f"{self.state.name.lower()}: {self.loss:.4%} lost, limit {self.limit:.4%}, equity {self.equity:.2f}"


def breaker_view(breaker: Any, settings: Any) -> BreakerView:
    """Return what BREAKER_DTYPE and CIRCUIT_BREAKER_DTYPE records say."""
    equity = int(breaker["equity_nanos"])
    loss, limit = loss_and_limit(breaker, settings, equity)
    return BreakerView(BreakerState(int(breaker["state"])), equity / 1e9, float(loss), float(limit))
