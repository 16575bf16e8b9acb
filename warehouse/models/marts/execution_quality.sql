-- marts.execution_quality: what each fill cost against the prices around it, and how long it took.
-- grain: fill
-- key: run_id, fill_no
-- kind: table
-- refresh: order_no from orders, fills
-- Positive slippage is a cost. slippage = side * (price - arrival mid), arrival = the touch when the order was decided;
-- it splits into delay (side * (mid at the fill - arrival mid)) and half of effective_spread
-- (2 * side * (price - mid at the fill)). In price units, and slippage_bps of the arrival mid; slippage_cost in
-- currency. Latencies in ns, from the order's sending to when the client knew, and to the trade itself at the venue;
-- null while the order's own rows are not ingested.
SELECT
    f.run_id,
    f.fill_no,
    f.order_no,
    f.intent_no,
    f.day,
    make_timestamp_ns(f.ts_event) AS ts,
    i.symbol,
    i.venue,
    g.name AS engine,
    t.name AS order_type,
    q.name AS liquidity,
    w.name AS reason,
    f.is_exit = 1 AS is_exit,
    f.side,
    f.size * i.lot_numerator / i.lot_denominator AS size,
    f.price * i.tick_numerator / i.tick_denominator AS price,
    (f.decision_bid + f.decision_ask) * i.tick_numerator / (2 * i.tick_denominator) AS arrival_mid,
    (f.decision_ask - f.decision_bid) * i.tick_numerator / i.tick_denominator AS arrival_spread,
    f.side * (2 * f.price - f.decision_bid - f.decision_ask) * i.tick_numerator / (2 * i.tick_denominator) AS slippage,
    1e4 * f.side * (2 * f.price - f.decision_bid - f.decision_ask)
        / nullif(f.decision_bid + f.decision_ask, 0) AS slippage_bps,
    f.side * (2 * f.price - f.decision_bid - f.decision_ask) * f.size * (i.tick_value_nanos / 2e9) AS slippage_cost,
    f.side * (f.bid_price + f.ask_price - f.decision_bid - f.decision_ask) * i.tick_numerator
        / (2 * i.tick_denominator) AS delay,
    f.side * (2 * f.price - f.bid_price - f.ask_price) * i.tick_numerator / i.tick_denominator AS effective_spread,
    f.fee_nanos / 1e9 AS fee,
    f.realised_nanos / 1e9 AS realised,
    l.ts_acknowledged - l.ts_sent AS sent_to_acknowledged_ns,
    f.ts_event - l.ts_acknowledged AS acknowledged_to_fill_ns,
    f.ts_event - f.ts_sent AS sent_to_fill_ns,
    nullif(f.ts_venue, 0) - f.ts_sent AS sent_to_trade_ns
FROM staging.fills AS f
JOIN staging.instruments AS i ON i.run_id = f.run_id AND i.instrument_id = f.instrument_id
LEFT JOIN core.order_lifecycle AS l ON l.run_id = f.run_id AND l.order_no = f.order_no
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = f.engine
LEFT JOIN staging.enumerations AS t ON t.enumeration = 'OrderType' AND t.code = l.order_type
LEFT JOIN staging.enumerations AS q ON q.enumeration = 'Liquidity' AND q.code = f.liquidity
LEFT JOIN staging.enumerations AS w ON w.enumeration = 'OrderReason' AND w.code = f.reason
