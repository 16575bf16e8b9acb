-- core.trades: every trade: all fills of one intent, entry and exits, with what wanted it and what it earned.
-- grain: intent with a fill
-- key: run_id, intent_no
-- kind: view
-- closed: no lots are left open. session is that of the first fill, by the cities' own clocks (London and New York 08:00
-- to 17:00 on workdays, New York where both are open, Asia otherwise). strategy is the intent's reason. net is realised
-- minus the fees of entry and exits, in currency; net_nanos is exact. Null where the intent's segment is not ingested.
WITH filled AS (
    SELECT
        run_id,
        intent_no,
        arg_min(instrument_id, fill_no) AS instrument_id,
        arg_min(engine, fill_no) AS engine,
        arg_min(side, fill_no) AS side,
        min(fill_no) AS first_fill_no,
        arg_min(ts_event, fill_no) AS ts_open,
        max(ts_event) AS ts_close,
        coalesce(sum(size) FILTER (is_exit = 0), 0)::BIGINT AS lots,
        sum(side * size)::BIGINT AS position_lots,
        sum(realised_nanos)::BIGINT AS realised_nanos,
        sum(fee_nanos)::BIGINT AS fee_nanos
    FROM staging.fills
    GROUP BY run_id, intent_no
),
timed AS (
    SELECT *,
        timezone('America/New_York', timezone('UTC', make_timestamp_ns(ts_open)::TIMESTAMP)) AS new_york,
        timezone('Europe/London', timezone('UTC', make_timestamp_ns(ts_open)::TIMESTAMP)) AS london
    FROM filled
)
SELECT
    t.run_id,
    t.intent_no,
    t.first_fill_no,
    i.symbol,
    g.name AS engine,
    w.name AS strategy,
    CASE
        WHEN isodow(t.new_york) <= 5 AND hour(t.new_york) BETWEEN 8 AND 16 THEN 'new_york'
        WHEN isodow(t.london) <= 5 AND hour(t.london) BETWEEN 8 AND 16 THEN 'london'
        ELSE 'asia'
    END AS session,
    coalesce(r.name, 'unknown') AS regime,
    CASE t.side WHEN 1 THEN 'long' WHEN -1 THEN 'short' END AS direction,
    n.release_no,
    make_timestamp_ns(t.ts_open) AS opened,
    make_timestamp_ns(t.ts_close) AS left_at,
    t.ts_close,
    t.position_lots = 0 AS closed,
    t.lots,
    t.position_lots,
    t.realised_nanos,
    t.fee_nanos,
    t.realised_nanos - t.fee_nanos AS net_nanos,
    (t.realised_nanos - t.fee_nanos) / 1e9 AS net
FROM timed AS t
JOIN staging.instruments AS i ON i.run_id = t.run_id AND i.instrument_id = t.instrument_id
LEFT JOIN staging.intents AS n ON n.run_id = t.run_id AND n.intent_no = t.intent_no
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = t.engine
LEFT JOIN staging.enumerations AS w ON w.enumeration = 'IntentReason' AND w.code = n.reason
LEFT JOIN staging.enumerations AS r ON r.enumeration = 'Regime' AND r.code = n.regime
