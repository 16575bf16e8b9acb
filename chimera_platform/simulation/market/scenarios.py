"""News, droughts, absorption and stop runs of the simulated market: how they begin; one at a time a symbol.

None of it draws a random number while its rate is 0, so a stream without them is the same whether they exist or not.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.simulation.market.episodes import EpisodeKind
from chimera_platform.simulation.market.order_flow import (
    ABSORPTION,
    DROUGHT,
    LEVELS_MIN,
    NO_SCENARIO,
    delete_order,
    draw_size,
    is_full,
    place_order,
    remaining_share,
    sign_of,
)
from chimera_platform.simulation.market.own_book import ASK, BID, LADDER, NO_ORDER, level_lots, next_level
from chimera_platform.simulation.market.random_numbers import below, uniform
from chimera_platform.simulation.market.records import event_number, finish_event
from chimera_platform.simulation.market.regimes import SECOND_NS
from chimera_platform.simulation.market.trades import excite, market_order, take_levels

NEWS, STOP_RUN = int(EpisodeKind.NEWS), int(EpisodeKind.STOP_RUN)
DELETES_MAX = 32  # orders that a drought withdraws in one source event
DROUGHT_GAP_NS = 10_000_000  # between two of those, at most
REFILL_GAP_NS = 20_000_000  # from a trade to the refill, at most
ABSORBING_ORDERS = 5  # level that absorbs, in mean orders
STRETCH_NS = 600_000_000_000  # extremes are those of the current and the previous ten minutes
EXTREME_REACH = 12  # quote steps from the touch to the extreme, at most
RUN_LEVELS_MAX = 60  # levels that a stop run takes at most


@kernel
def by_difficulty(difficulty: Any, clear: Any, middling: Any, hard: Any) -> Any:
    """Return the value of the difficulty."""
    return clear if difficulty < 2 else middling if difficulty < 3 else hard


@kernel
def begin_scenario(market: Any, symbol: Any, kind: Any, side: Any, price: Any, length_s: Any) -> None:
    """Enter a scenario that begins now."""
    symbol.scenario = kind
    symbol.scenario_side = side
    symbol.scenario_price = price
    symbol.scenario_last = price
    symbol.scenario_start = market.ts
    symbol.scenario_end = market.ts + int(length_s * SECOND_NS)
    symbol.scenario_until = 0
    symbol.scenario_first = event_number(market)
    symbol.scenario_lots = 0
    symbol.scenario_count = 0
    symbol.scenario_peak = 0


@kernel
def break_news(parameters: Any, profiles: Any, market: Any, symbols: Any, random: Any) -> None:
    """Let efficient prices jump; makers step half way at once, their spread widens and trading bursts.

    A symbol follows the common direction with probability (1 + loading) / 2; those in another scenario hear nothing.
    """
    common = 1 if uniform(random) < 0.5 else -1
    strength = parameters.news_strength * by_difficulty(parameters.episode_difficulty, 1.0, 0.5, 0.25)
    for i in range(len(symbols)):
        symbol = symbols[i]
        direction = common if uniform(random) < 0.5 * (1.0 + profiles[i].loading) else -common
        jump = strength * profiles[i].day_volatility * (0.5 + uniform(random))
        if symbol.scenario == NO_SCENARIO:
            side = ASK if direction > 0 else BID
            begin_scenario(market, symbol, NEWS, side, int(symbol.efficient), parameters.news_s)
            symbol.efficient *= 1.0 + direction * jump
            symbol.fair += 0.5 * (symbol.efficient - symbol.fair)


@kernel
def set_news_regime(parameters: Any, regime: Any, news: Any) -> None:
    """Write to ``news`` how the market behaves after news that came in ``regime``."""
    weight = by_difficulty(parameters.episode_difficulty, 1.0, 0.5, 0.25)
    news.dwell_minutes = regime.dwell_minutes
    news.volatility = regime.volatility
    news.activity = regime.activity * (1.0 + 4.0 * weight)
    news.half_spread = regime.half_spread * (1.0 + weight) + 3.0 * weight
    news.maker_lag_s = regime.maker_lag_s
    news.depth = regime.depth * (1.0 - 0.4 * weight)
    news.informed = max(regime.informed, 0.7)
    news.lean = max(regime.lean, 0.7)
    news.noise = 0.0


@kernel
def drought_action(
    parameters: Any, profile: Any, market: Any, symbol: Any, book: Any, instrument: Any, out: Any, random: Any
) -> None:
    """Withdraw most orders of one side, icebergs aside; its price levels do not fall below LEVELS_MIN.

    A clear one spares no order above the side's mean size: one of those left alone can be as much as usual depth.
    Nothing happens where neither side shows its usual number of orders: what is thin already cannot dry up.
    """
    side = BID if uniform(random) < 0.5 else ASK
    if book.live_count[side] < parameters.orders_a_side:
        side = ASK if side == BID else BID
        if book.live_count[side] < parameters.orders_a_side:
            return
    begin_scenario(market, symbol, DROUGHT, side, book.best[side], parameters.drought_s)
    for k in range(book.live_count[side]):
        symbol.scenario_peak += book.order_size[book.live[side, k]]
    leave = 1.0 - remaining_share(parameters.episode_difficulty)
    large = symbol.scenario_peak // book.live_count[side] if parameters.episode_difficulty < 2 else symbol.scenario_peak
    pending = 0
    for k in range(book.live_count[side] - 1, -1, -1):  # removing puts a slot in its place that was looked at before
        slot = book.live[side, k]
        alone = level_lots(book, book.order_price[slot]) == book.order_size[slot]
        if slot == symbol.iceberg_slot or (alone and book.depth[side] <= LEVELS_MIN):
            continue
        if book.order_size[slot] <= large and uniform(random) >= leave:
            continue
        symbol.scenario_lots += book.order_size[slot]
        symbol.scenario_count += 1
        delete_order(market, out, book, instrument, profile, slot)
        pending += 1
        if pending == DELETES_MAX:
            finish_event(parameters, market, out, False, random)
            market.ts += below(random, DROUGHT_GAP_NS)
            pending = 0
    finish_event(parameters, market, out, False, random)


@kernel
def set_patience(parameters: Any, market: Any, symbol: Any, random: Any) -> None:
    """Let the level be refilled until the attack that begins now is over; for some, only for a part of it."""
    symbol.scenario_until = symbol.scenario_end
    if uniform(random) < parameters.absorption_break_share:
        share = 0.3 + 0.4 * uniform(random)
        symbol.scenario_until = market.ts + int(share * parameters.absorption_s * SECOND_NS)


@kernel
def absorption_action(
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
    """Let someone hold the touch of one side; for some, only for a part of the attack."""
    side = BID if uniform(random) < 0.5 else ASK
    begin_scenario(market, symbol, ABSORPTION, side, book.best[side], parameters.absorption_s)
    set_patience(parameters, market, symbol, random)
    units = int(ABSORBING_ORDERS * parameters.order_units * regime.depth)
    symbol.scenario_peak = profile.size_unit * max(units, 2)
    refill_level(parameters, profile, market, symbol, book, instrument, out, random)


@kernel
def refill_level(
    parameters: Any, profile: Any, market: Any, symbol: Any, book: Any, instrument: Any, out: Any, random: Any
) -> None:
    """Bring the level that absorbs back to its size, by a new order and a moment later, where half of it is gone."""
    side, price = symbol.scenario_side, symbol.scenario_price
    there = level_lots(book, price)
    if 2 * there > symbol.scenario_peak or is_full(parameters, book, side):
        return
    if event_number(market) > symbol.scenario_first:
        market.ts += below(random, REFILL_GAP_NS)
        symbol.scenario_count += 1
    place_order(market, out, book, instrument, profile, side, price, symbol.scenario_peak - there)
    finish_event(parameters, market, out, False, random)


@kernel
def attack_action(
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
    """One market order of those who attack the level that absorbs."""
    size = draw_size(parameters, regime.depth, profile.size_unit, random)
    market_order(profile, market, symbol, book, instrument, symbol.scenario_side, size, LADDER, out, episodes)
    finish_event(parameters, market, out, False, random)


@kernel
def track_extremes(market: Any, symbol: Any, book: Any) -> None:
    """Take the touch into the lowest bid and the highest ask of the last ten to twenty minutes."""
    if symbol.extreme_end == 0 or market.ts >= symbol.extreme_end:
        fresh = symbol.extreme_end == 0
        for side in range(2):
            symbol.extreme[1, side] = book.best[side] if fresh else symbol.extreme[0, side]
            symbol.extreme_ts[1, side] = market.ts if fresh else symbol.extreme_ts[0, side]
            symbol.extreme[0, side] = book.best[side]
            symbol.extreme_ts[0, side] = market.ts
        symbol.extreme_end = market.ts + STRETCH_NS
    for side in range(2):
        if sign_of(side) * (book.best[side] - symbol.extreme[0, side]) < 0:
            symbol.extreme[0, side] = book.best[side]
            symbol.extreme_ts[0, side] = market.ts


@kernel
def extreme_of(symbol: Any, side: Any) -> Any:
    """Return (lowest bid or highest ask in quote steps, ns UTC when it was first reached) of both stretches."""
    past = 1 if sign_of(side) * (symbol.extreme[1, side] - symbol.extreme[0, side]) <= 0 else 0
    return symbol.extreme[past, side], symbol.extreme_ts[past, side]


@kernel
def run_levels(book: Any, side: Any, extreme: Any, beyond: Any) -> Any:
    """Return how many price levels of ``side`` a run takes that goes ``beyond`` quote steps past ``extreme``.

    At least one of them lies past it, however far apart the levels are; 0 where the side is too thin for that.
    """
    towards = -sign_of(side)
    levels, price, taken = 0, book.best[side], extreme
    while towards * (extreme + towards * beyond - price) >= 0 or towards * (extreme - taken) >= 0:
        levels += 1
        if levels + LEVELS_MIN > book.depth[side] or levels > RUN_LEVELS_MAX:
            return 0
        taken = price
        price = next_level(book, side, price)
    return levels


@kernel
def stop_run_action(
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
    """Run through the nearer extreme by a few market orders; fair value does not move, so quotes come back.

    Nothing happens where no extreme is near or it has not stood long enough for stops to gather beyond it, where the
    side is too thin, or an iceberg stands on it.
    """
    if symbol.extreme_end == 0:
        return
    low, low_ts = extreme_of(symbol, BID)
    high, high_ts = extreme_of(symbol, ASK)
    side = ASK if high - book.best[ASK] <= book.best[BID] - low else BID
    extreme, reached_ts = (high, high_ts) if side == ASK else (low, low_ts)
    if market.ts - reached_ts < int(parameters.stop_run_age_s * SECOND_NS):
        return
    beyond = by_difficulty(parameters.episode_difficulty, 6, 3, 1)
    slot = symbol.iceberg_slot
    if abs(extreme - book.best[side]) > EXTREME_REACH or (slot != NO_ORDER and book.order_side[slot] == side):
        return
    levels = run_levels(book, side, extreme, beyond)
    if levels < 2:
        return
    begin_scenario(market, symbol, STOP_RUN, side, extreme, parameters.stop_run_s)
    depth, window_ns = book.depth[side], parameters.stop_run_window_ms * 1_000_000
    traded, last_price = take_levels(
        parameters, profile, market, symbol, book, instrument, side, levels, window_ns, out, episodes, random
    )
    if sign_of(side) * (book.best[side] - extreme) >= 0:
        symbol.scenario = NO_SCENARIO  # too many small orders in between: nothing broke
    symbol.scenario_lots = traded
    symbol.scenario_last = last_price
    symbol.scenario_count = depth - book.depth[side]
    excite(parameters, symbol)
