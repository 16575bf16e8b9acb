-- Every input of every gate beside its decision; NULL in runs of before.
ALTER TABLE staging.decisions ADD COLUMN size_sized BIGINT;
ALTER TABLE staging.decisions ADD COLUMN size_allocated BIGINT;
ALTER TABLE staging.decisions ADD COLUMN price BIGINT;
ALTER TABLE staging.decisions ADD COLUMN lot_notional_nanos BIGINT;
ALTER TABLE staging.decisions ADD COLUMN symbol_cap_nanos BIGINT;
ALTER TABLE staging.decisions ADD COLUMN currency_exposure_nanos BIGINT;
ALTER TABLE staging.decisions ADD COLUMN currency_cap_nanos BIGINT;
ALTER TABLE staging.decisions ADD COLUMN account_cap_nanos BIGINT;
ALTER TABLE staging.decisions ADD COLUMN mid2 BIGINT;
ALTER TABLE staging.decisions ADD COLUMN collar_ticks BIGINT;
ALTER TABLE staging.decisions ADD COLUMN data_age_ns BIGINT;
ALTER TABLE staging.decisions ADD COLUMN since_same_ns BIGINT;
ALTER TABLE staging.decisions ADD COLUMN ack_latency_ns BIGINT;
ALTER TABLE staging.decisions ADD COLUMN orders_in_window BIGINT;
ALTER TABLE staging.decisions ADD COLUMN open_positions BIGINT;
ALTER TABLE staging.decisions ADD COLUMN symbol_lots BIGINT;
ALTER TABLE staging.decisions ADD COLUMN volatility_ratio DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN reject_score DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN account_reject_score DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN value_at_risk DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN stress_loss DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN portfolio_risk DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN side_risk DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN risk_slope DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN risk_after DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN symbol_risk DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN trade_risk DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN confidence DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN model_score DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN model_threshold DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN drawdown_multiplier DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN session_multiplier DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN reject_multiplier DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN breaker_multiplier DOUBLE;
ALTER TABLE staging.decisions ADD COLUMN binding USMALLINT;
ALTER TABLE staging.decisions ADD COLUMN session UTINYINT;
ALTER TABLE staging.decisions ADD COLUMN breaker UTINYINT;
ALTER TABLE staging.decisions ADD COLUMN reject_step UTINYINT;
ALTER TABLE staging.decisions ADD COLUMN is_latency_paused UTINYINT;
ALTER TABLE staging.decisions ADD COLUMN is_tradable UTINYINT;
ALTER TABLE staging.decisions ADD COLUMN is_engaged UTINYINT;
ALTER TABLE staging.decisions ADD COLUMN is_closing UTINYINT;
-- What the release's model expects of an intent; NULL in runs of before, NaN where there is no such model.
ALTER TABLE staging.intents ADD COLUMN predicted_move DOUBLE;

-- grain: one row of the journal's 'risk_events' table; key: run_id, risk_event_no
CREATE TABLE staging.risk_events (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    risk_event_no BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    ts_event BIGINT NOT NULL,
    value DOUBLE NOT NULL,
    threshold DOUBLE NOT NULL,
    instrument_id INTEGER NOT NULL,
    release_no INTEGER NOT NULL,
    kind UTINYINT NOT NULL,
    state UTINYINT NOT NULL,
    engine TINYINT NOT NULL
);

-- grain: one row of the journal's 'risk_marks' table; key: run_id, risk_mark_no
CREATE TABLE staging.risk_marks (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    risk_mark_no BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    ts_event BIGINT NOT NULL,
    equity_nanos BIGINT NOT NULL,
    drawdown_nanos BIGINT NOT NULL,
    day_profit_nanos BIGINT NOT NULL,
    gross_nanos BIGINT NOT NULL,
    net_nanos BIGINT NOT NULL,
    portfolio_risk DOUBLE NOT NULL,
    var_historical DOUBLE NOT NULL,
    var_cornish_fisher DOUBLE NOT NULL,
    var_filtered DOUBLE NOT NULL,
    es_historical DOUBLE NOT NULL,
    es_cornish_fisher DOUBLE NOT NULL,
    es_filtered DOUBLE NOT NULL,
    stress_spread DOUBLE NOT NULL,
    stress_gap_up DOUBLE NOT NULL,
    stress_gap_down DOUBLE NOT NULL,
    stress_correlation DOUBLE NOT NULL,
    hedge_score DOUBLE NOT NULL,
    quality DOUBLE NOT NULL,
    hft_weight DOUBLE NOT NULL,
    structure_weight DOUBLE NOT NULL,
    order_flow_weight DOUBLE NOT NULL,
    release_no INTEGER NOT NULL,
    breaker UTINYINT NOT NULL
);
