-- core.ticks: the market events of every run in real prices and sizes.
-- grain: market event record
-- key: run_id, event_no
-- kind: view
-- price: of a quote the bid; null for status and clear events. ask_price, ask_size: quotes only.
SELECT
    e.run_id,
    e.event_no,
    e.day,
    make_timestamp_ns(e.ts_event) AS ts,
    e.ts_event AS ts_ns,
    e.ts_recv - e.ts_event AS feed_latency_ns,
    i.symbol,
    k.name AS kind,
    e.side,
    CASE WHEN e.kind NOT IN (9, 10) THEN e.price * i.tick_numerator / i.tick_denominator END AS price,
    CASE WHEN e.kind NOT IN (9, 10) THEN e.size * i.lot_numerator / i.lot_denominator END AS size,
    CASE WHEN e.kind = 8 THEN e.ask_price * i.tick_numerator / i.tick_denominator END AS ask_price,
    CASE WHEN e.kind = 8 THEN e.ask_size * i.lot_numerator / i.lot_denominator END AS ask_size,
    e.order_id,
    e.seq,
    e.flags
FROM staging.events AS e
JOIN staging.instruments AS i ON i.run_id = e.run_id AND i.instrument_id = e.instrument_id
LEFT JOIN staging.enumerations AS k ON k.enumeration = 'EventKind' AND k.code = e.kind
