"""Is a fitted microprice better than the mid on data that it was not fitted on? Only then it is put to use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.microstructure.fitted_microprice_estimation import (
    MicropriceFit,
    MicropriceSettings,
    adjustments,
    fit_microprice,
)

Array = np.ndarray[Any, Any]

MOVES_AHEAD = 10  # moves of the mid after which a forecast is judged
TEST_SHARE = 0.2  # of the states, the last ones
TESTED_MIN = 1_000  # forecasts judged at least


@dataclass(frozen=True)
class MicropriceTrial:
    """A fit on all states, and how one on the first of them forecasts the mid on the last.

    Attributes
    ----------
    fit : None where there is too little data.
    states, tested : of the touch; forecasts judged.
    error_mid, error_fitted : root mean squared error of the mid ``MOVES_AHEAD`` moves later, half ticks; NaN for none.
    reason : why it is not accepted, empty where it is.
    """

    fit: MicropriceFit | None
    states: int
    tested: int
    error_mid: float
    error_fitted: float
    reason: str

    @property
    def is_accepted(self) -> bool:
        """Whether it may be used."""
        return not self.reason


def try_microprice(touches: Array, settings: MicropriceSettings | None = None) -> MicropriceTrial:
    """Fit one instrument's microprice and judge it out of sample.

    Parameters
    ----------
    touches : ``TOUCH_DTYPE`` rows of one instrument, in time order.
    """
    split = int(len(touches) * (1.0 - TEST_SHARE))
    nan = float("nan")
    try:
        trained, fit = _fit(touches[:split], settings), _fit(touches, settings)
    except DataError as error:
        return MicropriceTrial(None, len(touches), 0, nan, nan, str(error))
    test = touches[split:]
    mid2 = (test["bid"] + test["ask"]).astype(float)
    later = _mid_later(mid2, test["is_start"] != 0)
    use = ~np.isnan(later)
    tested = int(use.sum())
    if tested < TESTED_MIN:
        reason = f"{tested} forecasts to judge it by; expected {TESTED_MIN} or more"
        return MicropriceTrial(fit, len(touches), tested, nan, nan, reason)
    shift = adjustments(trained.table, test["bid"], test["bid_size"], test["ask"], test["ask_size"])
    errors = [float(np.sqrt(np.mean((later - guess)[use] ** 2))) for guess in (mid2, mid2 + shift)]
    reason = "" if errors[1] < errors[0] else f"its error {errors[1]:.4g} half ticks is no less than the mid's"
    return MicropriceTrial(fit, len(touches), tested, errors[0], errors[1], reason)


def _fit(touches: Array, settings: MicropriceSettings | None) -> MicropriceFit:
    quotes = touches["bid"], touches["bid_size"], touches["ask"], touches["ask_size"]
    return fit_microprice(*quotes, touches["is_start"], settings)


def _mid_later(mid2: Array, is_start: Array) -> Array:
    """Return the mid ``MOVES_AHEAD`` moves after each row, NaN where the chain breaks or ends before."""
    breaks = np.cumsum(is_start)
    moves = np.flatnonzero(np.diff(mid2) != 0) + 1
    moves = moves[~is_start[moves]]
    then = np.searchsorted(moves, np.arange(len(mid2)), "right") + MOVES_AHEAD - 1
    later = np.full(len(mid2), np.nan)
    use = np.flatnonzero(then < len(moves))
    at = moves[then[use]] if len(use) else np.zeros(0, np.int64)
    joined = breaks[at] == breaks[use]
    later[use[joined]] = mid2[at[joined]]
    return later
