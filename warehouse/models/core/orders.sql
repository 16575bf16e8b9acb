-- core.orders: every state that every order was in ("what happened to this order": filter on order_no).
-- grain: order event
-- key: run_id, order_event_no
-- kind: view
SELECT
    o.run_id,
    o.order_event_no,
    o.order_no,
    o.intent_no,
    o.event_no,
    o.day,
    make_timestamp_ns(o.ts_event) AS ts,
    o.ts_event AS ts_ns,
    make_timestamp_ns(nullif(o.ts_venue, 0)) AS ts_at_venue,
    o.ts_event - o.ts_sent AS since_sent_ns,
    i.symbol,
    g.name AS engine,
    CASE o.side WHEN 1 THEN 'buy' WHEN -1 THEN 'sell' END AS direction,
    o.is_exit = 1 AS is_exit,
    t.name AS order_type,
    f.name AS time_in_force,
    s.name AS status,
    w.name AS reason,
    nullif(o.price, 0) * i.tick_numerator / i.tick_denominator AS limit_price,
    nullif(o.stop_price, 0) * i.tick_numerator / i.tick_denominator AS stop_price,
    o.size * i.lot_numerator / i.lot_denominator AS size,
    nullif(o.display_size, 0) * i.lot_numerator / i.lot_denominator AS display_size,
    o.filled * i.lot_numerator / i.lot_denominator AS filled,
    o.bid_price * i.tick_numerator / i.tick_denominator AS bid,
    o.ask_price * i.tick_numerator / i.tick_denominator AS ask
FROM staging.orders AS o
JOIN staging.instruments AS i ON i.run_id = o.run_id AND i.instrument_id = o.instrument_id
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = o.engine
LEFT JOIN staging.enumerations AS t ON t.enumeration = 'OrderType' AND t.code = o.order_type
LEFT JOIN staging.enumerations AS f ON f.enumeration = 'TimeInForce' AND f.code = o.time_in_force
LEFT JOIN staging.enumerations AS s ON s.enumeration = 'OrderStatus' AND s.code = o.status
LEFT JOIN staging.enumerations AS w ON w.enumeration = 'OrderReason' AND w.code = o.reason
