-- marts.latency: percentiles of each stage of an order's way, in ns.
-- grain: run, engine, symbol, order type, stage
-- key: run_id, engine, symbol, order_type, stage
-- kind: view
-- stages: sent_to_acknowledged, acknowledged_to_fill (first fill), sent_to_fill (first fill), as the client knew them;
-- sent_to_venue, and venue_to_fill_known (what the report of the first fill took). Percentiles are of the single orders
-- (the smallest value that is not exceeded by that share), never averages of percentiles.
WITH stages AS (
    SELECT run_id, engine, instrument_id, order_type,
        unnest([
            {'stage': 'sent_to_acknowledged', 'ns': ts_acknowledged - ts_sent},
            {'stage': 'acknowledged_to_fill', 'ns': ts_first_fill - ts_acknowledged},
            {'stage': 'sent_to_fill', 'ns': ts_first_fill - ts_sent},
            {'stage': 'sent_to_venue', 'ns': ts_venue_acknowledged - ts_sent},
            {'stage': 'venue_to_fill_known', 'ns': ts_first_fill - ts_venue_first_fill}
        ], recursive := true)
    FROM core.order_lifecycle
)
SELECT
    s.run_id,
    g.name AS engine,
    i.symbol,
    t.name AS order_type,
    s.stage,
    count(*) AS orders,
    min(s.ns) AS minimum_ns,
    quantile_disc(s.ns, 0.5) AS p50_ns,
    quantile_disc(s.ns, 0.9) AS p90_ns,
    quantile_disc(s.ns, 0.99) AS p99_ns,
    quantile_disc(s.ns, 0.999) AS p999_ns,
    max(s.ns) AS maximum_ns
FROM stages AS s
JOIN staging.instruments AS i ON i.run_id = s.run_id AND i.instrument_id = s.instrument_id
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = s.engine
LEFT JOIN staging.enumerations AS t ON t.enumeration = 'OrderType' AND t.code = s.order_type
WHERE s.ns IS NOT NULL
GROUP BY ALL
