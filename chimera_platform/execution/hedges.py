"""Hedges among the rows of a run: trades like all others in the account's books, but no forecasts of an engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.execution.records import Engine


def without_hedges(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the rows of the engines that forecast: intents, trades or any others with an ``engine``.

    Hedges have no features and no direction of their own: what asks whether entries, sides or features foretell
    something leaves them out. The array itself is returned where there is none.
    """
    is_hedge = rows["engine"] == Engine.HEDGE
    return rows[~is_hedge] if is_hedge.any() else rows
