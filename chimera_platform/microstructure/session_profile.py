"""The decision path's volume by price: the session under way, the one before, and the nodes that are no noise.

A session begins at 00:00 UTC. Prints are counted in bins of 2^n ticks, n as small as the session's range allows:
when a print lies beyond the span, neighbouring bins are joined. A print that would need bins of more than four times
the width is taken for an error and counted in ``outside``, until such prints outweigh the profile, which then begins
anew where they are.

Levels are measured again at most once in ``levels_seconds`` and once the volume has grown by a share; nodes when a
session ends, and at most once an hour and in ``nodes_prints`` prints. So an event costs one comparison, and the rest
is rare.

Nodes are those of :mod:`chimera_platform.microstructure.volume_profile_nodes`, searched in at most 128 bins. The
profile counts as worth (sum of v)² / sum of v² independent draws (Kish 1965), v the lots of a *visit*: the prints
until the price is more than one part in ``visits_a_range`` of the session's range away from where the visit began.
How fine that is decides what a node means. With 128 parts it says that the session's volume has more than one mode,
as a random walk's has on 19 days out of 20; with 16 parts even random walks have nodes on less than one day in 20,
and few markets have any.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.kernels import kernel
from chimera_platform.market.events import EventKind
from chimera_platform.microstructure.volume_profile import (
    DAY_NS,
    HISTOGRAM_DTYPE,
    LEVELS_DTYPE,
    PROFILE_BINS,
    add_volume,
    clear_histogram,
    find_levels,
)
from chimera_platform.microstructure.volume_profile_bootstrap import random_key, significant_pairs
from chimera_platform.settings import Settings

NODES_MAX = 16
NODES_A_SESSION = NODES_MAX // 2
SEARCH_BINS = 128
DOUBLINGS_AT_ONCE = 2
BIN_POWER_MAX = 40
_HOUR_NS = DAY_NS // 24
_MASK = PROFILE_BINS - 1
_EXECUTE, _TRADE = int(EventKind.EXECUTE), int(EventKind.TRADE)


class SessionProfileSettings(Settings):
    """How the session's profile is binned, and how often and how strictly it is searched for nodes."""

    finest_bin: int = Field(0, ge=0, le=20, description="smallest bin, as power of two of the tick")
    value_area_permille: int = Field(700, ge=1, le=1000, description="share of volume in the value area, per mille")
    levels_growth_permille: int = Field(
        100, ge=1, le=10_000, description="levels are measured again when volume grew by this share, per mille"
    )
    levels_seconds: int = Field(300, ge=1, le=3_600, description="and not before this, seconds")
    nodes_prints: int = Field(
        10_000, ge=1, le=1_000_000, description="nodes are searched again after so many prints, which bounds the cost"
    )
    nodes_bandwidth: float = Field(2.0, ge=0.5, le=4.0, description="Gaussian smoothing, search bins")
    nodes_level: float = Field(0.05, ge=0.02, le=0.5, description="false discovery rate of nodes")
    nodes_draws: int = Field(99, ge=49, le=199, description="bootstrap profiles")
    visits_a_range: int = Field(
        128, ge=4, le=512, description="a visit ends once the price is this part of the session's range away"
    )
    seed: int = Field(7, ge=0, le=2**62, description="of the bootstrap")


SESSION_PROFILE_DTYPE = np.dtype(
    [
        ("session", HISTOGRAM_DTYPE),  # since 00:00 UTC; bins of 2^bin_power ticks
        ("developing", LEVELS_DTYPE),  # of the session under way as last measured, ticks and lots; volume 0: not yet
        ("finished", LEVELS_DTYPE),  # of the last session with prints, ticks and lots; volume 0: none yet
        ("node_count", "<i8"),  # those of the finished session first, then the developing one's; by price in each
        ("node_high", "<i8", (NODES_MAX,)),  # ticks: high-volume node
        ("node_low", "<i8", (NODES_MAX,)),  # ticks: low-volume node that parts it from higher ground
        ("node_strength", "<f8", (NODES_MAX,)),  # standard errors of a root count, about
        ("node_finished", "<i8"),  # how many of them are the finished session's
        ("next_ts", "<i8"),  # ns UTC: before this there is nothing to do but count prints
        ("day", "<i8"),  # UTC days since 1970, of the session under way
        ("bin_power", "<i8"),  # a bin is 2^bin_power ticks
        ("outside", "<i8"),  # lots of this session that are in no bin
        ("strays", "<i8"),  # those of them that came since the profile began
        ("searched_hour", "<i8"),  # hours since 1970 of the last search for nodes
        ("prints", "<i8"),  # since then, of this session
        ("visit_bin", "<i8"),  # where the visit under way began
        ("visit_lots", "<i8"),
        ("visit_squares", "<f8"),  # lots²: sum over the visits before
    ]
)


@kernel
def update_session_profile(params: Any, state: Any, event: Any) -> None:
    """Take in one record.

    Parameters
    ----------
    params : record of :class:`SessionProfileSettings`.
    state : record of :data:`SESSION_PROFILE_DTYPE`, zeros at first; changed in place.
    event : record of ``EVENT_DTYPE``; prints (TRADE, EXECUTE) add volume. A time that runs back counts into the
        session under way.
    """
    if event.ts_event >= state.next_ts:
        _refresh(params, state, event.ts_event)
    if (event.kind == _EXECUTE or event.kind == _TRADE) and event.size > 0:
        _add_print(params, state, event.price, event.size)


@kernel
def _add_print(params: Any, state: Any, price: int, size: int) -> None:
    session = state.session
    if session.volume == 0 and state.bin_power < params.finest_bin:
        state.bin_power = params.finest_bin
    price_bin = price >> state.bin_power
    if not add_volume(session, price_bin, size):
        doublings = _doublings(session, price_bin)
        if doublings > DOUBLINGS_AT_ONCE or state.bin_power + doublings > BIN_POWER_MAX:
            if state.strays + size <= session.volume:
                state.strays += size
                state.outside += size
                return
            state.outside += session.volume
            _begin_session(params, state)
            price_bin = price >> state.bin_power
        else:
            for _ in range(doublings):
                _join_bins(state)
            price_bin >>= doublings
        add_volume(session, price_bin, size)
    if params.visits_a_range * abs(price_bin - state.visit_bin) > session.high - session.low:
        state.visit_squares += float(state.visit_lots) * float(state.visit_lots)
        state.visit_bin = price_bin
        state.visit_lots = 0
    state.visit_lots += size
    state.prints += 1


@kernel
def _doublings(session: Any, price_bin: int) -> int:
    """Return how often bins must be doubled until the session and this bin fit."""
    low, high, doublings = min(session.low, price_bin), max(session.high, price_bin), 0
    while high - low >= PROFILE_BINS:
        low >>= 1
        high >>= 1
        doublings += 1
    return doublings


@kernel
def _join_bins(state: Any) -> None:
    """Double the width of the session's bins."""
    session = state.session
    low, high = session.low >> 1, session.high >> 1
    joined = np.zeros(high - low + 1, np.int64)
    for price_bin in range(session.low, session.high + 1):
        joined[(price_bin >> 1) - low] += session.lots[price_bin & _MASK]
        session.lots[price_bin & _MASK] = 0
    for k in range(high - low + 1):
        session.lots[(low + k) & _MASK] = joined[k]
    session.low = low
    session.high = high
    state.bin_power += 1
    state.visit_bin >>= 1


@kernel
def _begin_session(params: Any, state: Any) -> None:
    """Empty the profile; its bins may become finer again by one step."""
    session = state.session
    is_narrow = session.volume == 0 or 4 * (session.high - session.low) < PROFILE_BINS
    if is_narrow and state.bin_power > params.finest_bin:
        state.bin_power -= 1
    clear_histogram(session)
    state.developing.volume = 0
    state.node_count = state.node_finished
    state.prints = 0
    state.strays = 0
    state.visit_lots = 0
    state.visit_squares = 0.0


@kernel
def _has_grown(volume: int, before: int, permille: int) -> bool:
    return volume > before and float(volume) >= float(before) * (1.0 + 0.001 * permille)


@kernel
def _refresh(params: Any, state: Any, ts_event: int) -> None:
    """Finish the session at 00:00 UTC; measure levels and search nodes where that is due."""
    day, hour = ts_event // DAY_NS, ts_event // _HOUR_NS
    session = state.session
    if day != state.day:
        if session.volume > 0:
            _measure_levels(params, state, state.finished)
            state.node_finished = 0
            state.node_finished = _search_nodes(params, state, 24 * (state.day + 1) - 1, 0)
        _begin_session(params, state)
        state.outside = 0
        state.day = day
    if _has_grown(session.volume, state.developing.volume, params.levels_growth_permille):
        _measure_levels(params, state, state.developing)
    if hour != state.searched_hour:
        if state.prints >= params.nodes_prints:
            found = _search_nodes(params, state, hour, state.node_finished)
            state.node_count = state.node_finished + found
            state.prints = 0
        state.searched_hour = hour
    step = params.levels_seconds * 1_000_000_000
    state.next_ts = min((ts_event // step + 1) * step, (day + 1) * DAY_NS)


@kernel
def _measure_levels(params: Any, state: Any, levels: Any) -> None:
    """Write POC (middle of its bin) and value area of the session, in ticks."""
    find_levels(state.session, params.value_area_permille, levels)
    power = state.bin_power
    levels.poc = (levels.poc << power) + ((1 << power) >> 1)
    levels.value_low <<= power
    levels.value_high = ((levels.value_high + 1) << power) - 1


@kernel
def _search_nodes(params: Any, state: Any, hour: int, first: int) -> int:
    """Write the session's strongest significant nodes from slot ``first`` on, by price; return how many."""
    session, power = state.session, state.bin_power
    span = session.high - session.low + 1
    joined = (span + SEARCH_BINS - 1) // SEARCH_BINS
    n = (span + joined - 1) // joined
    if n < 3:
        return 0
    lots = np.zeros(n)
    for k in range(span):
        lots[k // joined] += session.lots[(session.low + k) & _MASK]
    visit, volume = float(state.visit_lots), float(session.volume)
    effective = volume * volume / (state.visit_squares + visit * visit)
    bins, figures = np.empty((n, 2), np.int64), np.empty((n, 2))
    key = random_key(params.seed, hour)
    found = significant_pairs(
        lots, effective, params.nodes_bandwidth, params.nodes_level, params.nodes_draws, key, bins, figures
    )
    middle = (joined << power) >> 1
    kept = 0
    for k in range(found):
        stronger = 0
        for other in range(found):
            stronger += int(figures[other, 0] > figures[k, 0])
        if stronger < NODES_A_SESSION and kept < NODES_A_SESSION:
            state.node_high[first + kept] = ((session.low + bins[k, 0] * joined) << power) + middle
            state.node_low[first + kept] = ((session.low + bins[k, 1] * joined) << power) + middle
            state.node_strength[first + kept] = figures[k, 0]
            kept += 1
    return kept
