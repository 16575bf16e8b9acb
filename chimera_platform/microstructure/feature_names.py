"""The features: their order in every feature vector, and for each unit, formula, window and source."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Feature(IntEnum):
    """Index of each feature in a feature vector; undefined values are NaN."""

    MID = 0
    SPREAD = 1
    MICROPRICE = 2
    QUEUE_IMBALANCE = 3
    DEPTH_IMBALANCE_5 = 4
    OFI_EVENT = 5
    OFI_10S = 6
    TRADE_IMBALANCE_10S = 7
    VWAP_DEVIATION = 8
    REALISED_VOL_60S = 9
    SPREAD_Z = 10
    OFI_NORM_10S = 11
    MID_RETURN_10S = 12
    MICROPRICE_EDGE = 13
    MLOFI_EVENT_2 = 14
    MLOFI_EVENT_3 = 15
    MLOFI_EVENT_4 = 16
    MLOFI_EVENT_5 = 17
    MLOFI_10S_2 = 18
    MLOFI_10S_3 = 19
    MLOFI_10S_4 = 20
    MLOFI_10S_5 = 21
    DEPTH_IMBALANCE_10 = 22
    CUMULATIVE_DELTA = 23
    TRADE_IMBALANCE_60S = 24
    VWAP_DEVIATION_SPREADS = 25
    REALISED_VOL_10S = 26
    REALISED_VOL_600S = 27
    BIPOWER_VARIATION_60S = 28
    KYLE_LAMBDA_300S = 29
    BOOK_SLOPE_BID_5 = 30
    BOOK_SLOPE_ASK_5 = 31
    RESILIENCE_1S = 32
    CANCEL_TO_TRADE_60S = 33
    ARRIVAL_INTENSITY_10S = 34
    EFFECTIVE_SPREAD = 35
    REALISED_SPREAD_5S = 36
    VPIN = 37
    TRADE_IMBALANCE_VOLUME = 38
    OFI_NORM_VOLUME = 39
    REALISED_VOL_VOLUME = 40
    PRICE_RETURN_VOLUME_10 = 41
    FITTED_MICROPRICE_EDGE = 42


FEATURE_NAMES: tuple[str, ...] = tuple(f.name.lower() for f in Feature)
FEATURE_COUNT = len(Feature)


class FeatureDescription(NamedTuple):
    """What a feature is: one row of the feature page."""

    unit: str
    formula: str
    window: str
    source: str


_NOW, _SESSION = "now", "since 00:00 UTC"
_W10 = "(t - 10 s, t]"
_S10, _S60 = "10 s in steps of 100 ms", "60 s in steps of 100 ms"
_BUCKETS = "50 volume buckets"
_CKS = "Cont, Kukanov & Stoikov 2014"
_XGH = "Xu, Gould & Howison 2019"
_BNS = "Barndorff-Nielsen & Shephard 2004"
_VOLUME_TIME = "volume time: Clark 1973; buckets: Easley, López de Prado & O'Hara 2012"


def _multi_level(level: int, window: str, what: str) -> FeatureDescription:
    formula = f"{what} of e at level {level}, e as in {_CKS} with that level's prices and sizes"
    return FeatureDescription("lots", formula, window, _XGH)


def _realised_vol(seconds: int) -> FeatureDescription:
    formula = f"sqrt(sum r²) over the last {seconds} log returns r of the mid sampled at whole seconds; not annualised"
    return FeatureDescription("1", formula, f"{seconds} s, grid 1 s", _BNS)


def _book_slope(side: str) -> FeatureDescription:
    formula = f"lots on the best five {side} levels / ticks that they span (both ends counted)"
    return FeatureDescription("lots per tick", formula, _NOW, "depth per tick; compare Næs & Skjeltorp 2006")


FEATURE_DESCRIPTIONS: dict[Feature, FeatureDescription] = {
    Feature.MID: FeatureDescription("price units", "(bid + ask) / 2", _NOW, "definition"),
    Feature.SPREAD: FeatureDescription("price units", "ask - bid; negative for a crossed book", _NOW, "definition"),
    Feature.MICROPRICE: FeatureDescription(
        "price units", "(bid · ask lots + ask · bid lots) / (bid lots + ask lots) at the touch", _NOW, "Stoikov 2018"
    ),
    Feature.QUEUE_IMBALANCE: FeatureDescription(
        "1", "(bid lots - ask lots) / (bid lots + ask lots) at the touch", _NOW, "Gould & Bonart 2016"
    ),
    Feature.DEPTH_IMBALANCE_5: FeatureDescription(
        "1", "(bid lots - ask lots) / (bid lots + ask lots) over five levels a side", _NOW, "Gould & Bonart 2016"
    ),
    Feature.OFI_EVENT: FeatureDescription("lots", "this source event's contribution e at the touch", "event", _CKS),
    Feature.OFI_10S: FeatureDescription("lots", "sum of e at the touch", _W10, _CKS),
    Feature.TRADE_IMBALANCE_10S: FeatureDescription(
        "1", "(bought - sold) / (bought + sold) lots; NaN without signed trades", _W10, "Lee & Ready 1991"
    ),
    Feature.VWAP_DEVIATION: FeatureDescription(
        "1", "mid / VWAP - 1; NaN without trades in the session", _SESSION, "definition"
    ),
    Feature.REALISED_VOL_60S: _realised_vol(60),
    Feature.SPREAD_Z: FeatureDescription(
        "1",
        "(spread - mean) / standard deviation of its samples at whole seconds; NaN before 60 samples and while they "
        "are all equal", "300 s, grid 1 s", "definition",
    ),
    Feature.OFI_NORM_10S: FeatureDescription("1", "sum of e / sum of |e| at the touch; NaN without flow", _W10, _CKS),
    Feature.MID_RETURN_10S: FeatureDescription(
        "1", "log return of the mid over the last ten samples at whole seconds", "10 s, grid 1 s", "definition"
    ),
    Feature.MICROPRICE_EDGE: FeatureDescription(
        "spreads", "(microprice - mid) / spread, in [-0.5, 0.5]; NaN for a locked book", _NOW, "Stoikov 2018"
    ),
    **{Feature(12 + k): _multi_level(k, "event", "contribution") for k in range(2, 6)},
    **{Feature(16 + k): _multi_level(k, _S10, "sum") for k in range(2, 6)},
    Feature.DEPTH_IMBALANCE_10: FeatureDescription(
        "1", "(bid lots - ask lots) / (bid lots + ask lots) over ten levels a side", _NOW, "Gould & Bonart 2016"
    ),
    Feature.CUMULATIVE_DELTA: FeatureDescription(
        "lots", "aggressively bought - sold lots", _SESSION, "trade sign: Lee & Ready 1991"
    ),
    Feature.TRADE_IMBALANCE_60S: FeatureDescription(
        "1", "(bought - sold) / (bought + sold) lots; NaN without signed trades", _S60, "Lee & Ready 1991"
    ),
    Feature.VWAP_DEVIATION_SPREADS: FeatureDescription(
        "spreads", "(mid - VWAP) / spread; NaN for a locked book and without trades", _SESSION, "definition"
    ),
    Feature.REALISED_VOL_10S: _realised_vol(10),
    Feature.REALISED_VOL_600S: _realised_vol(600),
    Feature.BIPOWER_VARIATION_60S: FeatureDescription(
        "1", "π/2 · sum |r_i||r_{i-1}| over the 59 neighbouring pairs of 60 one-second log returns", "60 s, grid 1 s",
        _BNS,
    ),
    Feature.KYLE_LAMBDA_300S: FeatureDescription(
        "price units per lot",
        "least-squares slope (with intercept) of the mid's change on signed volume over one-second buckets; "
        "NaN before 60 buckets or without variation of volume", "300 s, grid 1 s", "Kyle 1985",
    ),
    Feature.BOOK_SLOPE_BID_5: _book_slope("bid"),
    Feature.BOOK_SLOPE_ASK_5: _book_slope("ask"),
    Feature.RESILIENCE_1S: FeatureDescription(
        "1",
        "a touch that loses half of its lots or more in one source event is watched for 1 s: share of the loss that "
        "is back at that price or better (best five levels) then; mean of the last 32, one watch a side at a time",
        "1 s, 32 watches", "compare Foucault, Kadan & Kandel 2005",
    ),
    Feature.CANCEL_TO_TRADE_60S: FeatureDescription(
        "1",
        "CANCEL and DELETE records and removed levels / prints; in a level feed a removal may be a trade's own; NaN "
        "without prints", _S60, "definition",
    ),
    Feature.ARRIVAL_INTENSITY_10S: FeatureDescription("1/s", "source events / 10 s", _S10, "definition"),
    Feature.EFFECTIVE_SPREAD: FeatureDescription(
        "price units", "2·sign·(P - M) of the last signed print, M the mid before its source event", "last print",
        "Huang & Stoll 1996",
    ),
    Feature.REALISED_SPREAD_5S: FeatureDescription(
        "price units",
        "2·sign·(P - M_{t+5s}) of the last signed print at least 5 s old, of each 10 ms its last one", "5 s",
        "Huang & Stoll 1996",
    ),
    Feature.VPIN: FeatureDescription(
        "1",
        "mean of |V_b - V_s| / V over equal-volume buckets, bulk classification V_b = V·Φ(ΔP/σ) with the bucket as "
        "the bar and σ over the same buckets; V is 50 mean trades, the mean fixed over the first 1,000. "
        "Contested (Andersen & Bondarenko 2014): a feature, not a gate", _BUCKETS,
        "Easley, López de Prado & O'Hara 2012",
    ),
    Feature.TRADE_IMBALANCE_VOLUME: FeatureDescription(
        "1", "(bought - sold) / traded lots in whole buckets, a print split among those that it fills", _BUCKETS,
        _VOLUME_TIME,
    ),
    Feature.OFI_NORM_VOLUME: FeatureDescription(
        "1",
        "sum of the buckets' OFI / sum of its absolute values, the OFI of an event whose print closes a bucket being "
        "the next one's; NaN where all are 0", _BUCKETS, _VOLUME_TIME,
    ),
    Feature.REALISED_VOL_VOLUME: FeatureDescription(
        "1", "sqrt(sum r²) over the log returns r of the price from one bucket's close to the next", _BUCKETS,
        _VOLUME_TIME,
    ),
    Feature.PRICE_RETURN_VOLUME_10: FeatureDescription(
        "1", "log return of the price from close to close", "10 volume buckets", _VOLUME_TIME
    ),
    Feature.FITTED_MICROPRICE_EDGE: FeatureDescription(
        "spreads",
        "g(imbalance, spread) / spread, g the fitted microprice less the mid; NaN while no table is fitted and for a "
        "locked or crossed book", _NOW, "Stoikov 2018",
    ),
}  # fmt: skip
"""One description a feature; those over quotes are NaN while a side is empty or the book is not trusted."""
