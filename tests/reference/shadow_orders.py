"""When an order right behind a real one would have traded, read from LOBSTER's own files.

A shadow of one lot stands at a real order's price, behind it and before everything that came later. In the
publisher's messages and book rows, without any model, it trades at the first of

- an execution of an order that joined its price later, or of one at a worse price of its side: it was before these;
- the opposite touch reaching its price: that would have met it.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

ADDED, EXECUTED = 1, 4
DEPTH = 10
Array = np.ndarray[Any, Any]


class LobsterDay:
    """The messages and book rows of one day as published; prices in 1/10,000 of the currency."""

    def __init__(self, archive: Path) -> None:
        with zipfile.ZipFile(archive) as opened:
            named = {part: next(n for n in opened.namelist() if part in n) for part in ("_message_", "_orderbook_")}
            tables = {part: io.BytesIO(opened.read(name)) for part, name in named.items()}
        messages = pl.read_csv(tables["_message_"], has_header=False, columns=range(6))
        self.book = pl.read_csv(tables["_orderbook_"], has_header=False).to_numpy().reshape(-1, DEPTH, 4)
        self.kind, self.order_id, self.size, self.price, self.side = (
            messages[:, k].to_numpy() for k in range(1, 6)
        )  # fmt: skip

    def touch_against(self, side: int) -> Array:
        """Best opposite price after each message."""
        return self.book[:, 0, 0 if side > 0 else 2]

    def worst_shown(self, side: int) -> Array:
        """Price of the last level shown on a side after each message."""
        return self.book[:, -1, 2 if side > 0 else 0]

    def first_trade(self, message: int, start: int, end: int) -> tuple[int, bool]:
        """The message, of ``start`` to ``end``, at which the shadow of ``message`` trades; ``end`` where none.

        Also whether its price was in view all the time until then; where it was not, nobody can know.
        """
        side, price = int(self.side[message]), int(self.price[message])
        now = slice(start, end)
        here = (self.side[now] == side) & (self.price[now] == price)
        joined = self.order_id[message + 1 : end][
            (self.kind[message + 1 : end] == ADDED)
            & (self.side[message + 1 : end] == side)
            & (self.price[message + 1 : end] == price)
        ]
        later = here & np.isin(self.order_id[now], joined)
        beyond = (self.side[now] == side) & (side * (price - self.price[now]) > 0)
        trades = (self.kind[now] == EXECUTED) & (later | beyond)
        trades |= side * (price - self.touch_against(side)[now]) >= 0
        at = start + int(np.argmax(trades)) if trades.any() else end
        seen = slice(message, max(at, message + 1))
        return at, bool(np.all(side * (price - self.worst_shown(side)[seen]) >= 0))
