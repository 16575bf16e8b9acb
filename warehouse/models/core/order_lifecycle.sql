-- core.order_lifecycle: one row an order: when it was sent, acknowledged, filled and ended, and with what result.
-- grain: order
-- key: run_id, order_no
-- kind: table
-- refresh: order_no from orders, fills
-- Sizes in lots, prices in ticks, times in ns UTC, money in nanos; marts.execution_quality has real prices. Times are
-- those at which the client knew; ts_venue_… are those at the venue. The acknowledgement is the venue's first answer of
-- any kind. Arrival is the touch when the order was sent. An order whose end lies in a segment not yet ingested has
-- ts_ended null.
WITH states AS (
    SELECT
        run_id,
        order_no,
        min(intent_no) AS intent_no,
        min(instrument_id) AS instrument_id,
        min(engine) AS engine,
        min(side) AS side,
        min(is_exit) AS is_exit,
        min(order_type) AS order_type,
        min(time_in_force) AS time_in_force,
        arg_min(day, order_event_no) AS day,
        arg_min(reason, order_event_no) AS reason,
        arg_max(reason, order_event_no) AS last_reason,
        arg_max(status, order_event_no) AS last_status,
        arg_min(price, order_event_no) AS limit_price,
        arg_min(size, order_event_no) AS size,
        max(filled) AS filled,
        min(event_no) AS event_no,
        min(ts_sent) AS ts_sent,
        min(ts_event) FILTER (status NOT IN (1, 5, 9) OR ts_venue <> 0) AS ts_acknowledged,
        min(ts_venue) FILTER (ts_venue <> 0) AS ts_venue_acknowledged,
        min(ts_event) FILTER (status IN (3, 4)) AS ts_first_fill,
        max(ts_event) FILTER (status IN (3, 4)) AS ts_last_fill,
        min(ts_venue) FILTER (status IN (3, 4) AND ts_venue <> 0) AS ts_venue_first_fill,
        max(ts_event) FILTER (status IN (4, 6, 7, 8)) AS ts_ended,
        arg_min(bid_price, order_event_no) AS arrival_bid,
        arg_min(ask_price, order_event_no) AS arrival_ask,
        count(*) AS order_events
    FROM staging.orders
    GROUP BY run_id, order_no
),
trades AS (
    SELECT
        run_id,
        order_no,
        count(*) AS fills,
        sum(size)::BIGINT AS fill_lots,
        sum(price::HUGEINT * size) / sum(size) AS average_price,
        sum(fee_nanos)::BIGINT AS fee_nanos,
        sum(realised_nanos)::BIGINT AS realised_nanos
    FROM staging.fills
    GROUP BY run_id, order_no
)
SELECT
    s.*,
    coalesce(t.fills, 0) AS fills,
    coalesce(t.fill_lots, 0) AS fill_lots,
    t.average_price,
    coalesce(t.fee_nanos, 0) AS fee_nanos,
    coalesce(t.realised_nanos, 0) AS realised_nanos
FROM states AS s
LEFT JOIN trades AS t ON t.run_id = s.run_id AND t.order_no = s.order_no
