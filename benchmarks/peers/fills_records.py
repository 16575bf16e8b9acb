"""What the comparison of fills passes around: a plain feed, a script of orders, fills. It needs NumPy alone.

Prices are ticks and sizes lots everywhere, so that nothing is rounded on the way to a peer and back.
"""

from __future__ import annotations

import numpy as np

LEVEL, TRADE = 0, 1  # what a feed row is
NEW, CANCEL = 1, 2  # what a script row does
MARKET, LIMIT = 1, 2
GTC, IOC, FOK = 1, 2, 3

FEED_DTYPE = np.dtype(
    [
        ("ts", "<i8"),  # ns UTC, the venue's time
        ("price", "<i8"),  # ticks
        ("lots", "<i8"),  # LEVEL: what the level shows now; TRADE: what traded
        ("kind", "u1"),  # LEVEL or TRADE
        ("side", "i1"),  # LEVEL: +1 bid, -1 ask; TRADE: the aggressor, 0 unknown
        ("is_last", "u1"),  # 1: the source event ends here
        ("is_window", "u1"),  # 1: a level that entered or left a depth-limited view
    ],
    align=True,
)

SCRIPT_DTYPE = np.dtype(
    [
        ("ts", "<i8"),  # ns UTC, when it is sent
        ("order_no", "<i8"),
        ("price", "<i8"),  # ticks; 0 for a market order
        ("size", "<i8"),  # lots
        ("action", "u1"),  # NEW or CANCEL
        ("order_type", "u1"),
        ("time_in_force", "u1"),
        ("side", "i1"),
    ],
    align=True,
)

FILL_DTYPE = np.dtype(
    [
        ("order_no", "<i8"),
        ("ts", "<i8"),  # ns UTC, at the venue
        ("price", "<i8"),  # ticks
        ("lots", "<i8"),
        ("is_maker", "u1"),
    ],
    align=True,
)
