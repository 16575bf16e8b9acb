"""Icebergs of the simulated market: placed, withdrawn, and their ground truth; trading refills them."""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.simulation.market.episodes import EpisodeKind
from chimera_platform.simulation.market.order_flow import (
    FAR_MAX,
    LEVELS_MIN,
    REACH,
    delete_order,
    is_full,
    place_order,
    sign_of,
)
from chimera_platform.simulation.market.own_book import ASK, BID, NO_ORDER, head_of, level_lots
from chimera_platform.simulation.market.random_numbers import below, uniform
from chimera_platform.simulation.market.records import event_number, finish_event, record_episode
from chimera_platform.simulation.market.regimes import SECOND_NS

ICEBERG = int(EpisodeKind.ICEBERG)


@kernel
def iceberg_action(
    parameters: Any, profile: Any, market: Any, symbol: Any, book: Any, instrument: Any, out: Any, random: Any
) -> None:
    """Place an iceberg at the touch, or one step inside a wide spread."""
    side = BID if uniform(random) < 0.5 else ASK
    price = book.best[side]
    if is_full(parameters, book, side):
        return
    if book.best[ASK] - book.best[BID] > 2 and uniform(random) < 0.5:
        price += sign_of(side)
    peak = parameters.iceberg_peak_units * profile.size_unit
    first = event_number(market)
    slot = place_order(market, out, book, instrument, profile, side, price, peak)
    if slot == NO_ORDER:
        return
    refills = 1 + below(random, parameters.iceberg_refills)
    book.order_hidden[slot] = refills * peak - below(random, peak)
    symbol.iceberg_slot = slot
    symbol.iceberg_start = market.ts
    symbol.iceberg_end = market.ts + int(parameters.iceberg_life_s * SECOND_NS)
    symbol.iceberg_first = first
    symbol.iceberg_traded = 0
    symbol.iceberg_refills = 0
    symbol.iceberg_peak = peak
    symbol.iceberg_hidden = book.order_hidden[slot]
    finish_event(parameters, market, out, False, random)


@kernel
def finish_iceberg(
    market: Any, symbol: Any, episodes: Any, instrument: Any, side: Any, order_id: Any, price: Any
) -> None:
    """Write the ground truth of the symbol's iceberg, ended by the record just written; ``price`` in ticks."""
    start_ts, first = symbol.iceberg_start, symbol.iceberg_first
    row = episodes[record_episode(market, episodes, ICEBERG, instrument, sign_of(side), start_ts, first)]
    row.order_id = order_id
    row.price = price
    row.end_price = price
    row.size = symbol.iceberg_traded
    row.levels = symbol.iceberg_refills
    row.peak = symbol.iceberg_peak
    row.hidden = symbol.iceberg_hidden
    symbol.iceberg_slot = NO_ORDER


@kernel
def withdraw_iceberg(
    parameters: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    out: Any,
    episodes: Any,
    random: Any,
) -> None:
    """Withdraw the symbol's iceberg; it stays where its side would get too thin."""
    slot = symbol.iceberg_slot
    side, order_id, price = book.order_side[slot], book.order_id[slot], book.order_price[slot]
    if book.depth[side] <= LEVELS_MIN and level_lots(book, price) == book.order_size[slot]:
        return
    delete_order(market, out, book, instrument, profile, slot)
    finish_event(parameters, market, out, False, random)
    finish_iceberg(market, symbol, episodes, instrument, side, order_id, price * profile.quote_ticks)


@kernel
def withdraw_far(
    parameters: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    out: Any,
    episodes: Any,
    random: Any,
) -> None:
    """Withdraw the orders that the market has left far behind, icebergs too: the ladder of prices is bounded."""
    for side in range(2):
        for _ in range(FAR_MAX):
            if sign_of(side) * (book.best[side] - book.worst[side]) <= REACH:
                break
            slot, price = head_of(book, book.worst[side]), book.worst[side]
            order_id = book.order_id[slot]
            delete_order(market, out, book, instrument, profile, slot)
            finish_event(parameters, market, out, False, random)
            if slot == symbol.iceberg_slot:
                finish_iceberg(market, symbol, episodes, instrument, side, order_id, price * profile.quote_ticks)
