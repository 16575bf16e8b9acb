"""What the target model sees of an intent: what the signal model sees, and how far the stop is.

The stop's distance is the unit of the prediction, so that one model serves all instruments; how many standard
deviations and spreads it is says how much of it the market can be expected to go.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.learning.model_inputs import MODEL_INPUT_COUNT, MODEL_INPUT_NAMES, model_inputs
from chimera_platform.microstructure.feature_names import Feature


class StopInput(IntEnum):
    """Index of the inputs that follow those of the signal model."""

    STOP_VOLATILITIES = MODEL_INPUT_COUNT  # stop over the mid's standard deviation over the holding time
    STOP_SPREADS = MODEL_INPUT_COUNT + 1  # stop over the spread at the decision


TARGET_INPUT_NAMES = (*MODEL_INPUT_NAMES, *(i.name.lower() for i in StopInput))
TARGET_INPUT_COUNT = len(TARGET_INPUT_NAMES)

_STOP_VOLATILITIES, _STOP_SPREADS = int(StopInput.STOP_VOLATILITIES), int(StopInput.STOP_SPREADS)
_REALISED_VOL_60S = int(Feature.REALISED_VOL_60S)
_MINUTE_NS = 60_000_000_000


@kernel
def target_inputs(intent: Any, out: Any) -> None:
    """Fill ``out``, shape (TARGET_INPUT_COUNT,), from an ``INTENT_DTYPE`` record with its features and regime."""
    model_inputs(intent, out)
    mid = 0.5 * (intent.bid_price + intent.ask_price)
    volatility = intent.features[_REALISED_VOL_60S] * mid * math.sqrt(intent.max_hold_ns / _MINUTE_NS)
    out[_STOP_VOLATILITIES] = intent.stop_distance / volatility if volatility > 0.0 else math.nan
    spread = intent.ask_price - intent.bid_price
    out[_STOP_SPREADS] = intent.stop_distance / spread if spread > 0 else math.nan


@kernel
def _fill_rows(intents: Any, out: Any) -> None:
    for row in range(intents.shape[0]):
        target_inputs(intents[row], out[row])


def target_input_rows(intents: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the inputs of an INTENT_DTYPE array of shape (n,): float64, shape (n, TARGET_INPUT_COUNT)."""
    out = np.full((intents.shape[0], TARGET_INPUT_COUNT), np.nan)
    _fill_rows(np.ascontiguousarray(intents), out)
    return out
