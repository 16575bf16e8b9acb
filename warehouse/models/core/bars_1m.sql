-- core.bars_1m: one-minute bars, of the mid of two-sided quotes (basis 'quote') and of trades (basis 'trade').
-- grain: run, instrument, minute with at least one event, basis
-- key: run_id, instrument_id, basis, ts_ns
-- kind: table
-- refresh: day from events
-- ts_ns is the minute's open; it holds the events with ts_ns <= t < ts_ns + 60 s. A trade is a TRADE print or an
-- execution of a resting order (EXECUTE), whose aggressor is the other side. Books of L2 and L3 feeds give no quote
-- bars here, because their mid is the book kernel's to know.
WITH quotes AS (
    SELECT run_id, instrument_id, day, event_no,
        (ts_event // 60000000000) * 60000000000 AS ts_ns,
        price AS bid, ask_price AS ask, price + ask_price AS mid_2
    FROM staging.events
    WHERE kind = 8 AND size > 0 AND ask_size > 0
),
trades AS (
    SELECT run_id, instrument_id, day, event_no,
        (ts_event // 60000000000) * 60000000000 AS ts_ns,
        price, size,
        CASE WHEN kind = 7 THEN side ELSE -side END AS aggressor
    FROM staging.events
    WHERE kind IN (5, 7) AND size > 0
),
in_ticks AS (
    SELECT run_id, instrument_id, day, 'quote' AS basis, ts_ns,
        arg_min(mid_2, event_no) / 2 AS open, max(mid_2) / 2 AS high, min(mid_2) / 2 AS low,
        arg_max(mid_2, event_no) / 2 AS close,
        arg_min(bid, event_no) AS bid_open, max(bid) AS bid_high, min(bid) AS bid_low,
        arg_max(bid, event_no) AS bid_close,
        arg_min(ask, event_no) AS ask_open, max(ask) AS ask_high, min(ask) AS ask_low,
        arg_max(ask, event_no) AS ask_close,
        count(*) AS updates, 0 AS trades,
        0::HUGEINT AS lots, 0::HUGEINT AS buy_lots, 0::HUGEINT AS sell_lots, NULL::DOUBLE AS vwap
    FROM quotes
    GROUP BY run_id, instrument_id, day, ts_ns
    UNION ALL
    SELECT run_id, instrument_id, day, 'trade' AS basis, ts_ns,
        arg_min(price, event_no), max(price), min(price), arg_max(price, event_no),
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        count(*), count(*),
        sum(size), coalesce(sum(size) FILTER (aggressor > 0), 0), coalesce(sum(size) FILTER (aggressor < 0), 0),
        sum(price::HUGEINT * size) / sum(size)
    FROM trades
    GROUP BY run_id, instrument_id, day, ts_ns
)
SELECT
    b.run_id,
    b.instrument_id,
    i.symbol,
    b.day,
    b.basis,
    b.ts_ns,
    make_timestamp_ns(b.ts_ns) AS ts,
    b.open * i.tick_numerator / i.tick_denominator AS open,
    b.high * i.tick_numerator / i.tick_denominator AS high,
    b.low * i.tick_numerator / i.tick_denominator AS low,
    b.close * i.tick_numerator / i.tick_denominator AS close,
    b.bid_open * i.tick_numerator / i.tick_denominator AS bid_open,
    b.bid_high * i.tick_numerator / i.tick_denominator AS bid_high,
    b.bid_low * i.tick_numerator / i.tick_denominator AS bid_low,
    b.bid_close * i.tick_numerator / i.tick_denominator AS bid_close,
    b.ask_open * i.tick_numerator / i.tick_denominator AS ask_open,
    b.ask_high * i.tick_numerator / i.tick_denominator AS ask_high,
    b.ask_low * i.tick_numerator / i.tick_denominator AS ask_low,
    b.ask_close * i.tick_numerator / i.tick_denominator AS ask_close,
    b.lots::DOUBLE * i.lot_numerator / i.lot_denominator AS volume,
    b.buy_lots::DOUBLE * i.lot_numerator / i.lot_denominator AS buy_volume,
    b.sell_lots::DOUBLE * i.lot_numerator / i.lot_denominator AS sell_volume,
    b.vwap * i.tick_numerator / i.tick_denominator AS vwap,
    b.trades,
    b.updates
FROM in_ticks AS b
JOIN staging.instruments AS i ON i.run_id = b.run_id AND i.instrument_id = b.instrument_id
