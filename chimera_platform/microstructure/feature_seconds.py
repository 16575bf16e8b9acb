"""One-second samples of mid, spread and signed volume: volatility, returns, spread statistics and Kyle's lambda.

The sample of second g is the last value before g·1 s UTC (the close of the second that ends there), carried over
seconds without events. An event that opens a new second only notes what the samples before it were; the arithmetic
is done when features are asked for. Its result does not depend on how often they are: each entry is taken in once,
in order, into running totals (integers, or pairs of floats that carry the rounding error along), and a window is the
difference of two totals. The sixty squared returns of ``realised_vol_60s`` are summed as the running block of sixty
plus the matching suffix of the block before it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.kernels import record_kernel

SECOND_NS = 1_000_000_000
VOLATILITY_SAMPLES = 60  # returns in the realised volatility, one block
RETURN_SAMPLES = 10  # seconds of the return of the mid
SPREAD_SAMPLES = 300  # samples in the spread's mean and standard deviation
SPREAD_SAMPLES_MIN = 60  # fewer than these: undefined
SPREAD_TICKS_MAX = 10_000_000  # a wider spread (stub quotes) is sampled as this; keeps the sums within 64 bits
SHORT_SECONDS, LONG_SECONDS = 10, 600
REGRESSION_SECONDS, REGRESSION_MINIMUM = 300, 60
CAPACITY = 1024  # entries, a power of two: the longest window and what has not been taken in yet
PENDING_MAX = 256  # entries not taken in
_MASK = CAPACITY - 1
_NEVER = -(2**62)

SECOND_ENTRY_DTYPE = np.dtype(
    [
        ("second", "<i8"),  # seconds since 1970 of the first sample with these values
        ("number", "<i8"),  # its number in the order of samples
        ("mid", "<i8"),  # half ticks
        ("spread", "<i8"),  # ticks
        ("signed_volume", "<i8"),  # lots, bought - sold since the beginning, up to this second's end
    ]
)
SECOND_TOTAL_DTYPE = np.dtype(
    [
        ("squares", "<f8", (2,)),  # totals up to and with this entry, as high and low part: squared returns
        ("pairs", "<f8", (2,)),  # products of neighbouring absolute returns
        ("xx", "<f8", (2,)),  # squared signed volume, lots²
        ("xy", "<f8", (2,)),  # signed volume times change of the mid, lots × half ticks
        ("spread", "<i8"),  # of the samples before this entry: ticks
        ("spread_square", "<i8"),  # ticks²
    ]
)
SECONDS_DTYPE = np.dtype(
    [
        ("second", "<i8"),  # seconds since 1970 of the last event; samples up to here are noted
        ("has_mid", "<i8"),  # 1 once a mid has been seen
        ("first_second", "<i8"),  # the second of the first mid
        ("samples", "<i8"),  # counter (a pause counts at most SPREAD_SAMPLES + 1)
        ("head", "<i8"),  # entries ever written
        ("taken", "<i8"),  # entries taken into the totals
        ("evaluated", "<i8"),  # the second that the results below belong to
        ("last_return", "<f8"),  # absolute log return of the last entry taken in
        ("not_positive", "<i8"),  # number of the last sample with a mid that is not positive
        ("block", "<i8"),  # number of the block of sixty returns under way
        ("block_sum", "<f8"),
        ("squares", "<f8", (VOLATILITY_SAMPLES,)),  # squared log returns of the block
        ("suffixes", "<f8", (VOLATILITY_SAMPLES + 1,)),  # sums of the block before from each slot to its end
        ("tails", "<i8", (4,)),  # first entry within 10, 59, 300 and 600 s when last looked up
        ("vol", "<f8", (3,)),  # results: realised volatility over 10, 60 and 600 s
        ("mid_return", "<f8"),
        ("spread_mean", "<f8"),  # ticks
        ("spread_deviation", "<f8"),  # ticks
        ("bipower", "<f8"),
        ("slope", "<f8"),  # half ticks per lot
    ]
)


def clear_seconds(seconds: np.ndarray[Any, Any]) -> None:
    """Set fresh states, dtype :data:`SECONDS_DTYPE`."""
    for name in ("vol", "mid_return", "spread_mean", "spread_deviation", "bipower", "slope"):
        seconds[name] = np.nan
    seconds["not_positive"] = _NEVER


# ---- at an event ------------------------------------------------------------------------------------------------


@record_kernel
def open_second(seconds: Any, windows: Any, second: int, mid: int, spread: int, signed_volume: int) -> None:
    """Note the samples of the seconds that ended up to ``second``: the values before the event that opens it."""
    if seconds.has_mid:
        entry = windows.seconds[seconds.head & _MASK]
        entry.second = seconds.second + 1
        entry.number = seconds.samples
        entry.mid = mid
        entry.spread = spread
        entry.signed_volume = signed_volume
        seconds.head += 1
        # After a pause longer than every such window each further sample would change nothing.
        seconds.samples += min(second - seconds.second, SPREAD_SAMPLES + 1)
        if seconds.head - seconds.taken >= PENDING_MAX:
            take_entries(seconds, windows)
    seconds.second = second


# ---- when asked for ---------------------------------------------------------------------------------------------


@record_kernel
def _log_return(now: int, before: int) -> Any:
    """Return log(now / before), NaN unless both are positive."""
    if now == before and now > 0:
        return 0.0
    if now <= 0 or before <= 0:
        return np.nan
    return math.log(now / before)


@record_kernel
def _add(total: Any, before: Any, term: float) -> None:
    """Set ``total`` to ``before`` + ``term``, both as (high, low): Knuth's two-sum."""
    high = before[0] + term
    part = high - before[0]
    low = before[1] + ((before[0] - (high - part)) + (term - part))
    total[0] = high + low
    total[1] = low - (total[0] - high)


@record_kernel
def _difference(total: Any, before: Any) -> Any:
    """Return the difference of two totals, not below zero for totals of squares."""
    return (total[0] - before[0]) + (total[1] - before[1])


@record_kernel
def _enter_block(seconds: Any, block: int) -> None:
    """Begin a block of sixty returns; only the one just before leaves suffixes."""
    total = 0.0
    for k in range(VOLATILITY_SAMPLES - 1, -1, -1):
        if block == seconds.block + 1:
            total += seconds.squares[k]
        seconds.suffixes[k] = total
        seconds.squares[k] = 0.0
    seconds.block = block
    seconds.block_sum = 0.0


@record_kernel
def _take_square(seconds: Any, number: int, squared: float) -> None:
    """Put the squared return ``number`` (from 0) into its block."""
    block = number // VOLATILITY_SAMPLES
    if block != seconds.block:
        _enter_block(seconds, block)
    seconds.squares[number - block * VOLATILITY_SAMPLES] = squared
    seconds.block_sum += squared


@record_kernel
def _take_entry(seconds: Any, entry: Any, before: Any, total: Any, total_before: Any) -> None:
    """Take one entry and the samples that the entry before it stood for into the totals."""
    change = entry.mid - before.mid
    volume = entry.signed_volume - before.signed_volume
    size = 0.0
    if change != 0 and entry.mid > 0 and before.mid > 0:
        size = abs(math.log1p(change / before.mid))
        step = _log_return(entry.mid, before.mid)
        _take_square(seconds, entry.number - 1, step * step)
    pair = size * seconds.last_return if entry.second == before.second + 1 else 0.0
    seconds.last_return = size
    _add(total.squares, total_before.squares, size * size)
    _add(total.pairs, total_before.pairs, pair)
    _add(total.xx, total_before.xx, float(volume) * float(volume))
    _add(total.xy, total_before.xy, float(volume) * float(change))
    spread, run = min(max(before.spread, -SPREAD_TICKS_MAX), SPREAD_TICKS_MAX), entry.second - before.second
    total.spread = total_before.spread + spread * run
    total.spread_square = total_before.spread_square + spread * spread * run
    if before.mid <= 0:
        seconds.not_positive = entry.number - 1


@record_kernel
def take_entries(seconds: Any, windows: Any) -> None:
    """Take in all entries that have not been."""
    for j in range(max(seconds.taken, 1), seconds.head):
        i, h = j & _MASK, (j - 1) & _MASK
        _take_entry(
            seconds, windows.seconds[i], windows.seconds[h], windows.second_totals[i], windows.second_totals[h]
        )  # fmt: skip
    seconds.taken = seconds.head


@record_kernel
def _entry_at(seconds: Any, windows: Any, k: int, length: int) -> Any:
    """Return the index of the last entry that lies before the window of ``length`` seconds, or of the first one."""
    bound = seconds.second - length
    tail = max(seconds.tails[k], seconds.head - length - 1)
    while tail < seconds.head and windows.seconds[tail & _MASK].second <= bound:
        tail += 1
    seconds.tails[k] = tail
    return max(tail - 1, 0) & _MASK


@record_kernel
def _evaluate_spread(seconds: Any, windows: Any, last: int, from_: int) -> None:
    """Compute mean and (population) standard deviation of the last 300 spreads.

    In integers to the last step, so that a constant spread has exactly no deviation.
    """
    count = min(seconds.samples, SPREAD_SAMPLES)
    if count < SPREAD_SAMPLES_MIN:
        return
    newest, oldest = windows.seconds[last], windows.seconds[from_]
    spread = min(max(newest.spread, -SPREAD_TICKS_MAX), SPREAD_TICKS_MAX)
    run = seconds.second - newest.second + 1
    total = windows.second_totals[last].spread + spread * run - windows.second_totals[from_].spread
    square = windows.second_totals[last].spread_square + spread * spread * run
    square -= windows.second_totals[from_].spread_square
    if seconds.samples > SPREAD_SAMPLES:
        spread = min(max(oldest.spread, -SPREAD_TICKS_MAX), SPREAD_TICKS_MAX)
        run = seconds.second - SPREAD_SAMPLES - oldest.second + 1
        total -= spread * run
        square -= spread * spread * run
    seconds.spread_mean = total / count
    seconds.spread_deviation = math.sqrt(float(count * square - total * total)) / count


@record_kernel
def _evaluate_volatility(seconds: Any, windows: Any, last: int, returns: int) -> None:
    """Compute what is made of the returns of the mid."""
    newest = windows.second_totals[last]
    short, pair = _entry_at(seconds, windows, 0, SHORT_SECONDS), _entry_at(seconds, windows, 1, VOLATILITY_SAMPLES - 1)
    long = _entry_at(seconds, windows, 3, LONG_SECONDS)
    if returns >= SHORT_SECONDS:
        squares = _difference(newest.squares, windows.second_totals[short].squares)
        seconds.vol[0] = math.sqrt(max(squares, 0.0))
        seconds.mid_return = _log_return(windows.seconds[last].mid, windows.seconds[short].mid)
    if returns >= LONG_SECONDS:
        seconds.vol[2] = math.sqrt(max(_difference(newest.squares, windows.second_totals[long].squares), 0.0))
    if returns >= VOLATILITY_SAMPLES:
        pairs = _difference(newest.pairs, windows.second_totals[pair].pairs)
        seconds.bipower = 0.5 * math.pi * max(pairs, 0.0)
        number = seconds.samples - 2
        block = number // VOLATILITY_SAMPLES
        if block != seconds.block:
            _enter_block(seconds, block)
        older = seconds.suffixes[number - block * VOLATILITY_SAMPLES + 1]
        seconds.vol[1] = math.sqrt(seconds.block_sum + older)
        if seconds.not_positive >= number - VOLATILITY_SAMPLES + 1 or windows.seconds[last].mid <= 0:
            seconds.vol[1] = np.nan


@record_kernel
def _evaluate_slope(seconds: Any, windows: Any, last: int, from_: int, returns: int) -> None:
    """Regress the mid's change on signed volume (Kyle 1985), with intercept."""
    n = float(min(returns, REGRESSION_SECONDS))
    newest, oldest = windows.second_totals[last], windows.second_totals[from_]
    x = float(windows.seconds[last].signed_volume - windows.seconds[from_].signed_volume)
    y = float(windows.seconds[last].mid - windows.seconds[from_].mid)
    variation = n * _difference(newest.xx, oldest.xx) - x * x
    seconds.slope = np.nan
    if returns >= REGRESSION_MINIMUM and variation > 0.0:
        seconds.slope = (n * _difference(newest.xy, oldest.xy) - x * y) / variation


@record_kernel
def evaluate_seconds(seconds: Any, windows: Any) -> None:
    """Bring the results up to the second of the last event."""
    if seconds.head == 0 or seconds.evaluated == seconds.second:
        return
    take_entries(seconds, windows)
    last = (seconds.head - 1) & _MASK
    returns = seconds.second - seconds.first_second - 1
    wide = _entry_at(seconds, windows, 2, SPREAD_SAMPLES)
    _evaluate_spread(seconds, windows, last, wide)
    _evaluate_volatility(seconds, windows, last, returns)
    _evaluate_slope(seconds, windows, last, wide, returns)
    seconds.evaluated = seconds.second
