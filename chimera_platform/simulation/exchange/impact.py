r"""What own trading does to the prices that own orders meet later: the square-root law, decaying.

The replayed market does not react to own orders. So a taker of side s meets prices that are worse by

    max(0, s * I) ticks,  I = Y * sigma * sign(Q) * sqrt(|Q| / V)

where Q is the own signed volume (bought less sold, lots), halved every ``impact_half_life_ns``, and sigma and V are
the volatility and the volume of the market over one horizon: the horizon cancels, so the rates of a second serve.
Both are exponentially weighted with the same half-life, from the market's own prints and mid prices, and there is no
impact before a minute of market has been seen. The law, with Y of order one, after Tóth et al. 2011, "Anomalous price
impact and the critical nature of liquidity in financial markets", Phys. Rev. X 1, 021006; temporary part of the
execution cost after Almgren, Thum, Hauptmann and Li 2005, "Direct estimation of equity market impact", Risk 18(7).

Impact is adverse only: selling back what was bought meets the replayed prices, never better ones. A source without
prints has no volume, and no impact.
"""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.kernels import record_kernel
from chimera_platform.market.events import EventFlag, EventKind

_TRADE, _EXECUTE, _SNAPSHOT = int(EventKind.TRADE), int(EventKind.EXECUTE), int(EventFlag.SNAPSHOT)
SECOND_NS = 1_000_000_000
SAMPLE_NS = SECOND_NS  # prints and moves are summed over at least this long
GAP_NS = 1_800 * SECOND_NS  # a longer silence is a closed market, not a quiet one
KNOWN_AFTER_NS = 60 * SECOND_NS  # of market seen


@record_kernel
def decay(elapsed_ns: int, half_life_ns: int) -> float:
    """Return what is left of 1 after ``elapsed_ns``; 1 for a time before."""
    return 0.5 ** (max(elapsed_ns, 0) / half_life_ns)


@record_kernel
def _sample_rates(venue: Any, market: Any, ts: int, bid: int, ask: int) -> None:
    """Fold what was summed since ``rate_ts`` into both rates; a longer silence, or no market, starts anew."""
    elapsed_ns = ts - market.rate_ts
    mid = float(bid + ask)
    if market.is_tradable == 1 and market.rate_ts != 0 and elapsed_ns <= GAP_NS:
        kept = decay(elapsed_ns, venue.impact_half_life_ns)
        seconds, move = elapsed_ns / SECOND_NS, 0.5 * (mid - market.rate_mid)
        weight = market.rate_weight * kept + (1.0 - kept)
        share = (1.0 - kept) / weight
        market.volume_rate += share * (market.rate_volume / seconds - market.volume_rate)
        market.variance_rate += share * (move * move / seconds - market.variance_rate)
        market.rate_weight = weight
    market.rate_ts = ts if market.is_tradable == 1 else 0
    market.rate_mid = mid
    market.rate_volume = 0.0


@record_kernel
def follow_rates(venue: Any, market: Any, event: Any, bid: int, ask: int) -> None:
    """Let the market's volume rate (lots/s) and variance rate (ticks²/s) follow one record.

    ``bid`` and ``ask`` are the touch (ticks) when the market was last tradable. Both rates change once a second of
    event time at most; a mean over less time than the half-life is over the time seen.
    """
    if (event.kind == _TRADE or event.kind == _EXECUTE) and event.flags & _SNAPSHOT == 0:
        market.rate_volume += event.size
    if event.ts_event - market.rate_ts >= SAMPLE_NS:
        _sample_rates(venue, market, event.ts_event, bid, ask)


@record_kernel
def are_rates_known(venue: Any, market: Any) -> bool:
    """Return whether a minute of market has been seen, with prints in it."""
    least = 1.0 - decay(KNOWN_AFTER_NS, venue.impact_half_life_ns)
    return market.volume_rate > 0.0 and market.rate_weight >= 0.999999 * least


@record_kernel
def impact_ticks(venue: Any, market: Any, side: int, ts: int) -> int:
    """Return by how many ticks a taker of ``side`` meets worse prices at ``ts`` (ns UTC); at least 0."""
    signed = side * market.impact_lots
    if signed <= 0.0 or venue.impact_coefficient <= 0.0 or not are_rates_known(venue, market):
        return 0
    lots = signed * decay(ts - market.impact_ts, venue.impact_half_life_ns)
    ticks = venue.impact_coefficient * math.sqrt(market.variance_rate * lots / market.volume_rate)
    return int(ticks + 0.5)


@record_kernel
def note_own_volume(venue: Any, market: Any, side: int, lots: int, ts: int) -> None:
    """Add an own trade of ``side`` to the own signed volume."""
    kept = decay(ts - market.impact_ts, venue.impact_half_life_ns)
    market.impact_lots = market.impact_lots * kept + side * lots
    market.impact_ts = max(market.impact_ts, ts)
