"""The records of a decision's life: intent, decision, order event, fill, account mark.

These are the rows of the journal and of ``out/*.parquet``; the digest of a run is over them. ``event_no`` is the
row number in the run's event stream of the record at which something happened; money is integer nanos (1e-9) of
the account's currency, so sums are exact.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from chimera_platform.microstructure.feature_names import FEATURE_COUNT


class Engine(IntEnum):
    """Who wants the trade."""

    HFT = 0
    STRUCTURE = 1
    ORDER_FLOW = 2
    HEDGE = 3  # the coordinator itself, against what the others hold together


ENGINE_COUNT = len(Engine)
SIGNAL_ENGINES = tuple(engine for engine in Engine if engine is not Engine.HEDGE)
"""The engines that forecast: they have features, labels, a share of capital that follows from what they earned."""


class IntentReason(IntEnum):
    """Why an engine wants a trade."""

    IMBALANCE = 1  # queue and depth imbalance, microprice and trade flow agree
    BREAKOUT = 2  # a range that was compressed on several timeframes has been left
    SPREAD_TRIGGER = 3  # the baseline: a tight spread, in the direction of the last move of the mid
    SWEEP_REVERSAL = 4  # a sweep's price came back and left its buyers or sellers trapped
    STACKED_ABSORPTION = 5  # several price levels on one side took what traded into them and held
    ICEBERG_DEFENSE = 6  # a refilled order holds its price
    VACUUM = 7  # the way to a side is nearly empty of orders
    MEAN_REVERSION = 8  # far from fair value, stretched, and no longer stretching
    NODE_BOUNCE = 9  # a price at which much (or little) traded turned the market back
    SWEEP_MOMENTUM = 10  # a sweep that went through, followed while it holds
    EMA_CROSS = 11  # the baseline: a fast average of the minute's close crosses a slow one
    HEDGE = 12  # the engines' positions together carry more risk than they should


class DecisionReason(IntEnum):
    """Why an intent was approved, resized or refused; where several gates refuse, the first in this order counts."""

    APPROVED = 0
    SHUTDOWN = 1  # the flow takes no new risk
    CIRCUIT_BREAKER = 2  # it has been triggered; as a limit: it is at Warning
    MARKET_NOT_TRADABLE = 3  # no two-sided, uncrossed, gap-free book
    STALE_DATA = 4  # the market data is too old, or came too late
    LATENCY = 5  # orders are acknowledged too slowly: trading pauses
    REJECT_RATE = 6  # the venue rejects too much: the engine, or all, pause; as a limit: sizes shrink
    MODEL_SCORE = 7  # the signal model puts the chance of success below its threshold
    CONFIDENCE = 8  # the engine's own confidence is below the limit
    SPREAD = 9  # spread above the session's limit
    VOLATILITY = 10  # volatility far above what is usual
    PRICE_COLLAR = 11  # limit price too far beyond the touch
    DUPLICATE = 12  # the same was decided a moment ago
    DRAWDOWN = 13  # the account's drawdown is above the limit; as a limit: sizes shrink
    VALUE_AT_RISK = 14  # value at risk of what is held above the limit
    STRESS = 15  # the worst stress scenario loses more than the limit
    ORDER_RATE = 16  # too many orders in the window
    POSITION_OPEN = 17  # this engine already has a position or a working order in the instrument
    MAX_POSITIONS = 18  # as many positions are open as may be
    SIZING = 19  # the sizing method wants less, or nothing
    ENGINE_CAP = 20  # the engine's share of capital is used up
    SYMBOL_CAP = 21  # the instrument's cap is used up
    CURRENCY_CAP = 22  # the cap of the currency or asset that is bought or sold is used up
    ACCOUNT_CAP = 23  # the account's cap is used up
    MAX_ORDER = 24  # more than one order may be worth
    MAX_POSITION = 25  # more than all engines together may hold of the instrument
    CONCENTRATION = 26  # the instrument's share of the account's risk is too large
    PORTFOLIO_RISK = 27  # the volatility of all positions together would be above the limit
    TRADE_RISK = 28  # more than one trade may lose at its stop
    SESSION = 29  # the session's size factor
    SIZE_ZERO = 30  # what limits and multipliers leave is less than one lot


class RiskEventKind(IntEnum):
    """What has changed in how much risk is taken."""

    BREAKER = 1  # state: BreakerState; value, threshold: the loss and the threshold, fractions of equity
    REJECTS = 2  # state: 0 normal, 1 smaller sizes, 2 paused; value: decayed rejects (engine -1: all of the account)
    LATENCY = 3  # state: 0 normal, 1 paused, 2 trying again; value, threshold: acknowledgement, ms
    WEIGHT = 4  # value: the engine's new weight; threshold: its weight before
    HEDGE = 5  # state: 0 closed, 1 wanted; value: hedge score; threshold: its threshold
    QUALITY = 6  # state: 0 good, 1 below the threshold; value: quality score
    ADJUSTMENT = 7  # the client's books were set to the venue's; value: lots; threshold: order number
    DAY = 8  # a new trading day; value: equity at its start, in the account's currency


class OrderType(IntEnum):
    """How an order meets the book."""

    MARKET = 1
    LIMIT = 2
    STOP = 3  # a market order from the stop price on
    STOP_LIMIT = 4  # a limit order from the stop price on
    TWAP = 5  # market orders in equal slices over a time
    VWAP = 6  # market orders in step with the market's volume over a time
    ICEBERG = 7  # a limit order that shows a part at a time
    POST_ONLY = 8  # a limit order that is refused rather than take


class TimeInForce(IntEnum):
    """How long an order lives."""

    GTC = 1  # until cancelled
    IOC = 2  # what does not trade at once is cancelled
    FOK = 3  # all at once, or nothing
    GTD = 4  # until a time
    DAY = 5  # until the session closes


class OrderStatus(IntEnum):
    """The state an order is in after an order event."""

    PENDING_NEW = 1  # sent, not yet at the venue
    NEW = 2  # working at the venue
    PARTIALLY_FILLED = 3
    FILLED = 4
    PENDING_CANCEL = 5
    CANCELLED = 6
    REJECTED = 7
    EXPIRED = 8
    PENDING_REPLACE = 9


class OrderReason(IntEnum):
    """Why an order was sent, or why it ended without filling."""

    NONE = 0
    ENTRY = 1
    STOP = 2  # exit: the stop was reached
    TARGET = 3  # exit: the target was reached
    TIME = 4  # exit: held as long as the intent allowed
    NO_LIQUIDITY = 5  # nothing (more) to trade against at an acceptable price
    VENUE_CLOSED = 6  # halted, gap or session closed when the order arrived
    TIME_TO_LIVE = 7  # a limit order was not filled in time
    FLATTEN = 8  # exit: the account is being closed down
    VENUE_REJECT = 9  # the venue refused it without saying why
    WOULD_TAKE = 10  # post-only, and it would have traded at once
    NOT_ALL_AT_ONCE = 11  # fill-or-kill, and there was not enough
    THROTTLED = 12  # more messages than the venue takes in the time
    SELF_TRADE = 13  # it would have traded with an order of the same account
    PRICE_BAND = 14  # limit too far beyond the touch
    SIZE_LIMIT = 15  # larger than the venue takes
    SESSION_CLOSE = 16  # a day order's session ended
    STOP_REACHED = 17  # a stop that the market has passed already
    TOO_LATE = 18  # a cancel or replacement of an order that had ended
    HEDGE_CLOSED = 19  # exit: the hedge is not needed any more, or not all of it
    TRAILING = 20  # exit: the stop that follows the best price was reached
    BREAK_EVEN = 21  # exit: the stop at entry and cost was reached
    PARTIAL_TARGET = 22  # exit of a part: a share of the way to the target was reached
    ADJUSTMENT = 23  # the client's books were set to the venue's, or an order was withdrawn for it


class Liquidity(IntEnum):
    """Which side of the trade the order was."""

    MAKER = 1
    TAKER = 2


INTENT_DTYPE = np.dtype(
    [
        ("intent_no", "<i8"),  # row number in the run, given by the coordinator
        ("event_no", "<i8"),
        ("ts_event", "<i8"),  # ns UTC
        ("seq", "<i8"),
        ("limit_price", "<i8"),  # ticks; 0 for a market order
        ("size", "<i8"),  # lots wanted
        ("stop_distance", "<i8"),  # ticks from the entry price; at least 1
        ("target_distance", "<i8"),  # ticks from the entry price; at least 1
        ("max_hold_ns", "<i8"),  # exit after this long
        ("time_to_live_ns", "<i8"),  # cancel an unfilled limit order after this long
        ("bid_price", "<i8"),  # ticks, at the decision
        ("ask_price", "<i8"),  # ticks, at the decision
        ("confidence", "<f8"),  # [0, 1], the engine's own
        ("predicted_move", "<f8"),  # ticks in the intent's direction that the release's model expects; NaN: none
        ("model_score", "<f8"),  # [0, 1], the release's model; NaN where there is none
        ("model_threshold", "<f8"),  # the release's threshold; NaN where there is none
        ("features", "<f8", (FEATURE_COUNT,)),  # in FEATURE_NAMES' order
        ("instrument_id", "<i4"),
        ("release_no", "<i4"),  # which release of the run was in force
        ("reason", "<u2"),  # IntentReason
        ("engine", "u1"),  # Engine
        ("order_type", "u1"),  # OrderType
        ("side", "i1"),
        ("regime", "i1"),  # Regime in force, -1 before there is enough history
    ]
)

DECISION_DTYPE = np.dtype(
    [
        ("intent_no", "<i8"),
        ("event_no", "<i8"),
        ("ts_event", "<i8"),
        ("size_wanted", "<i8"),  # lots, by the engine
        ("size_sized", "<i8"),  # lots, by the sizing method
        ("size_allocated", "<i8"),  # lots that fit under the caps
        ("size_approved", "<i8"),  # lots; 0 where refused
        ("price", "<i8"),  # ticks at which exposure is reserved: the limit, or the touch that a market order meets
        ("lot_notional_nanos", "<i8"),  # of one lot at that price
        ("reserved_nanos", "<i8"),  # notional reserved for it
        ("engine_exposure_nanos", "<i8"),  # committed + reserved of the engine before
        ("engine_cap_nanos", "<i8"),
        ("symbol_exposure_nanos", "<i8"),
        ("symbol_cap_nanos", "<i8"),
        ("currency_exposure_nanos", "<i8"),
        ("currency_cap_nanos", "<i8"),
        ("account_exposure_nanos", "<i8"),
        ("account_cap_nanos", "<i8"),
        ("equity_nanos", "<i8"),
        ("drawdown_nanos", "<i8"),  # below the peak of equity; >= 0
        ("spread", "<i8"),  # ticks
        ("mid2", "<i8"),  # half ticks: bid + ask
        ("collar_ticks", "<i8"),  # how far a limit price is beyond the touch that it would meet; 0 for a market order
        ("data_age_ns", "<i8"),  # since the instrument's last quote, or the feed's delay, whichever is more
        ("since_same_ns", "<i8"),  # since the last approved intent of the same engine, instrument and side
        ("ack_latency_ns", "<i8"),  # of the last order that was acknowledged; 0 before the first
        ("orders_in_window", "<i8"),  # entries sent within the order-rate window, counted up to its limit
        ("open_positions", "<i8"),  # (instrument, engine) with a position or a working entry
        ("symbol_lots", "<i8"),  # lots held and on order in the instrument, all engines, absolute
        ("volatility_ratio", "<f8"),  # present volatility over its long average; NaN while unknown
        ("reject_score", "<f8"),  # decayed rejects of the engine
        ("account_reject_score", "<f8"),
        ("value_at_risk", "<f8"),  # of what is held, fraction of equity; 0 while unknown
        ("stress_loss", "<f8"),  # in the worst scenario, fraction of equity
        ("portfolio_risk", "<f8"),  # volatility of all positions and entries over the risk horizon, fraction of equity
        ("side_risk", "<f8"),  # the same with the open entries of the intent's side filled
        ("risk_slope", "<f8"),  # covariance of one lot with that, over the risk horizon, fraction of equity squared
        ("risk_after", "<f8"),  # portfolio_risk with the size approved
        ("symbol_risk", "<f8"),  # of a lot of this instrument alone, over the risk horizon, fraction of equity
        ("trade_risk", "<f8"),  # loss of a lot at its stop, fraction of equity
        ("confidence", "<f8"),  # [0, 1]
        ("model_score", "<f8"),  # [0, 1]; NaN where there is none
        ("model_threshold", "<f8"),
        ("drawdown_multiplier", "<f8"),  # [0, 1]
        ("session_multiplier", "<f8"),  # [0, 1]
        ("reject_multiplier", "<f8"),  # [0, 1]
        ("breaker_multiplier", "<f8"),  # [0, 1]
        ("size_multiplier", "<f8"),  # their product
        ("engine_weight", "<f8"),
        ("instrument_id", "<i4"),
        ("release_no", "<i4"),
        ("reason", "<u2"),  # DecisionReason
        ("binding", "<u2"),  # DecisionReason of the gate that set the size approved; APPROVED: it is the size wanted
        ("engine", "u1"),
        ("approved", "u1"),
        ("side", "i1"),
        ("session", "u1"),  # CitySession
        ("breaker", "u1"),  # BreakerState
        ("reject_step", "u1"),  # 0 normal, 1 smaller sizes, 2 the engine pauses, 3 all pause
        ("is_latency_paused", "u1"),
        ("is_tradable", "u1"),  # 1: two-sided, uncrossed, gap-free book at the end of a source event
        ("is_engaged", "u1"),  # 1: the engine has a position or a working order in the instrument
        ("is_closing", "u1"),  # 1: the flow takes no new risk
    ]
)

RISK_EVENT_DTYPE = np.dtype(
    [
        ("risk_event_no", "<i8"),  # row number in the run
        ("event_no", "<i8"),
        ("ts_event", "<i8"),  # ns UTC
        ("value", "<f8"),  # see RiskEventKind
        ("threshold", "<f8"),
        ("instrument_id", "<i4"),  # -1: of no single one
        ("release_no", "<i4"),
        ("kind", "u1"),  # RiskEventKind
        ("state", "u1"),  # see RiskEventKind
        ("engine", "i1"),  # -1: the whole account
    ]
)

RISK_MARK_DTYPE = np.dtype(
    [
        ("risk_mark_no", "<i8"),  # row number in the run
        ("event_no", "<i8"),
        ("ts_event", "<i8"),  # ns UTC
        ("equity_nanos", "<i8"),
        ("drawdown_nanos", "<i8"),
        ("day_profit_nanos", "<i8"),  # equity less that at the start of the trading day
        ("gross_nanos", "<i8"),  # sum of the absolute values of the instruments' net positions
        ("net_nanos", "<i8"),  # of their signed values
        ("portfolio_risk", "<f8"),  # volatility over the risk horizon, fraction of equity
        ("var_historical", "<f8"),  # value at risk over the risk horizon, fraction of equity; NaN while unknown
        ("var_cornish_fisher", "<f8"),
        ("var_filtered", "<f8"),
        ("es_historical", "<f8"),  # expected shortfall, the same way
        ("es_cornish_fisher", "<f8"),
        ("es_filtered", "<f8"),
        ("stress_spread", "<f8"),  # loss, fraction of equity: leaving at five times the spread
        ("stress_gap_up", "<f8"),  # all prices 3 % up at once
        ("stress_gap_down", "<f8"),
        ("stress_correlation", "<f8"),  # value at risk with all correlations at their worst, 1 or -1
        ("hedge_score", "<f8"),  # [0, 1]
        ("quality", "<f8"),  # [0, 1], of executions of late, all engines
        ("hft_weight", "<f8"),
        ("structure_weight", "<f8"),
        ("order_flow_weight", "<f8"),
        ("release_no", "<i4"),
        ("breaker", "u1"),  # BreakerState
    ]
)

ORDER_EVENT_DTYPE = np.dtype(
    [
        ("order_event_no", "<i8"),  # row number in the run
        ("order_no", "<i8"),  # the order; its first row is PENDING_NEW
        ("intent_no", "<i8"),  # the entry intent that it belongs to, exits too
        ("event_no", "<i8"),
        ("ts_event", "<i8"),  # ns UTC, when the client knew: of the request, or of the report's receipt
        ("ts_venue", "<i8"),  # ns UTC, when it happened at the venue; 0 for a request of the client
        ("ts_sent", "<i8"),  # ns UTC, when the order was sent
        ("price", "<i8"),  # ticks; limit, 0 for a market order
        ("stop_price", "<i8"),  # ticks; 0 where the order has none
        ("size", "<i8"),  # lots ordered
        ("display_size", "<i8"),  # lots shown at a time; 0: all
        ("filled", "<i8"),  # lots filled so far
        ("bid_price", "<i8"),  # ticks: the touch at the venue then, of a request the one that the client saw
        ("ask_price", "<i8"),
        ("instrument_id", "<i4"),
        ("reason", "<u2"),  # OrderReason
        ("engine", "u1"),
        ("order_type", "u1"),
        ("time_in_force", "u1"),
        ("status", "u1"),  # OrderStatus after this event
        ("is_exit", "u1"),  # 1: reduces a position, 0: an entry
        ("side", "i1"),
    ]
)

FILL_DTYPE = np.dtype(
    [
        ("fill_no", "<i8"),  # row number in the run
        ("order_no", "<i8"),
        ("intent_no", "<i8"),
        ("event_no", "<i8"),
        ("ts_event", "<i8"),  # ns UTC, when the client knew of it
        ("ts_venue", "<i8"),  # ns UTC, when it happened at the venue
        ("ts_sent", "<i8"),
        ("price", "<i8"),  # ticks
        ("size", "<i8"),  # lots
        ("cash_nanos", "<i8"),  # change of cash by the trade itself: -side * price * size * tick value
        ("fee_nanos", "<i8"),  # paid (negative: rebate)
        ("realised_nanos", "<i8"),  # profit realised by this fill against average entry cost, before fees
        ("position_after", "<i8"),  # signed lots of (engine, instrument)
        ("bid_price", "<i8"),  # ticks: the touch at the venue then
        ("ask_price", "<i8"),
        ("decision_bid", "<i8"),  # ticks, when the order was decided: the arrival price
        ("decision_ask", "<i8"),
        ("instrument_id", "<i4"),
        ("reason", "<u2"),  # OrderReason of the order
        ("engine", "u1"),
        ("liquidity", "u1"),
        ("is_exit", "u1"),
        ("side", "i1"),
    ]
)

MARK_DTYPE = np.dtype(
    [
        ("mark_no", "<i8"),  # row number in the run
        ("event_no", "<i8"),
        ("ts_event", "<i8"),
        ("position", "<i8"),  # signed lots
        ("cost_nanos", "<i8"),  # signed cost of the position
        ("value_nanos", "<i8"),  # signed value of the position at the mid
        ("realised_nanos", "<i8"),  # since the start of the run, before fees
        ("fees_nanos", "<i8"),  # since the start of the run
        ("committed_nanos", "<i8"),
        ("reserved_nanos", "<i8"),
        ("equity_nanos", "<i8"),  # of the whole account
        ("instrument_id", "<i4"),
        ("release_no", "<i4"),
        ("engine", "u1"),
    ]
)

RELEASE_CHANGE_DTYPE = np.dtype(
    [
        ("release_no", "<i8"),  # 0 at the start of a run, then 1, 2, …
        ("event_no", "<i8"),  # the first event decided under it
        ("ts_event", "<i8"),  # ns UTC of the last event before it; 0 at the start
        ("release_id", "S32"),  # the release's content address; b"" for the built-in defaults
        ("killed", "u1"),  # 1: the kill switch is thrown, the account is held flat from here on
    ]
)
