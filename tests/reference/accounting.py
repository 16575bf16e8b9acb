"""Accounting as its definition reads: plain Python integers over the rows of fills, nothing kept in step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Holding:
    """A position at average cost; money in nanos."""

    lots: int = 0
    cost: int = 0
    realised: int = 0
    fees: int = 0


class NaiveAccount:
    """Cash and positions from fills alone.

    Parameters
    ----------
    starting_nanos : cash at the start.
    instruments : INSTRUMENT_DTYPE records.
    """

    def __init__(self, starting_nanos: int, instruments: Any) -> None:
        self.cash = starting_nanos
        self.instruments = instruments
        self.holdings: dict[tuple[int, int], Holding] = {}

    def fee(self, fill: Any) -> int:
        """Return lots times the fee per lot plus the notional's share, rounded down."""
        instrument = self.instruments[fill["instrument_id"]]
        kind = "maker" if fill["liquidity"] == 1 else "taker"
        notional = int(fill["size"]) * int(fill["price"]) * int(instrument["tick_value_nanos"])
        share = notional * int(instrument[f"{kind}_fee_ppm"]) // 1_000_000
        return int(fill["size"]) * int(instrument[f"{kind}_fee_per_lot_nanos"]) + share

    def book(self, fill: Any) -> int:
        """Book one fill lot by lot and return the profit realised by it."""
        key = (int(fill["instrument_id"]), int(fill["engine"]))
        holding = self.holdings.setdefault(key, Holding())
        value = int(fill["price"]) * int(self.instruments[key[0]]["tick_value_nanos"])
        side, lots, fee = int(fill["side"]), int(fill["size"]), self.fee(fill)
        self.cash -= side * lots * value + fee
        holding.fees += fee
        closed = min(lots, abs(holding.lots)) if holding.lots * side < 0 else 0
        share = holding.cost * closed // abs(holding.lots) if closed else 0
        realised = -side * closed * value - share
        holding.cost += side * (lots - closed) * value - share
        holding.lots += side * lots
        holding.realised += realised
        return realised
