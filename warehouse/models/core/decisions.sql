-- core.decisions: the gates' verdict on every intent, with the inputs it was taken on, money in currency.
-- grain: decision (one an intent)
-- key: run_id, intent_no
-- kind: view
-- binding is the gate that set the size: of an approved intent null where it is the size wanted. Risks, value at risk
-- and stress loss are fractions of equity; latency and age in seconds.
SELECT
    d.run_id,
    d.intent_no,
    d.event_no,
    d.day,
    make_timestamp_ns(d.ts_event) AS ts,
    d.ts_event AS ts_ns,
    i.symbol,
    i.currency,
    g.name AS engine,
    CASE d.side WHEN 1 THEN 'buy' WHEN -1 THEN 'sell' END AS direction,
    d.approved = 1 AS approved,
    o.name AS reason,
    CASE WHEN d.binding <> 0 THEN b.name END AS binding,
    s.name AS session,
    d.size_wanted * i.lot_numerator / i.lot_denominator AS size_wanted,
    d.size_approved * i.lot_numerator / i.lot_denominator AS size_approved,
    d.size_sized * i.lot_numerator / i.lot_denominator AS size_sized,
    d.size_allocated * i.lot_numerator / i.lot_denominator AS size_allocated,
    d.size_multiplier,
    d.drawdown_multiplier,
    d.session_multiplier,
    d.reject_multiplier,
    d.breaker_multiplier,
    d.engine_weight,
    d.spread * i.tick_numerator / i.tick_denominator AS spread,
    d.reserved_nanos / 1e9 AS reserved,
    d.engine_exposure_nanos / 1e9 AS engine_exposure,
    d.engine_cap_nanos / 1e9 AS engine_cap,
    d.symbol_exposure_nanos / 1e9 AS symbol_exposure,
    d.symbol_cap_nanos / 1e9 AS symbol_cap,
    d.currency_exposure_nanos / 1e9 AS currency_exposure,
    d.currency_cap_nanos / 1e9 AS currency_cap,
    d.account_exposure_nanos / 1e9 AS account_exposure,
    d.account_cap_nanos / 1e9 AS account_cap,
    d.equity_nanos / 1e9 AS equity,
    d.drawdown_nanos / 1e9 AS drawdown,
    d.volatility_ratio,
    d.value_at_risk,
    d.stress_loss,
    d.portfolio_risk,
    d.risk_after,
    d.symbol_risk,
    d.trade_risk,
    d.confidence,
    d.model_score,
    d.reject_score,
    d.account_reject_score,
    d.ack_latency_ns / 1e9 AS ack_latency_s,
    d.data_age_ns / 1e9 AS data_age_s,
    d.orders_in_window,
    d.open_positions,
    d.breaker,
    d.release_no
FROM staging.decisions AS d
JOIN staging.instruments AS i ON i.run_id = d.run_id AND i.instrument_id = d.instrument_id
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = d.engine
LEFT JOIN staging.enumerations AS o ON o.enumeration = 'DecisionReason' AND o.code = d.reason
LEFT JOIN staging.enumerations AS b ON b.enumeration = 'DecisionReason' AND b.code = d.binding
LEFT JOIN staging.enumerations AS s ON s.enumeration = 'CitySession' AND s.code = d.session
