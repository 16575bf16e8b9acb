-- marts.order_quality: how well each order was executed: slippage, latencies, fill ratio, and a score of them in [0, 1].
-- grain: ended order
-- key: run_id, order_no
-- kind: view
-- With r = fill_ratio the score is (w_ack f(ack) + r (w_slippage f(slippage) + w_fill f(fill) + w_ratio)) / (sum of the
-- weights), f(x) = h / (h + x) and 1 below 0; weights and half values h are those of the run's latency_attribution. It is
-- the score that the flow takes (chimera_platform/execution/quality.py). slippage_ticks: mean price of the fills beyond
-- the touch that the order met when it was sent, or beyond its stop price; null without fills or such a price, and 0
-- then. An order that was never answered scores 0. Null where the run's configuration does not say how to score.
WITH settings AS (
    SELECT
        run_id,
        (configuration ->> '$.latency_attribution.slippage_weight')::DOUBLE AS slippage_weight,
        (configuration ->> '$.latency_attribution.acknowledgement_weight')::DOUBLE AS acknowledgement_weight,
        (configuration ->> '$.latency_attribution.fill_weight')::DOUBLE AS fill_weight,
        (configuration ->> '$.latency_attribution.fill_ratio_weight')::DOUBLE AS fill_ratio_weight,
        (configuration ->> '$.latency_attribution.slippage_half_ticks')::DOUBLE AS slippage_half_ticks,
        (configuration ->> '$.latency_attribution.acknowledgement_half_ms')::DOUBLE AS acknowledgement_half_ms,
        (configuration ->> '$.latency_attribution.fill_half_ms')::DOUBLE AS fill_half_ms
    FROM staging.runs
),
stops AS (
    SELECT run_id, order_no, nullif(arg_min(stop_price, order_event_no), 0) AS stop_price
    FROM staging.orders
    GROUP BY run_id, order_no
),
measured AS (
    SELECT
        l.run_id, l.order_no, l.intent_no, l.day, l.instrument_id, l.engine, l.order_type, l.is_exit, l.size, l.fill_lots,
        l.ts_ended,
        coalesce(s.stop_price, nullif(CASE WHEN l.side > 0 THEN l.arrival_ask ELSE l.arrival_bid END, 0)) AS arrival_price,
        least(l.fill_lots / greatest(l.size, 1), 1.0) AS fill_ratio,
        l.side * (l.average_price - coalesce(
            s.stop_price, nullif(CASE WHEN l.side > 0 THEN l.arrival_ask ELSE l.arrival_bid END, 0)
        )) AS slippage_ticks,
        (l.ts_acknowledged - l.ts_sent) / 1e6 AS ack_ms,
        CASE WHEN l.fill_lots > 0 THEN (l.ts_last_fill - l.ts_acknowledged) / 1e6 END AS fill_ms
    FROM core.order_lifecycle AS l
    JOIN stops AS s ON s.run_id = l.run_id AND s.order_no = l.order_no
    WHERE l.ts_ended IS NOT NULL
)
SELECT
    m.run_id,
    m.order_no,
    m.intent_no,
    m.day,
    make_timestamp_ns(m.ts_ended) AS ended,
    i.symbol,
    g.name AS engine,
    t.name AS order_type,
    m.is_exit = 1 AS is_exit,
    m.size AS lots,
    m.fill_lots,
    m.fill_ratio,
    m.slippage_ticks,
    m.ack_ms,
    m.fill_ms,
    CASE WHEN m.ack_ms IS NULL THEN 0 * c.acknowledgement_weight ELSE (
        c.acknowledgement_weight * c.acknowledgement_half_ms / (c.acknowledgement_half_ms + greatest(m.ack_ms, 0))
        + m.fill_ratio * (
            c.slippage_weight * c.slippage_half_ticks
                / (c.slippage_half_ticks + greatest(coalesce(m.slippage_ticks, 0), 0))
            + c.fill_weight * c.fill_half_ms / (c.fill_half_ms + greatest(coalesce(m.fill_ms, 0), 0))
            + c.fill_ratio_weight
        )
    ) / (c.acknowledgement_weight + c.slippage_weight + c.fill_weight + c.fill_ratio_weight) END AS score
FROM measured AS m
JOIN settings AS c ON c.run_id = m.run_id
JOIN staging.instruments AS i ON i.run_id = m.run_id AND i.instrument_id = m.instrument_id
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = m.engine
LEFT JOIN staging.enumerations AS t ON t.enumeration = 'OrderType' AND t.code = m.order_type
