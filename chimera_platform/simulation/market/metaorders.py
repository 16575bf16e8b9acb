"""Which side market orders take: large orders, worked piece by piece, so that signs remember; the informed; others.

Source: Lillo, Mike & Farmer 2005: pieces of orders whose lengths follow a power law of exponent α give signs whose
autocorrelation falls like the lag to the power 1 - α. The efficient price does not hear of them: their impact passes.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.simulation.market.order_flow import lean_of
from chimera_platform.simulation.market.own_book import ASK, BID, NO_ORDER
from chimera_platform.simulation.market.random_numbers import power_law, uniform

PIECES_MAX = 200  # market orders of one large order


@kernel
def leaning_side(parameters: Any, regime: Any, symbol: Any, book: Any, random: Any) -> Any:
    """Return the side that someone takes who goes with where the flow leans."""
    lean = lean_of(parameters, regime, symbol, book)
    return ASK if uniform(random) < 0.5 * (1.0 + 0.6 * lean) else BID


@kernel
def worked_side(parameters: Any, regime: Any, symbol: Any, book: Any, random: Any) -> Any:
    """Return the side that the next piece of the large order takes; the next large order begins where one is done."""
    if symbol.metaorder_left == 0:
        symbol.metaorder_side = leaning_side(parameters, regime, symbol, book, random)
        symbol.metaorder_left = power_law(random, parameters.metaorder_tail, PIECES_MAX)
    symbol.metaorder_left -= 1
    return symbol.metaorder_side


@kernel
def wanted_side(parameters: Any, regime: Any, symbol: Any, book: Any, random: Any) -> Any:
    """Return the side that the next market order takes.

    Beside large orders: someone who knows the efficient price if it is beyond the touch, else someone who leans. While
    an iceberg stands at the touch, it is what most of the uninformed trade with.
    """
    if uniform(random) < parameters.metaorder_share:
        return worked_side(parameters, regime, symbol, book, random)
    side = leaning_side(parameters, regime, symbol, book, random)
    slot = symbol.iceberg_slot
    if slot != NO_ORDER and book.order_price[slot] == book.best[book.order_side[slot]] and uniform(random) < 0.6:
        side = book.order_side[slot]
    if uniform(random) < regime.informed:
        if symbol.efficient > book.best[ASK]:
            side = ASK
        elif symbol.efficient < book.best[BID]:
            side = BID
    return side
