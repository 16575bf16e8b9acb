"""What the signal model sees of an intent: one definition for training and for the live decision.

The features are put in the direction of the trade (``side`` times every signed one), so a buy after buying
pressure and a sell after selling pressure are the same example. Absolute prices are left out: a tree that splits
on a price learns the date.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.microstructure.feature_names import Feature


class ModelInput(IntEnum):
    """Index of each model input; undefined values are NaN. 'Towards' means: times the side of the trade."""

    SPREAD_TO_MID = 0  # spread over mid
    QUEUE_IMBALANCE = 1  # [-1, 1], towards
    DEPTH_IMBALANCE_5 = 2  # [-1, 1], towards
    OFI_EVENT = 3  # lots, towards
    OFI_10S = 4  # lots, towards
    TRADE_IMBALANCE_10S = 5  # [-1, 1], towards
    VWAP_DEVIATION = 6  # ratio, towards
    REALISED_VOL_60S = 7  # not annualised
    SPREAD_Z = 8
    OFI_NORM_10S = 9  # [-1, 1], towards
    MID_RETURN_10S = 10  # log return, towards
    MICROPRICE_EDGE = 11  # [-0.5, 0.5], towards
    ENGINE = 12  # chimera_platform.execution.records.Engine


MODEL_INPUT_NAMES: tuple[str, ...] = tuple(i.name.lower() for i in ModelInput)
MODEL_INPUT_COUNT = len(ModelInput)

_MID = int(Feature.MID)
_SPREAD = int(Feature.SPREAD)
_SPREAD_TO_MID = int(ModelInput.SPREAD_TO_MID)
_ENGINE = int(ModelInput.ENGINE)
_UNSIGNED = (ModelInput.REALISED_VOL_60S, ModelInput.SPREAD_Z)
_COPIED = tuple(i for i in ModelInput if i not in (ModelInput.SPREAD_TO_MID, ModelInput.ENGINE))
_SOURCE = np.array([int(Feature[i.name]) for i in _COPIED], np.int64)
_TARGET = np.array([int(i) for i in _COPIED], np.int64)
_SIGNED = np.array([i not in _UNSIGNED for i in _COPIED], np.bool_)


@kernel
def model_inputs(features: Any, side: int, engine: int, out: Any) -> None:
    """Fill ``out``, shape (MODEL_INPUT_COUNT,), from one feature vector in :class:`Feature`'s order."""
    out[_SPREAD_TO_MID] = features[_SPREAD] / features[_MID]
    for k in range(_SOURCE.shape[0]):
        value = features[_SOURCE[k]]
        out[_TARGET[k]] = value * side if _SIGNED[k] else value
    out[_ENGINE] = engine


@kernel
def _fill_rows(features: Any, sides: Any, engines: Any, out: Any) -> None:
    for row in range(features.shape[0]):
        model_inputs(features[row], sides[row], engines[row], out[row])


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
    _fill_rows(
        np.ascontiguousarray(intents["features"]),
        intents["side"].astype(np.int64),
        intents["engine"].astype(np.int64),
        out,
    )
    return out
