"""Allocation: how much exposure each engine, instrument and the whole account may carry.

Exposure is *committed* (the entry cost of open positions) plus *reserved* (open entry orders' remainder at the
decision price), both as absolute notional in nanos. All caps are fractions of current equity:

    account cap = equity * max_leverage
    engine cap  = account cap * hft_share (structure_share) * weight of the engine in the release in force
    symbol cap  = account cap * symbol_share
"""

from __future__ import annotations

from pydantic import Field

from chimera_platform.settings import Settings


class AllocatorSettings(Settings):
    """Caps on exposure, as fractions of equity."""

    max_leverage: float = Field(4.0, gt=0.0, le=100.0, description="account cap: exposure over equity")
    hft_share: float = Field(0.5, ge=0.0, le=1.0, description="share of the account cap open to the HFT engine")
    structure_share: float = Field(
        0.5, ge=0.0, le=1.0, description="share of the account cap open to the structure engine"
    )
    symbol_share: float = Field(0.5, gt=0.0, le=1.0, description="share of the account cap open to one instrument")
