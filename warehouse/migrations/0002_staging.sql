-- Staging: the journal's rows as they are, one table a journal table, plus the run and the UTC day of ts_event.
-- Which segment a row came from: join staging.segments on run_id and the row number between first_row and last_row.
-- DuckLake has no primary keys; the ledger and replacement by row range in one transaction keep the keys unique.

-- grain: one row of the journal's 'events' table; key: run_id, event_no
CREATE TABLE staging.events (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    event_no BIGINT NOT NULL,
    ts_event BIGINT NOT NULL,
    ts_recv BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    price BIGINT NOT NULL,
    size BIGINT NOT NULL,
    ask_price BIGINT NOT NULL,
    ask_size BIGINT NOT NULL,
    instrument_id INTEGER NOT NULL,
    flags USMALLINT NOT NULL,
    kind UTINYINT NOT NULL,
    side TINYINT NOT NULL
);

-- grain: one row of the journal's 'intents' table; key: run_id, intent_no
CREATE TABLE staging.intents (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    intent_no BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    ts_event BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    limit_price BIGINT NOT NULL,
    size BIGINT NOT NULL,
    stop_distance BIGINT NOT NULL,
    target_distance BIGINT NOT NULL,
    max_hold_ns BIGINT NOT NULL,
    time_to_live_ns BIGINT NOT NULL,
    bid_price BIGINT NOT NULL,
    ask_price BIGINT NOT NULL,
    confidence DOUBLE NOT NULL,
    model_score DOUBLE NOT NULL,
    model_threshold DOUBLE NOT NULL,
    mid DOUBLE NOT NULL,
    spread DOUBLE NOT NULL,
    microprice DOUBLE NOT NULL,
    queue_imbalance DOUBLE NOT NULL,
    depth_imbalance_5 DOUBLE NOT NULL,
    ofi_event DOUBLE NOT NULL,
    ofi_10s DOUBLE NOT NULL,
    trade_imbalance_10s DOUBLE NOT NULL,
    vwap_deviation DOUBLE NOT NULL,
    realised_vol_60s DOUBLE NOT NULL,
    spread_z DOUBLE NOT NULL,
    ofi_norm_10s DOUBLE NOT NULL,
    mid_return_10s DOUBLE NOT NULL,
    microprice_edge DOUBLE NOT NULL,
    instrument_id INTEGER NOT NULL,
    release_no INTEGER NOT NULL,
    reason USMALLINT NOT NULL,
    engine UTINYINT NOT NULL,
    order_type UTINYINT NOT NULL,
    side TINYINT NOT NULL
);

-- grain: one row of the journal's 'decisions' table; key: run_id, intent_no
CREATE TABLE staging.decisions (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    intent_no BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    ts_event BIGINT NOT NULL,
    size_wanted BIGINT NOT NULL,
    size_approved BIGINT NOT NULL,
    reserved_nanos BIGINT NOT NULL,
    engine_exposure_nanos BIGINT NOT NULL,
    engine_cap_nanos BIGINT NOT NULL,
    symbol_exposure_nanos BIGINT NOT NULL,
    account_exposure_nanos BIGINT NOT NULL,
    equity_nanos BIGINT NOT NULL,
    drawdown_nanos BIGINT NOT NULL,
    spread BIGINT NOT NULL,
    size_multiplier DOUBLE NOT NULL,
    engine_weight DOUBLE NOT NULL,
    instrument_id INTEGER NOT NULL,
    release_no INTEGER NOT NULL,
    reason USMALLINT NOT NULL,
    engine UTINYINT NOT NULL,
    approved UTINYINT NOT NULL,
    side TINYINT NOT NULL
);

-- grain: one row of the journal's 'orders' table; key: run_id, order_event_no
CREATE TABLE staging.orders (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    order_event_no BIGINT NOT NULL,
    order_no BIGINT NOT NULL,
    intent_no BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    ts_event BIGINT NOT NULL,
    ts_sent BIGINT NOT NULL,
    price BIGINT NOT NULL,
    size BIGINT NOT NULL,
    filled BIGINT NOT NULL,
    bid_price BIGINT NOT NULL,
    ask_price BIGINT NOT NULL,
    instrument_id INTEGER NOT NULL,
    reason USMALLINT NOT NULL,
    engine UTINYINT NOT NULL,
    order_type UTINYINT NOT NULL,
    time_in_force UTINYINT NOT NULL,
    status UTINYINT NOT NULL,
    is_exit UTINYINT NOT NULL,
    side TINYINT NOT NULL
);

-- grain: one row of the journal's 'fills' table; key: run_id, fill_no
CREATE TABLE staging.fills (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    fill_no BIGINT NOT NULL,
    order_no BIGINT NOT NULL,
    intent_no BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    ts_event BIGINT NOT NULL,
    ts_sent BIGINT NOT NULL,
    price BIGINT NOT NULL,
    size BIGINT NOT NULL,
    cash_nanos BIGINT NOT NULL,
    fee_nanos BIGINT NOT NULL,
    realised_nanos BIGINT NOT NULL,
    position_after BIGINT NOT NULL,
    bid_price BIGINT NOT NULL,
    ask_price BIGINT NOT NULL,
    decision_bid BIGINT NOT NULL,
    decision_ask BIGINT NOT NULL,
    instrument_id INTEGER NOT NULL,
    reason USMALLINT NOT NULL,
    engine UTINYINT NOT NULL,
    liquidity UTINYINT NOT NULL,
    is_exit UTINYINT NOT NULL,
    side TINYINT NOT NULL
);

-- grain: one row of the journal's 'marks' table; key: run_id, mark_no
CREATE TABLE staging.marks (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    mark_no BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    ts_event BIGINT NOT NULL,
    position BIGINT NOT NULL,
    cost_nanos BIGINT NOT NULL,
    value_nanos BIGINT NOT NULL,
    realised_nanos BIGINT NOT NULL,
    fees_nanos BIGINT NOT NULL,
    committed_nanos BIGINT NOT NULL,
    reserved_nanos BIGINT NOT NULL,
    equity_nanos BIGINT NOT NULL,
    instrument_id INTEGER NOT NULL,
    release_no INTEGER NOT NULL,
    engine UTINYINT NOT NULL
);

-- grain: one row of the journal's 'releases' table; key: run_id, release_no
CREATE TABLE staging.releases (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    release_no BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    ts_event BIGINT NOT NULL,
    release_id VARCHAR NOT NULL
);

-- A day of events is the unit that batch jobs read; the other tables are small and pruned by their statistics.
ALTER TABLE staging.events SET PARTITIONED BY (day);
