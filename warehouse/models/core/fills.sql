-- core.fills: the trades of the account in real prices and money.
-- grain: fill
-- key: run_id, fill_no
-- kind: view
SELECT
    f.run_id,
    f.fill_no,
    f.order_no,
    f.intent_no,
    f.event_no,
    f.day,
    make_timestamp_ns(f.ts_event) AS ts,
    f.ts_event AS ts_ns,
    make_timestamp_ns(nullif(f.ts_venue, 0)) AS ts_at_venue,
    i.symbol,
    i.currency,
    g.name AS engine,
    CASE f.side WHEN 1 THEN 'buy' WHEN -1 THEN 'sell' END AS direction,
    f.is_exit = 1 AS is_exit,
    l.name AS liquidity,
    w.name AS reason,
    f.price * i.tick_numerator / i.tick_denominator AS price,
    f.size * i.lot_numerator / i.lot_denominator AS size,
    f.cash_nanos / 1e9 AS cash,
    f.fee_nanos / 1e9 AS fee,
    f.realised_nanos / 1e9 AS realised,
    f.position_after * i.lot_numerator / i.lot_denominator AS position_after
FROM staging.fills AS f
JOIN staging.instruments AS i ON i.run_id = f.run_id AND i.instrument_id = f.instrument_id
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = f.engine
LEFT JOIN staging.enumerations AS l ON l.enumeration = 'Liquidity' AND l.code = f.liquidity
LEFT JOIN staging.enumerations AS w ON w.enumeration = 'OrderReason' AND w.code = f.reason
