-- marts.order_outcomes: how orders end, and how much of them fills.
-- grain: run, day sent, engine, symbol, order type, entry or exit, last status, last reason
-- key: run_id, day, engine, symbol, order_type, is_exit, status, end_reason
-- kind: view
SELECT
    l.run_id,
    l.day,
    g.name AS engine,
    i.symbol,
    t.name AS order_type,
    l.is_exit = 1 AS is_exit,
    s.name AS status,
    w.name AS end_reason,
    count(*) AS orders,
    sum(l.size)::BIGINT AS lots_ordered,
    sum(l.filled)::BIGINT AS lots_filled,
    sum(l.filled) / sum(l.size) AS fill_ratio
FROM core.order_lifecycle AS l
JOIN staging.instruments AS i ON i.run_id = l.run_id AND i.instrument_id = l.instrument_id
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = l.engine
LEFT JOIN staging.enumerations AS t ON t.enumeration = 'OrderType' AND t.code = l.order_type
LEFT JOIN staging.enumerations AS s ON s.enumeration = 'OrderStatus' AND s.code = l.last_status
LEFT JOIN staging.enumerations AS w ON w.enumeration = 'OrderReason' AND w.code = l.last_reason
GROUP BY ALL
