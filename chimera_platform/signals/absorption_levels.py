"""The traded levels among which absorption is looked for, and the rolling norms that their volume is held against.

The move that V lots are expected to make follows the square-root law of impact, c · sqrt(V / mean trade) (Almgren et
al. 2005; Tóth et al. 2011), with c from the observed moves: the root mean square of the mid's moves from trade to
trade, weights falling geometrically into the past. Means of V and of squared moves share their weights, so that the
square of the expected move is V · Σ move² / Σ lots.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.book import best_ask, best_bid

LEVELS_MAX = 8

TRADED_LEVEL_DTYPE = np.dtype(
    [
        ("price", "<i8"),  # ticks
        ("side", "<i8"),  # resting side, 0: slot is free
        ("start_ts", "<i8"),  # ns UTC: first trade
        ("last_ts", "<i8"),  # ns UTC: last trade
        ("lots", "<i8"),
        ("attempts", "<i8"),  # times at which it was traded into
        ("start_into", "<i8"),  # lots traded into its side, at any price, before the first trade
        ("start_lots", "<i8"),  # lots traded in all before it
        ("start_mid2", "<i8"),  # half ticks: mid before the first trade
        ("stage", "<i8"),  # Stage, 0: unannounced
        ("number", "<i8"),  # detection_no
        ("confirmed_ts", "<i8"),  # ns UTC
        ("strength", "<f8"),  # as last said
    ]
)
NORMS_DTYPE = np.dtype(
    [
        ("trades", "<i8"),  # counter
        ("weight", "<f8"),  # decayed trades
        ("lots", "<f8"),  # decayed lots
        ("into_bids", "<i8"),  # counter: lots
        ("into_asks", "<i8"),  # counter: lots
        ("squares", "<f8"),  # decayed half ticks²: squared moves of the mid from trade to trade
        ("mid2", "<i8"),  # half ticks: mid at the last LAST of a tradable book, 0: none yet
        ("traded_mid2", "<i8"),  # the same, before the last trade
    ]
)


@kernel
def count_lots(norms: Any, norm_trades: float, lots: int, side: int) -> None:
    """Take a trade into the resting ``side`` into the norms."""
    keep = 1.0 - 1.0 / norm_trades
    moved = float(norms.mid2 - norms.traded_mid2) if norms.traded_mid2 != 0 else 0.0
    norms.weight = keep * norms.weight + 1.0
    norms.lots = keep * norms.lots + lots
    norms.squares = keep * norms.squares + moved * moved
    if side > 0:
        norms.into_bids += lots
    else:
        norms.into_asks += lots
    norms.traded_mid2 = norms.mid2
    norms.trades += 1


@kernel
def displacement(level: Any, norms: Any) -> Any:
    """Return the mid's adverse move since the level's first trade, half ticks."""
    return max(0, level.side * (level.start_mid2 - norms.mid2))


@kernel
def expected_square(lots: int, norms: Any) -> Any:
    """Return the square of the move that is expected of ``lots``, half ticks²: c² · lots / (mean trade)."""
    return lots * norms.squares / norms.lots


@kernel
def is_broken(level: Any, book: Any) -> Any:
    """Return whether the touch of the level's side is worse than its price."""
    touch = best_bid(book) if level.side > 0 else best_ask(book)
    return level.side * (touch - level.price) < 0


@kernel
def take_level(state: Any, price: int, side: int) -> Any:
    """Return the slot of a level, else a free or replaceable one, cleared; -1 where all are announced."""
    chosen = -1
    for k in range(LEVELS_MAX):
        level = state.level[k]
        if level.side == side and level.price == price:
            return k
        if chosen >= 0 and state.level[chosen].side == 0:
            continue
        oldest = chosen < 0 or level.last_ts < state.level[chosen].last_ts
        if level.side == 0 or (level.stage == 0 and oldest):
            chosen = k
    if chosen >= 0:
        level = state.level[chosen]
        if level.side == 0:
            state.active += 1
        level.side = side
        level.price = price
        level.lots = 0
        level.stage = 0
    return chosen


@kernel
def count_trade(level: Any, norms: Any, event: Any, window: int) -> None:
    """Count a trade at the level, whose lots start anew after ``window`` ns while nothing was said about it.

    ``norms`` have counted it already.
    """
    if level.lots == 0 or (level.stage == 0 and event.ts_event - level.start_ts > window):
        level.start_ts = event.ts_event
        level.start_mid2 = norms.mid2
        level.lots = 0
        level.attempts = 1
        level.start_into = (norms.into_bids if level.side > 0 else norms.into_asks) - event.size
        level.start_lots = norms.into_bids + norms.into_asks - event.size
    elif event.ts_event != level.last_ts:
        level.attempts += 1
    level.lots += event.size
    level.last_ts = event.ts_event


@kernel
def flow_share(level: Any, norms: Any) -> Any:
    """Return the share of all lots since the level's first trade that were traded into its side, at any price."""
    into = (norms.into_bids if level.side > 0 else norms.into_asks) - level.start_into
    return float(into) / float(norms.into_bids + norms.into_asks - level.start_lots)


@kernel
def last_seen(level: Any) -> Any:
    """Return when a confirmed level was last traded at, at least its confirmation, ns UTC."""
    return max(level.confirmed_ts, level.last_ts)


@kernel
def free(state: Any, level: Any) -> None:
    """Follow a level no more."""
    level.side = 0
    level.stage = 0
    level.lots = 0
    state.active -= 1
