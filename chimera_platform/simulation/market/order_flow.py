"""What the simulated traders share: where the flow leans, how large orders are, placing and withdrawing one.

Each action of a trader is one source event (a sweep is several). A market order is its EXECUTE records alone, ``side``
being the resting side: there is no TRADE print beside them. No action empties a side or crosses the book.
"""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.market.events import EventKind
from chimera_platform.simulation.market.episodes import EpisodeKind
from chimera_platform.simulation.market.own_book import ASK, BID, NO_ORDER, add_order, remove_order
from chimera_platform.simulation.market.random_numbers import exponential, uniform
from chimera_platform.simulation.market.records import emit

ADD, DELETE = int(EventKind.ADD), int(EventKind.DELETE)

NO_SCENARIO = 0
DROUGHT, ABSORPTION = int(EpisodeKind.DROUGHT), int(EpisodeKind.ABSORPTION)
STACKED_ABSORPTION = int(EpisodeKind.STACKED_ABSORPTION)
LEVELS_MIN = 5  # price levels that every side keeps
REACH = 500  # quote steps behind the touch at which an order is withdrawn
FAR_MAX = 64  # orders withdrawn for that at once, each side


@kernel
def sign_of(side: Any) -> Any:
    """Return +1 for BID, -1 for ASK."""
    return 1 if side == BID else -1


@kernel
def mid_of(book: Any) -> Any:
    """Return the mid in quote steps."""
    return 0.5 * (book.best[BID] + book.best[ASK])


@kernel
def lean_of(parameters: Any, regime: Any, symbol: Any, book: Any) -> Any:
    """Return in [-1, 1] where the flow leans: towards the efficient price, or on nothing, as the regime has it."""
    gap = math.tanh((symbol.efficient - mid_of(book)) / parameters.lean_scale)
    lean = regime.lean * gap + regime.noise * math.tanh(symbol.noise)
    return max(-1.0, min(1.0, lean))


@kernel
def draw_size(parameters: Any, relative: Any, unit: Any, random: Any) -> Any:
    """Return an order's size in lots: exponential in size units, one in twenty five times as large."""
    units = exponential(random, parameters.order_units * relative)
    if uniform(random) < 0.05:
        units *= 5.0
    return unit * (1 + min(int(units), 500))


@kernel
def is_full(parameters: Any, book: Any, side: Any) -> Any:
    """Return whether ``side`` takes no more orders; what keeps the tables within their bounds."""
    return book.live_count[side] >= 4 * parameters.orders_a_side


@kernel
def has_defence(symbol: Any) -> Any:
    """Return whether someone holds a level of the symbol, for now one or one of two."""
    return symbol.scenario == ABSORPTION or symbol.scenario == STACKED_ABSORPTION


@kernel
def is_absorbing(symbol: Any, side: Any, price: Any) -> Any:
    """Return whether the level at ``price`` (quote steps) is the one that absorbs."""
    return has_defence(symbol) and side == symbol.scenario_side and price == symbol.scenario_price


@kernel
def is_held(market: Any, symbol: Any, side: Any, price: Any) -> Any:
    """Return whether the level absorbs and is still refilled: nobody withdraws there, no order takes the whole."""
    return is_absorbing(symbol, side, price) and market.ts < symbol.scenario_until


@kernel
def remaining_share(difficulty: Any) -> Any:
    """Return the share of orders that a drought leaves."""
    return 0.1 if difficulty < 2 else 0.35 if difficulty < 3 else 0.6


@kernel
def stays_away(parameters: Any, symbol: Any, side: Any, random: Any) -> Any:
    """Return whether a new order on ``side`` is not placed because of a drought."""
    if symbol.scenario != DROUGHT or side != symbol.scenario_side:
        return False
    return uniform(random) >= remaining_share(parameters.episode_difficulty)


@kernel
def place_order(
    market: Any, out: Any, book: Any, instrument: Any, profile: Any, side: Any, price: Any, size: Any
) -> Any:
    """Add a resting order and write its record; return its slot."""
    slot = add_order(book, side, price, size, market.next_order_id)
    if slot != NO_ORDER:
        emit(market, out, instrument, ADD, market.next_order_id, price * profile.quote_ticks, size, sign_of(side))
        market.next_order_id += 1
    return slot


@kernel
def delete_order(market: Any, out: Any, book: Any, instrument: Any, profile: Any, slot: Any) -> None:
    """Withdraw a whole order and write its record."""
    price, side = book.order_price[slot] * profile.quote_ticks, sign_of(book.order_side[slot])
    emit(market, out, instrument, DELETE, book.order_id[slot], price, book.order_size[slot], side)
    remove_order(book, slot)
