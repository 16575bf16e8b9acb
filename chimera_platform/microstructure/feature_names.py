"""The features, in the order in which every feature vector holds them."""

from __future__ import annotations

from enum import IntEnum


class Feature(IntEnum):
    """Index of each feature in a feature vector; undefined values are NaN."""

    MID = 0  # price units: (bid + ask) / 2
    SPREAD = 1  # price units: ask - bid
    MICROPRICE = 2  # price units: (bid * ask_size + ask * bid_size) / (bid_size + ask_size)
    QUEUE_IMBALANCE = 3  # [-1, 1] at the touch
    DEPTH_IMBALANCE_5 = 4  # [-1, 1] over five levels
    OFI_EVENT = 5  # lots: this event's contribution to the order-flow imbalance
    OFI_10S = 6  # lots: rolling sum over (t - 10 s, t]
    TRADE_IMBALANCE_10S = 7  # [-1, 1]: (buy - sell) / (buy + sell) volume over (t - 10 s, t]
    VWAP_DEVIATION = 8  # mid / session VWAP - 1
    REALISED_VOL_60S = 9  # sqrt of summed squared 1 s log returns over 60 s, not annualised
    SPREAD_Z = 10  # z-score of the spread over its last 300 one-second samples
    OFI_NORM_10S = 11  # [-1, 1]: OFI over the sum of its absolute contributions, (t - 10 s, t]
    MID_RETURN_10S = 12  # log return of the mid over the last ten 1 s samples
    MICROPRICE_EDGE = 13  # (microprice - mid) / spread, in [-0.5, 0.5]


FEATURE_NAMES: tuple[str, ...] = tuple(f.name.lower() for f in Feature)
FEATURE_COUNT = len(Feature)
