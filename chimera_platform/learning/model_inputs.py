"""What the signal model sees of an intent: one definition for training and for the live decision.

The features are put in the direction of the trade (``side`` times every signed one), so a buy after buying
pressure and a sell after selling pressure are the same example. Absolute prices are left out: a tree that splits
on a price learns the date; and so are lots, which differ from market to market. The other features of the vector are
recorded with every intent, but are no inputs: with the few days that a model is trained on they made it worse on days
that it had not seen.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.microstructure.feature_names import Feature
from chimera_platform.regimes.names import Regime


class ModelInput(IntEnum):
    """Index of each model input; undefined values are NaN. 'Towards' means: times the side of the trade."""

    SPREAD_TO_MID = 0  # spread over mid
    QUEUE_IMBALANCE = 1  # [-1, 1], towards
    DEPTH_IMBALANCE_5 = 2  # [-1, 1], towards
    TRADE_IMBALANCE_10S = 3  # [-1, 1], towards
    VWAP_DEVIATION = 4  # ratio, towards
    REALISED_VOL_60S = 5  # not annualised
    SPREAD_Z = 6
    OFI_NORM_10S = 7  # [-1, 1], towards
    MID_RETURN_10S = 8  # log return, towards
    MICROPRICE_EDGE = 9  # [-0.5, 0.5], towards
    ENGINE = 10  # chimera_platform.execution.records.Engine
    REASON = 11  # chimera_platform.execution.records.IntentReason
    CONFIDENCE = 12  # [0, 1], the engine's own
    REGIME = 13  # 0 quiet, 1 active range, 2 trend with the trade, 3 against it, 4 breakout, 5 stressed; NaN unknown


MODEL_INPUT_NAMES: tuple[str, ...] = tuple(i.name.lower() for i in ModelInput)
MODEL_INPUT_COUNT = len(ModelInput)

_MID = int(Feature.MID)
_SPREAD = int(Feature.SPREAD)
_SPREAD_TO_MID = int(ModelInput.SPREAD_TO_MID)
_ENGINE, _REASON = int(ModelInput.ENGINE), int(ModelInput.REASON)
_CONFIDENCE, _REGIME = int(ModelInput.CONFIDENCE), int(ModelInput.REGIME)
_UP, _DOWN = int(Regime.TREND_UP), int(Regime.TREND_DOWN)
_UNSIGNED = ("REALISED_VOL_60S", "SPREAD_Z")
_COPIED = tuple(i for i in ModelInput if i.name in Feature.__members__)
_SOURCE = np.array([int(Feature[i.name]) for i in _COPIED], np.int64)
_TARGET = np.array([int(i) for i in _COPIED], np.int64)
_SIGNED = np.array([i.name not in _UNSIGNED for i in _COPIED], np.bool_)


@kernel
def model_inputs(intent: Any, out: Any) -> None:
    """Fill ``out``, shape (MODEL_INPUT_COUNT,), from an ``INTENT_DTYPE`` record with its features and regime."""
    side = intent.side
    out[_SPREAD_TO_MID] = intent.features[_SPREAD] / intent.features[_MID]
    for k in range(_SOURCE.shape[0]):
        value = intent.features[_SOURCE[k]]
        out[_TARGET[k]] = value * side if _SIGNED[k] else value
    out[_ENGINE] = intent.engine
    out[_REASON] = intent.reason
    out[_CONFIDENCE] = intent.confidence
    out[_REGIME] = _towards(intent.regime, side)


@kernel
def _towards(regime: int, side: int) -> float:
    """Return the regime with trends as with (TREND_UP's number) or against (TREND_DOWN's) the trade."""
    if regime < 0:
        return math.nan
    if regime in (_UP, _DOWN):
        return float(_UP if (regime == _UP) == (side > 0) else _DOWN)
    return float(regime)


@kernel
def _fill_rows(intents: Any, out: Any) -> None:
    for row in range(intents.shape[0]):
        model_inputs(intents[row], out[row])


def model_input_rows(intents: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the inputs of many intents.

    Parameters
    ----------
    intents : INTENT_DTYPE array, shape (n,).

    Returns
    -------
    float64 array of shape (n, MODEL_INPUT_COUNT).
    """
    out = np.full((intents.shape[0], MODEL_INPUT_COUNT), np.nan)
    _fill_rows(np.ascontiguousarray(intents), out)
    return out
