"""Execution reports on their way to the client: a first-in, first-out ring for each instrument.

What happens at the venue is known to the client after the report latency, drawn anew for each report; a session keeps
the order of its messages, so a report never overtakes the one before it. The ring is bounded: nothing is lost,
because the venue puts off what it has to do while there is no room, and has the oldest reports delivered early.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import record_kernel
from chimera_platform.simulation.exchange.latency import draw_latency
from chimera_platform.simulation.exchange.records import REPORTS_EARLY, REPORTS_MAX

REPORT_LEG = 2  # added to the seed: reports have numbers of their own


@record_kernel
def has_room(market: Any, count: int) -> bool:
    """Return whether ``count`` further reports can wait."""
    return market.reports_count + count <= REPORTS_MAX


@record_kernel
def add_report(
    venue: Any,
    session: Any,
    market: Any,
    order: Any,
    kind: int,
    reason: int,
    price: int,
    lots: int,
    liquidity: int,
    ts: int,
) -> None:
    """Put a report of ``order``, as it is now, on its way; what happened, happened at ``ts`` (ns UTC).

    The caller has asked :func:`has_room`. Whatever changes an order's state is reported, so the market's counts of
    its orders are known to be old here.
    """
    latency_ns = draw_latency(
        venue.report_quantiles_ns, venue.report_quantiles, venue.seed + REPORT_LEG, session.messages
    )
    session.messages += 1
    market.last_received_ts = max(market.last_received_ts, ts + latency_ns)
    report = market.reports[(market.reports_first + market.reports_count) % REPORTS_MAX]
    market.reports_count += 1
    market.is_changed = 1
    report.order_no = order.order_no
    report.exec_no = market.next_exec_no
    market.next_exec_no += 1
    report.ts_venue = ts
    report.ts_received = market.last_received_ts
    report.price = price
    report.lots = lots
    report.size = order.size
    report.filled = order.filled
    report.bid_price = market.bid
    report.ask_price = market.ask
    report.reason = reason
    report.slot = order.slot
    report.kind = kind
    report.liquidity = liquidity
    report.side = order.side


@record_kernel
def has_report(market: Any, ts: int) -> bool:
    """Return whether the client has a report at ``ts`` (ns UTC), that moment included."""
    if market.reports_count == 0:
        return False
    return market.reports_count > REPORTS_EARLY or market.reports[market.reports_first].ts_received <= ts


@record_kernel
def next_report(market: Any) -> Any:
    """Return the oldest report, a view: valid until :func:`drop_report`. Ask :func:`has_report` before."""
    return market.reports[market.reports_first]


@record_kernel
def copy_report(report: Any, target: Any) -> None:
    """Copy a report field by field: a record's padding bytes stay what they are in ``target``."""
    target.order_no = report.order_no
    target.exec_no = report.exec_no
    target.ts_venue = report.ts_venue
    target.ts_received = report.ts_received
    target.price = report.price
    target.lots = report.lots
    target.size = report.size
    target.filled = report.filled
    target.bid_price = report.bid_price
    target.ask_price = report.ask_price
    target.reason = report.reason
    target.slot = report.slot
    target.kind = report.kind
    target.liquidity = report.liquidity
    target.side = report.side


@record_kernel
def drop_report(market: Any) -> None:
    """Forget the oldest report: the client has it."""
    market.reports_first = (market.reports_first + 1) % REPORTS_MAX
    market.reports_count -= 1
