-- core.positions: what each engine holds of each instrument now, and the cash that it took, from the fills.
-- grain: run, engine, instrument
-- key: run_id, engine, symbol
-- kind: view
-- position_stated is what the last fill says, for reconciliation; value and pnl at the last mark, in currency, are
-- null where the last mark is of another position than the fills give.
WITH traded AS (
    SELECT run_id, engine, instrument_id,
        count(*) AS fills,
        sum(side * size)::BIGINT AS position_lots,
        arg_max(position_after, fill_no) AS position_stated,
        sum(size)::BIGINT AS lots_traded,
        sum(cash_nanos)::BIGINT AS cash_nanos,
        sum(fee_nanos)::BIGINT AS fee_nanos,
        sum(realised_nanos)::BIGINT AS realised_nanos,
        max(ts_event) AS ts_ns
    FROM staging.fills
    GROUP BY run_id, engine, instrument_id
),
marked AS (
    SELECT run_id, engine, instrument_id,
        arg_max(position, mark_no) AS position,
        arg_max(value_nanos, mark_no) AS value_nanos
    FROM staging.marks
    GROUP BY run_id, engine, instrument_id
)
SELECT
    t.run_id,
    g.name AS engine,
    i.symbol,
    i.currency,
    t.fills,
    t.position_lots,
    t.position_stated,
    t.position_lots * i.lot_numerator / i.lot_denominator AS position,
    t.lots_traded * i.lot_numerator / i.lot_denominator AS volume,
    t.cash_nanos,
    t.fee_nanos,
    t.realised_nanos,
    CASE WHEN m.position = t.position_lots THEN m.value_nanos END AS value_nanos,
    CASE WHEN m.position = t.position_lots THEN (t.cash_nanos + m.value_nanos - t.fee_nanos) / 1e9 END AS pnl,
    make_timestamp_ns(t.ts_ns) AS last_fill
FROM traded AS t
JOIN staging.instruments AS i ON i.run_id = t.run_id AND i.instrument_id = t.instrument_id
LEFT JOIN marked AS m ON m.run_id = t.run_id AND m.engine = t.engine AND m.instrument_id = t.instrument_id
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = t.engine
