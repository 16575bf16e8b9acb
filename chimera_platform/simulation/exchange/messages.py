"""From the client to the venue: orders, cancels and replacements, each with its latency.

A message arrives after the feed latency (the client has seen the event late) and the order latency. Messages about
one order arrive in the order of their sending. What the session refuses is decided here, in the order of sending,
and reported once the message has arrived: too many messages for the throttle (a token bucket, Turner 1986), or by
chance.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import OrderReason
from chimera_platform.kernels import record_kernel
from chimera_platform.simulation.exchange.latency import draw_latency
from chimera_platform.simulation.exchange.records import NEVER, VenueOrderState
from chimera_platform.splitmix import uniform

ORDER_LEG, FEED_LEG, CHANCE_LEG = 0, 1, 3  # added to the seed: each draws numbers of its own
_IN_FLIGHT, _NONE_STATE = int(VenueOrderState.IN_FLIGHT), int(VenueOrderState.NONE)
_NO_REASON, _THROTTLED = int(OrderReason.NONE), int(OrderReason.THROTTLED)
_VENUE_REJECT = int(OrderReason.VENUE_REJECT)
_MESSAGE = 1_000_000_000  # billionths


@record_kernel
def arrival_ts(venue: Any, session: Any, ts: int) -> int:
    """Return when (ns UTC) the message that is decided on at ``ts`` reaches the venue."""
    counter = session.messages
    session.messages += 1
    feed_ns = draw_latency(venue.feed_quantiles_ns, venue.feed_quantiles, venue.seed + FEED_LEG, counter)
    order_ns = draw_latency(venue.order_quantiles_ns, venue.order_quantiles, venue.seed + ORDER_LEG, counter)
    return ts + feed_ns + order_ns


@record_kernel
def is_throttled(venue: Any, session: Any, ts: int) -> bool:
    """Return whether a message sent at ``ts`` is one too many; if not, it is counted."""
    if venue.messages_per_second == 0:
        return False
    elapsed, rate = max(ts - session.tokens_ts, 0), venue.messages_per_second  # a nanosecond earns `rate` billionths
    most = venue.message_burst * _MESSAGE
    session.tokens = min(most, session.tokens + min(elapsed, most // rate + 1) * rate)
    session.tokens_ts = max(session.tokens_ts, ts)
    if session.tokens < _MESSAGE:
        return True
    session.tokens -= _MESSAGE
    return False


@record_kernel
def refusal_at_sending(venue: Any, session: Any, ts: int) -> int:
    """Return why the session refuses a new order, OrderReason.NONE where it does not."""
    if is_throttled(venue, session, ts):
        return _THROTTLED
    if venue.reject_probability > 0.0 and uniform(venue.seed + CHANCE_LEG, session.messages) < venue.reject_probability:
        return _VENUE_REJECT
    return _NO_REASON


@record_kernel
def send_order(
    venue: Any,
    session: Any,
    market: Any,
    order: Any,
    order_no: int,
    owner: int,
    side: int,
    order_type: int,
    time_in_force: int,
    size: int,
    price: int,
    stop_price: int,
    display_size: int,
    expire_ts: int,
    end_ts: int,
    ts: int,
) -> None:
    """Send an order from a free slot.

    Parameters
    ----------
    venue, session, market : records of VENUE_DTYPE, SESSION_DTYPE, EXCHANGE_MARKET_DTYPE.
    order : the slot's record of VENUE_ORDER_DTYPE: free, or of an order whose end has been reported. What is still on
        its way for that order is forgotten.
    price, stop_price : ticks; 0 where the order type has none.
    display_size : lots that an ICEBERG shows at a time, or the lots of one slice of a TWAP or VWAP; 0: all, or ten
        slices.
    expire_ts : ns UTC from which the order is no longer valid, NEVER for none; end_ts : ns UTC by when a TWAP or VWAP
        is to be done.
    ts : ns UTC of the event on which the client decided.
    """
    order.refusal = refusal_at_sending(venue, session, ts)
    order.order_no = order_no
    order.priority = 0
    order.ts_sent = ts
    order.arrive_ts = arrival_ts(venue, session, ts)
    order.cancel_ts = NEVER
    order.replace_ts = NEVER
    order.replace_price = 0
    order.replace_size = 0
    order.expire_ts = expire_ts
    order.start_ts = NEVER
    order.end_ts = end_ts
    order.next_slice_ts = NEVER
    order.price = price
    order.stop_price = stop_price
    order.size = size
    order.filled = 0
    order.display_size = display_size
    order.shown = 0
    order.volume_seen = 0
    order.expected_volume = 0.0
    order.ahead = 0.0
    order.level_size = 0.0
    order.traded = 0.0
    order.matched = 0
    order.cancel_reason = _NO_REASON
    order.cancel_refusal = _NO_REASON
    order.replace_refusal = _NO_REASON
    order.owner = owner
    order.order_type = order_type
    order.time_in_force = time_in_force
    order.state = _IN_FLIGHT
    order.side = side
    order.is_triggered = 0
    market.is_changed = 1


@record_kernel
def send_cancel(venue: Any, session: Any, market: Any, order: Any, reason: int, ts: int) -> None:
    """Send a cancel for the slot's order; one that is under way already stays as it is.

    ``reason`` (OrderReason) comes back in the report. A cancel of an order that has ended when it arrives, is
    answered by CANCEL_REJECTED, TOO_LATE.
    """
    if order.state == _NONE_STATE or order.cancel_ts != NEVER:
        return
    order.cancel_refusal = _THROTTLED if is_throttled(venue, session, ts) else _NO_REASON
    order.cancel_reason = reason
    order.cancel_ts = max(arrival_ts(venue, session, ts), order.arrive_ts)
    if order.replace_ts != NEVER:
        order.cancel_ts = max(order.cancel_ts, order.replace_ts)
    market.is_changed = 1


@record_kernel
def send_replace(venue: Any, session: Any, market: Any, order: Any, price: int, size: int, ts: int) -> None:
    """Send a replacement for the slot's order: its new price (ticks) and total size (lots), the filled part included.

    The price is the limit; of a STOP it is the stop price. One replacement is under way at a time: a further one is
    not sent before the first has arrived (the client, too, is in PENDING_REPLACE).
    """
    if order.state == _NONE_STATE or order.replace_ts != NEVER:
        return
    order.replace_refusal = _THROTTLED if is_throttled(venue, session, ts) else _NO_REASON
    order.replace_price = price
    order.replace_size = size
    order.replace_ts = max(arrival_ts(venue, session, ts), order.arrive_ts)
    if order.cancel_ts != NEVER:
        order.replace_ts = max(order.replace_ts, order.cancel_ts + 1)
    market.is_changed = 1
