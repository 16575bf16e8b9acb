"""What the simulated traders do to the book: limit orders, cancels, market orders, sweeps, icebergs.

Each action is one source event (a sweep several). A market order is its EXECUTE records alone, ``side`` being the
resting side: there is no TRADE print beside them. No action empties a side or crosses the book.
"""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.market.events import EventKind
from chimera_platform.simulation.episodes import EpisodeKind
from chimera_platform.simulation.market_random import below, exponential, uniform
from chimera_platform.simulation.order_flow_book import (
    ASK,
    BID,
    NO_ORDER,
    add_order,
    head_of,
    level_lots,
    next_level,
    reduce_order,
    refill_order,
    remove_order,
)
from chimera_platform.simulation.order_flow_records import emit, event_number, finish_event, record_episode

ADD, CANCEL, DELETE = int(EventKind.ADD), int(EventKind.CANCEL), int(EventKind.DELETE)
EXECUTE = int(EventKind.EXECUTE)
SWEEP, ICEBERG = int(EpisodeKind.SWEEP), int(EpisodeKind.ICEBERG)

LEVELS_MIN = 5  # price levels that every side keeps
FILLS_MAX = 64  # EXECUTE records of one market order
WITHDRAWALS_MAX = 32  # orders that makers withdraw together
REACH = 500  # quote steps behind the touch at which an order is withdrawn
SWEEP_CHILDREN = 4  # market orders that a sweep is cut into
SECOND_NS = 1_000_000_000


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


@kernel
def is_full(parameters: Any, book: Any, side: Any) -> Any:
    """Return whether ``side`` takes no more orders; what keeps the tables within their bounds."""
    return book.live_count[side] >= 4 * parameters.orders_a_side


@kernel
def appetite(parameters: Any, book: Any, side: Any) -> Any:
    """Return the relative intensity of new orders on ``side``: a thin side fills up again."""
    return min(4.0, parameters.orders_a_side / (1.0 + book.live_count[side]))


@kernel
def limit_price(parameters: Any, regime: Any, symbol: Any, book: Any, side: Any, random: Any) -> Any:
    """Return where a new limit order goes, in quote steps; never through the other side.

    Most near orders join the touch, or improve it by a step, as far as makers' fair value allows; the others go
    where fair value puts them, near or deep.
    """
    towards = sign_of(side)
    edge = towards * (symbol.fair - book.best[side])
    near = uniform(random) < parameters.near_share
    if near and edge >= 0.5 * regime.half_spread and uniform(random) < parameters.join_share:
        improve = edge >= 1.0 + regime.half_spread and book.best[ASK] - book.best[BID] > 1
        return book.best[side] + (towards if improve else 0)
    distance = regime.half_spread + exponential(random, 0.6 if near else 7.0)
    if side == BID:
        return min(math.floor(symbol.fair - distance), book.best[ASK] - 1)
    return max(math.ceil(symbol.fair + distance), book.best[BID] + 1)


@kernel
def limit_action(
    parameters: Any,
    regime: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    out: Any,
    random: Any,
) -> None:
    """Add one limit order; orders on the side that the flow leans to are more frequent and larger."""
    lean = lean_of(parameters, regime, symbol, book)
    bids = (1.0 + 0.8 * lean) * appetite(parameters, book, BID)
    asks = (1.0 - 0.8 * lean) * appetite(parameters, book, ASK)
    side = BID if uniform(random) * (bids + asks) < bids else ASK
    if is_full(parameters, book, side):
        return
    price = limit_price(parameters, regime, symbol, book, side, random)
    if sign_of(side) * (book.best[side] - price) > REACH // 2:
        return
    size = draw_size(parameters, regime.depth * (1.0 + 0.8 * lean * sign_of(side)), profile.size_unit, random)
    place_order(market, out, book, instrument, profile, side, price, size)
    finish_event(parameters, market, out, False, random)


@kernel
def pick_cancel(book: Any, side: Any, against: Any, random: Any) -> Any:
    """Return the slot of an order to withdraw on ``side``.

    The first at the touch, the likelier the more the flow leans ``against`` the side; else any, near ones more rarely.
    """
    if uniform(random) < 0.6 * against:
        return head_of(book, book.best[side])
    slot = book.live[side, below(random, book.live_count[side])]
    for _ in range(3):
        behind = sign_of(side) * (book.best[side] - book.order_price[slot])
        if uniform(random) < 0.25 + 0.05 * behind:
            break
        slot = book.live[side, below(random, book.live_count[side])]
    return slot


@kernel
def stale_side(regime: Any, symbol: Any, book: Any) -> Any:
    """Return the side whose touch is nearer to makers' fair value than they like, NO_ORDER where neither is."""
    bid_edge, ask_edge = symbol.fair - book.best[BID], book.best[ASK] - symbol.fair
    if min(bid_edge, ask_edge) >= 0.5 * regime.half_spread:
        return NO_ORDER
    return BID if bid_edge < ask_edge else ASK


@kernel
def withdraw_touch(
    parameters: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    side: Any,
    out: Any,
    random: Any,
) -> None:
    """Withdraw the makers' orders at the touch of ``side``, each with probability three in four.

    Where the side has no price level to spare, one is first added behind it: makers move back, they do not vanish.
    """
    if book.depth[side] <= LEVELS_MIN + 1 and not is_full(parameters, book, side):
        price = book.worst[side] - sign_of(side) * (1 + below(random, 3))
        place_order(
            market, out, book, instrument, profile, side, price, draw_size(parameters, 1.0, profile.size_unit, random)
        )
    slot = head_of(book, book.best[side])
    for _ in range(WITHDRAWALS_MAX):
        behind = book.order_next[slot]
        last = level_lots(book, book.order_price[slot]) == book.order_size[slot]
        if last and book.depth[side] <= LEVELS_MIN:
            break
        if slot != symbol.iceberg_slot and uniform(random) < 0.75:
            delete_order(market, out, book, instrument, profile, slot)
        if behind == NO_ORDER:
            break
        slot = behind


@kernel
def requote(
    parameters: Any,
    regime: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    side: Any,
    out: Any,
    random: Any,
) -> None:
    """Let makers who left the other touch follow fair value on ``side``: a better price, or more at the best one."""
    edge = sign_of(side) * (symbol.fair - book.best[side])
    steps = min(int(edge - regime.half_spread), book.best[ASK] - book.best[BID] - 1)
    if steps < 0 or is_full(parameters, book, side):
        return
    size = draw_size(parameters, 2.0 * regime.depth, profile.size_unit, random)
    place_order(market, out, book, instrument, profile, side, book.best[side] + sign_of(side) * steps, size)
    finish_event(parameters, market, out, False, random)


@kernel
def cancel_action(
    parameters: Any,
    regime: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    out: Any,
    random: Any,
) -> None:
    """Makers leave a stale touch together; otherwise someone withdraws an order, or part of it.

    Nothing happens where the order is an iceberg or the side would get too thin.
    """
    stale = stale_side(regime, symbol, book)
    if stale != NO_ORDER and uniform(random) < parameters.stale_share:
        withdraw_touch(parameters, profile, market, symbol, book, instrument, stale, out, random)
        finish_event(parameters, market, out, False, random)
        requote(parameters, regime, profile, market, symbol, book, instrument, 1 - stale, out, random)
        return
    lean = lean_of(parameters, regime, symbol, book)
    asks = book.live_count[ASK] * (1.0 + 0.8 * lean)
    bids = book.live_count[BID] * (1.0 - 0.8 * lean)
    side = ASK if uniform(random) * (asks + bids) < asks else BID
    slot = pick_cancel(book, side, -lean * sign_of(side), random)
    if slot == symbol.iceberg_slot:
        return
    size, unit = book.order_size[slot], profile.size_unit
    if size > unit and uniform(random) < 0.25:
        lots = unit * (1 + below(random, size // unit - 1)) if size >= 2 * unit else 1
        price = book.order_price[slot] * profile.quote_ticks
        emit(market, out, instrument, CANCEL, book.order_id[slot], price, lots, sign_of(side))
        reduce_order(book, slot, lots)
    elif book.depth[side] > LEVELS_MIN or level_lots(book, book.order_price[slot]) > size:
        delete_order(market, out, book, instrument, profile, slot)
    finish_event(parameters, market, out, False, random)


@kernel
def withdraw_far(
    parameters: Any, profile: Any, market: Any, symbol: Any, book: Any, instrument: Any, out: Any, random: Any
) -> None:
    """Withdraw one order that the market has left far behind, on each side that has one."""
    for side in range(2):
        if sign_of(side) * (book.best[side] - book.worst[side]) > REACH:
            slot = head_of(book, book.worst[side])
            if slot != symbol.iceberg_slot:
                delete_order(market, out, book, instrument, profile, slot)
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
def execute_against(
    profile: Any, market: Any, symbol: Any, book: Any, instrument: Any, side: Any, lots: Any, out: Any, episodes: Any
) -> None:
    """Trade ``lots`` (at most what is displayed) of the first order at the touch of ``side``; icebergs refill."""
    price = book.best[side]
    slot = head_of(book, price)
    ticks, order_id = price * profile.quote_ticks, book.order_id[slot]
    emit(market, out, instrument, EXECUTE, order_id, ticks, lots, sign_of(side))
    reduce_order(book, slot, lots)
    iceberg = slot == symbol.iceberg_slot
    if iceberg:
        symbol.iceberg_traded += lots
    if book.order_size[slot] > 0:
        return
    refill = min(book.order_hidden[slot], symbol.iceberg_peak)
    if refill > 0:
        refill_order(book, slot, refill)
        emit(market, out, instrument, ADD, order_id, ticks, refill, sign_of(side))
        symbol.iceberg_refills += 1
        return
    remove_order(book, slot)
    if iceberg:
        finish_iceberg(market, symbol, episodes, instrument, side, order_id, ticks)


@kernel
def market_order(
    profile: Any, market: Any, symbol: Any, book: Any, instrument: Any, side: Any, size: Any, out: Any, episodes: Any
) -> Any:
    """Trade up to ``size`` lots against ``side``; return the lots traded.

    Stops before it would take one of the last LEVELS_MIN price levels, and after FILLS_MAX fills.
    """
    left = size
    for _ in range(FILLS_MAX):
        price = book.best[side]
        slot = head_of(book, price)
        lots = min(left, book.order_size[slot])
        if book.depth[side] <= LEVELS_MIN and lots == level_lots(book, price) and book.order_hidden[slot] == 0:
            break
        execute_against(profile, market, symbol, book, instrument, side, lots, out, episodes)
        left -= lots
        if left == 0:
            break
    return size - left


@kernel
def market_action(
    parameters: Any,
    regime: Any,
    profile: Any,
    market: Any,
    symbol: Any,
    book: Any,
    instrument: Any,
    out: Any,
    episodes: Any,
    random: Any,
) -> None:
    """One market order: of someone who knows the efficient price if it is beyond the touch, else of someone who leans.

    While an iceberg stands at the touch, it is what most of the uninformed trade with.
    """
    lean = lean_of(parameters, regime, symbol, book)
    buy = uniform(random) < 0.5 * (1.0 + 0.6 * lean)
    slot = symbol.iceberg_slot
    if slot != NO_ORDER and book.order_price[slot] == book.best[book.order_side[slot]] and uniform(random) < 0.6:
        buy = book.order_side[slot] == ASK
    if uniform(random) < regime.informed:
        if symbol.efficient > book.best[ASK]:
            buy = True
        elif symbol.efficient < book.best[BID]:
            buy = False
    size = draw_size(parameters, regime.depth, profile.size_unit, random)
    if market_order(profile, market, symbol, book, instrument, ASK if buy else BID, size, out, episodes) > 0:
        finish_event(parameters, market, out, False, random)
        symbol.excitation += parameters.burst_branching / (parameters.burst_decay_s * parameters.market_share)


@kernel
def sweep_action(
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
    """One aggressor takes whole levels in a few market orders within the window; some of them know something.

    Nothing happens where the side is too thin, or an iceberg stands on it.
    """
    levels = parameters.sweep_levels + below(random, 4)
    buy = uniform(random) < 0.5
    if uniform(random) < 0.6:
        buy = symbol.efficient > mid_of(book)
    side = ASK if buy else BID
    slot = symbol.iceberg_slot
    if book.depth[side] < levels + LEVELS_MIN or (slot != NO_ORDER and book.order_side[slot] == side):
        return
    start_ts, first, start_price = market.ts, event_number(market), book.best[side]
    children = min(SWEEP_CHILDREN, levels)
    gap_ns = parameters.sweep_window_ms * 1_000_000 // children
    traded, depth, last_price = 0, book.depth[side], start_price
    for child in range(children):
        if child > 0:
            market.ts += below(random, gap_ns)
        lots, price = 0, book.best[side]
        taken = levels * (child + 1) // children - levels * child // children
        for k in range(taken):
            if k > 0:
                price = next_level(book, side, price)
            lots += level_lots(book, price)
        last_price = price
        traded += market_order(profile, market, symbol, book, instrument, side, lots, out, episodes)
        finish_event(parameters, market, out, False, random)
    emptied = depth - book.depth[side]
    if uniform(random) < parameters.sweep_impact:
        symbol.efficient = max(symbol.efficient, float(last_price)) if buy else min(symbol.efficient, float(last_price))
    symbol.excitation += parameters.burst_branching / (parameters.burst_decay_s * parameters.market_share)
    if emptied >= parameters.sweep_levels:
        row = episodes[record_episode(market, episodes, SWEEP, instrument, -sign_of(side), start_ts, first)]
        row.price = start_price * profile.quote_ticks
        row.end_price = out[market.rows - 1].price
        row.size = traded
        row.levels = emptied


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
