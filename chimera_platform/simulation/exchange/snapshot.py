"""Snapshots of an exchange: its arrays packed to what is in use."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.errors import ConfigurationError
from chimera_platform.simulation.exchange.records import REPORTS_MAX
from chimera_platform.simulation.exchange.state import Exchange
from chimera_platform.state_packing import pack_state, unpack_state

Packed = dict[str, tuple[tuple[int, ...], bytes]]


def _without_old_reports(markets: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a copy in which the reports that the client has already are zero."""
    copy = markets.view(np.uint8).copy().view(markets.dtype)  # byte by byte: padding included
    for market in copy:
        is_waiting = (np.arange(REPORTS_MAX) - market["reports_first"]) % REPORTS_MAX < market["reports_count"]
        market["reports"].view(np.uint8).reshape(REPORTS_MAX, -1)[~is_waiting] = 0
    return copy


def pack_exchange(exchange: Exchange) -> Packed:
    """Return the exchange's state as picklable (shape, bytes) by array; equal exactly for equal states."""
    arrays = {**exchange._asdict(), "markets": _without_old_reports(exchange.markets)}
    return {name: (array.shape, pack_state(array) if array.size else b"") for name, array in arrays.items()}


def unpack_exchange(packed: Packed, exchange: Exchange) -> None:
    """Put what :func:`pack_exchange` returned back into an exchange of the same shape.

    Raises
    ------
    ConfigurationError : it is of an exchange of another shape, which stays as it is.
    """
    for name, array in exchange._asdict().items():
        shape = packed[name][0]
        if shape != array.shape:
            raise ConfigurationError(
                f"exchange snapshot: '{name}' is of shape {shape}; expected {array.shape}: "
                "it was taken with another universe or configuration"
            )
    for name, array in exchange._asdict().items():
        if array.size:
            unpack_state(packed[name][1], array)
