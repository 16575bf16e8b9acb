"""The order-flow features of the second kernel: their order, and for each unit, formula, window and source."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class FlowFeature(IntEnum):
    """Index of each feature in a vector of order-flow features; undefined values are NaN."""

    MLOFI_EVENT_1 = 0
    MLOFI_EVENT_2 = 1
    MLOFI_EVENT_3 = 2
    MLOFI_EVENT_4 = 3
    MLOFI_EVENT_5 = 4
    MLOFI_10S_1 = 5
    MLOFI_10S_2 = 6
    MLOFI_10S_3 = 7
    MLOFI_10S_4 = 8
    MLOFI_10S_5 = 9
    DEPTH_IMBALANCE_10 = 10
    CUMULATIVE_DELTA = 11
    TRADE_IMBALANCE_60S = 12
    VWAP_DEVIATION_SPREADS = 13
    REALISED_VOL_GRID_10S = 14
    REALISED_VOL_GRID_60S = 15
    REALISED_VOL_GRID_600S = 16
    BIPOWER_VARIATION_60S = 17
    KYLE_LAMBDA_300S = 18
    VPIN = 19
    BOOK_SLOPE_BID_5 = 20
    BOOK_SLOPE_ASK_5 = 21
    RESILIENCE_1S = 22
    CANCEL_TO_TRADE_60S = 23
    ARRIVAL_INTENSITY_10S = 24
    EFFECTIVE_SPREAD = 25
    REALISED_SPREAD_5S = 26


class FeatureDescription(NamedTuple):
    """What a feature is: one row of the feature page."""

    unit: str
    formula: str
    window: str
    source: str


_W10 = "10 s in steps of 10 ms"
_W60 = "60 s in steps of 100 ms"
_XGH = "Xu, Gould & Howison 2019"
_BNS = "Barndorff-Nielsen & Shephard 2004"


def _multi_level(level: int, window: str, what: str) -> FeatureDescription:
    formula = f"{what} of e at level {level}, e as in Cont, Kukanov & Stoikov 2014 with that level's prices and sizes"
    return FeatureDescription("lots", formula, window, _XGH)


def _realised_vol(seconds: int) -> FeatureDescription:
    formula = f"sqrt(sum r²) over the last {seconds} log returns r of the mid sampled at whole seconds; not annualised"
    return FeatureDescription("1", formula, f"{seconds} s, grid 1 s", _BNS)


FLOW_FEATURE_DESCRIPTIONS: dict[FlowFeature, FeatureDescription] = {
    **{FlowFeature(k - 1): _multi_level(k, "source event", "contribution") for k in range(1, 6)},
    **{FlowFeature(k + 4): _multi_level(k, _W10, "sum") for k in range(1, 6)},
    FlowFeature.DEPTH_IMBALANCE_10: FeatureDescription(
        "1", "(bid lots - ask lots) / (bid lots + ask lots) over ten levels a side", "now", "Gould & Bonart 2016"
    ),
    FlowFeature.CUMULATIVE_DELTA: FeatureDescription(
        "lots", "aggressively bought - sold lots since 00:00 UTC", "session", "trade sign: Lee & Ready 1991"
    ),
    FlowFeature.TRADE_IMBALANCE_60S: FeatureDescription(
        "1", "(bought - sold) / (bought + sold) lots; NaN without signed trades", _W60, "Lee & Ready 1991"
    ),
    FlowFeature.VWAP_DEVIATION_SPREADS: FeatureDescription(
        "spreads", "(mid - VWAP since 00:00 UTC) / spread; NaN for a locked book", "session", "definition"
    ),
    FlowFeature.REALISED_VOL_GRID_10S: _realised_vol(10),
    FlowFeature.REALISED_VOL_GRID_60S: _realised_vol(60),
    FlowFeature.REALISED_VOL_GRID_600S: _realised_vol(600),
    FlowFeature.BIPOWER_VARIATION_60S: FeatureDescription(
        "1", "π/2 · sum |r_i||r_{i-1}| over the 59 neighbouring pairs of 60 one-second log returns", "60 s, grid 1 s",
        _BNS,
    ),
    FlowFeature.KYLE_LAMBDA_300S: FeatureDescription(
        "price units per lot",
        "least-squares slope (with intercept) of the mid's change on signed volume over one-second buckets; "
        "NaN before 60 buckets or without variation of volume", "300 s, grid 1 s", "Kyle 1985",
    ),
    FlowFeature.VPIN: FeatureDescription(
        "1",
        "mean of |V_b - V_s| / V over the last 50 equal-volume buckets, bulk classification V_b = V·Φ(ΔP/σ) with the "
        "bucket as the bar and σ over the same 50; V is 50 mean trades, the mean fixed over the first 1,000. "
        "Contested (Andersen & Bondarenko 2014): a feature, not a gate", "50 volume buckets",
        "Easley, López de Prado & O'Hara 2012",
    ),
    FlowFeature.BOOK_SLOPE_BID_5: FeatureDescription(
        "lots per tick", "lots on the best five bid levels / ticks that they span (both ends counted)", "now",
        "depth per tick; compare Næs & Skjeltorp 2006",
    ),
    FlowFeature.BOOK_SLOPE_ASK_5: FeatureDescription(
        "lots per tick", "lots on the best five ask levels / ticks that they span (both ends counted)", "now",
        "depth per tick; compare Næs & Skjeltorp 2006",
    ),
    FlowFeature.RESILIENCE_1S: FeatureDescription(
        "1",
        "a touch that loses half of its lots or more in one source event is watched for 1 s: share of the loss that "
        "is back at that price or better (best five levels) then; mean of the last 32, one watch a side at a time",
        "1 s, 32 watches", "compare Foucault, Kadan & Kandel 2005",
    ),
    FlowFeature.CANCEL_TO_TRADE_60S: FeatureDescription(
        "1",
        "CANCEL and DELETE records and removed levels / prints; in a level feed a removal may be a trade's own; NaN "
        "without prints", _W60, "definition",
    ),
    FlowFeature.ARRIVAL_INTENSITY_10S: FeatureDescription("1/s", "source events / 10 s", _W10, "definition"),
    FlowFeature.EFFECTIVE_SPREAD: FeatureDescription(
        "price units", "2·sign·(P - M) of the last signed print, M the mid before its source event", "last print",
        "Huang & Stoll 1996",
    ),
    FlowFeature.REALISED_SPREAD_5S: FeatureDescription(
        "price units",
        "2·sign·(P - M_{t+5s}) of the last signed print at least 5 s old, of each 10 ms its last one", "5 s",
        "Huang & Stoll 1996",
    ),
}  # fmt: skip

FLOW_FEATURE_NAMES: tuple[str, ...] = tuple(f.name.lower() for f in FlowFeature)
FLOW_FEATURE_COUNT = len(FlowFeature)
