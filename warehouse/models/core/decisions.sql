-- core.decisions: the gates' verdict on every intent, with the exposures it was taken on, in currency.
-- grain: decision (one an intent)
-- key: run_id, intent_no
-- kind: view
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
    d.size_wanted * i.lot_numerator / i.lot_denominator AS size_wanted,
    d.size_approved * i.lot_numerator / i.lot_denominator AS size_approved,
    d.size_multiplier,
    d.engine_weight,
    d.spread * i.tick_numerator / i.tick_denominator AS spread,
    d.reserved_nanos / 1e9 AS reserved,
    d.engine_exposure_nanos / 1e9 AS engine_exposure,
    d.engine_cap_nanos / 1e9 AS engine_cap,
    d.symbol_exposure_nanos / 1e9 AS symbol_exposure,
    d.account_exposure_nanos / 1e9 AS account_exposure,
    d.equity_nanos / 1e9 AS equity,
    d.drawdown_nanos / 1e9 AS drawdown,
    d.release_no
FROM staging.decisions AS d
JOIN staging.instruments AS i ON i.run_id = d.run_id AND i.instrument_id = d.instrument_id
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = d.engine
LEFT JOIN staging.enumerations AS o ON o.enumeration = 'DecisionReason' AND o.code = d.reason
