-- Learning: what is derived from the journal's rows by the market kernels, for models and attribution. One transaction
-- replaces a run's day; times in ns UTC, prices in ticks, money in nanos of the instrument's currency.
CREATE SCHEMA learning;

-- grain: run and UTC day whose events were inspected; key: run_id, day
CREATE TABLE learning.data_quality (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    events BIGINT NOT NULL,
    source_events BIGINT NOT NULL,
    missing_rows BIGINT NOT NULL,      -- event numbers that the day should have and has not
    duplicate_rows BIGINT NOT NULL,
    clock_reversals BIGINT NOT NULL,   -- rows earlier than the one before
    gaps BIGINT NOT NULL,              -- losses that the feed itself reported
    crossed BIGINT NOT NULL,           -- source events that left a book crossed or locked
    unmatched BIGINT NOT NULL,         -- records that did not fit the book
    quarantined BOOLEAN NOT NULL,      -- true: not trained on
    reasons VARCHAR NOT NULL           -- what was above its limit, empty where nothing was
);

-- grain: intent; key: run_id, intent_no
CREATE TABLE learning.labelled_intents (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    intent_no BIGINT NOT NULL,
    entry_ts BIGINT NOT NULL,
    exit_ts BIGINT NOT NULL,           -- 0 without a label
    horizon_end_ts BIGINT NOT NULL,    -- the label knows the market up to here
    entry_price BIGINT NOT NULL,
    exit_price BIGINT NOT NULL,
    gross_nanos BIGINT NOT NULL,       -- of one lot, net of the spread
    fee_nanos BIGINT NOT NULL,         -- of entry and exit of one lot
    net_nanos BIGINT NOT NULL,
    net_bps DOUBLE NOT NULL,           -- NaN without a label
    outcome UTINYINT NOT NULL,         -- 1 target, 2 stop, 3 time, 4 horizon passes the day's end, 5 not tradable
    won UTINYINT NOT NULL,
    features_equal BOOLEAN NOT NULL    -- the features recorded live equal those recomputed from the events
);

-- grain: run, UTC day, instrument with a tradable quote at the day's end; key: run_id, day, instrument_id
CREATE TABLE learning.closing_quotes (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    instrument_id INTEGER NOT NULL,
    bid_price BIGINT NOT NULL,
    ask_price BIGINT NOT NULL
);

-- grain: run, UTC day, engine, instrument with fills or an open position; key: run_id, day, engine, instrument_id
CREATE TABLE learning.attribution (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    engine UTINYINT NOT NULL,
    instrument_id INTEGER NOT NULL,
    fills BIGINT NOT NULL,
    closed_trades BIGINT NOT NULL,
    traded_nanos BIGINT NOT NULL,
    mid_alpha_nanos BIGINT NOT NULL,   -- minus spread, slippage and fees this is net, to the nano
    spread_nanos BIGINT NOT NULL,
    slippage_nanos BIGINT NOT NULL,
    fee_nanos BIGINT NOT NULL,
    net_nanos BIGINT NOT NULL
);
