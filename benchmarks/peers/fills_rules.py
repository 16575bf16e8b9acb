"""The rules of matching written down once more, each of those in which venues differ with a switch.

With all switches off these are our venue's rules, with a peer's set of switches on they are the peer's. So they check
our venue a second time, and they explain a difference: the smallest set of switches that turns our fills of an order
into the peer's are its reasons. One pass over the plain feed, a dense array of prices as the book; nothing of the
platform's matching is used (:mod:`benchmarks.peers.fills_rule_matching`).
"""

from __future__ import annotations

from enum import IntFlag


class Rule(IntFlag):
    """In what venues differ; a switch that is off means our rule."""

    CROSS_FILLS_WHOLE = 1  # off: a crossing touch fills what it displays
    PRINT_BEYOND_FILLS_WHOLE = 2  # off: at most what was printed
    PRINT_FILLS_EVERY_ORDER = 4  # off: a printed lot fills one own order
    LIMIT_TAKES_WHOLE = 8  # off: a limit takes what is displayed, the rest of it rests
    LOTS_TAKEN_AGAIN = 16  # off: a displayed lot is taken once
    MARKET_WITHIN_100_TICKS = 32  # off: as far as the settings allow
    QUEUE_BY_RECORD = 64  # off: queues look at the book at the end of a source event
    OUT_OF_VIEW_IS_EMPTY = 128  # off: a level outside the displayed depth is unknown
    QUEUE_BELOW_ZERO = 256  # off: nobody ahead is the least
    QUEUE_BEFORE_PRICE = 512  # off: prints beyond the price, and crosses, fill whoever is ahead
    QUEUE_BY_PRINTS_ALONE = 1024  # off: never more ahead than is displayed
    PRINT_MOVES_TOUCH = 2048  # off: the touch is the book's
    CHANGED_LEVEL_IS_FRESH = 4096  # off: what was taken of a level stays taken while it is displayed
    PRINT_TAKES_DISPLAYED = 8192  # off: displayed lots that a print took are there until the book says so
    FILL_MOVES_TOUCH = 16384  # off: a crossing book fills all orders that it reaches, not one price at a time
    OWN_QUEUES_APART = 32768  # off: what a print gives to an own order, it does not take from the next one's queue
    OWN_PRIORITY_WRAPS = 65536  # off: own orders come by price


HFTBACKTEST = (
    Rule.CROSS_FILLS_WHOLE,
    Rule.PRINT_BEYOND_FILLS_WHOLE,
    Rule.PRINT_FILLS_EVERY_ORDER,
    Rule.LIMIT_TAKES_WHOLE,
    Rule.LOTS_TAKEN_AGAIN,
    Rule.MARKET_WITHIN_100_TICKS,
    Rule.QUEUE_BY_RECORD,
    Rule.OUT_OF_VIEW_IS_EMPTY,
    Rule.QUEUE_BELOW_ZERO,
)
NAUTILUS = (
    Rule.QUEUE_BEFORE_PRICE,
    Rule.QUEUE_BY_PRINTS_ALONE,
    Rule.PRINT_MOVES_TOUCH,
    Rule.CHANGED_LEVEL_IS_FRESH,
    Rule.PRINT_TAKES_DISPLAYED,
    Rule.FILL_MOVES_TOUCH,
    Rule.OWN_QUEUES_APART,
    Rule.OWN_PRIORITY_WRAPS,
    Rule.OUT_OF_VIEW_IS_EMPTY,
    Rule.QUEUE_BY_RECORD,
)
