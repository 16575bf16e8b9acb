-- core.engine_pnl_daily: what each engine earned in each instrument on each UTC day.
-- grain: run, day, engine, instrument with a fill or a mark that day
-- key: run_id, day, engine, symbol
-- kind: view
-- pnl = realised - fees + change of the unrealised profit since the last such day; unrealised = value - cost at the
-- day's last mark, carried forward over days without one. Money in nanos (exact) and pnl in currency.
WITH traded AS (
    SELECT run_id, day, engine, instrument_id,
        count(*) AS fills,
        sum(size)::BIGINT AS lots,
        sum(side * size)::BIGINT AS position_change,
        sum(cash_nanos)::BIGINT AS cash_nanos,
        sum(fee_nanos)::BIGINT AS fee_nanos,
        sum(realised_nanos)::BIGINT AS realised_nanos
    FROM staging.fills
    GROUP BY ALL
),
marked AS (
    SELECT run_id, day, engine, instrument_id,
        arg_max(value_nanos - cost_nanos, mark_no) AS unrealised_nanos
    FROM staging.marks
    GROUP BY ALL
),
days AS (
    SELECT run_id, day, engine, instrument_id, t.* EXCLUDE (run_id, day, engine, instrument_id), m.unrealised_nanos
    FROM traded AS t
    FULL JOIN marked AS m USING (run_id, day, engine, instrument_id)
),
running AS (
    SELECT
        run_id, day, engine, instrument_id,
        coalesce(fills, 0) AS fills,
        coalesce(lots, 0) AS lots,
        coalesce(cash_nanos, 0) AS cash_nanos,
        coalesce(fee_nanos, 0) AS fee_nanos,
        coalesce(realised_nanos, 0) AS realised_nanos,
        sum(coalesce(position_change, 0)) OVER series AS position_lots,
        coalesce(last_value(unrealised_nanos IGNORE NULLS) OVER series, 0) AS unrealised_nanos
    FROM days
    WINDOW series AS (PARTITION BY run_id, engine, instrument_id ORDER BY day)
),
changed AS (
    SELECT *,
        realised_nanos - fee_nanos + unrealised_nanos - lag(unrealised_nanos, 1, 0) OVER (
            PARTITION BY run_id, engine, instrument_id ORDER BY day
        ) AS pnl_nanos
    FROM running
)
SELECT
    c.run_id,
    c.day,
    g.name AS engine,
    i.symbol,
    i.currency,
    c.fills,
    c.lots * i.lot_numerator / i.lot_denominator AS volume,
    c.position_lots::BIGINT AS position_lots,
    c.cash_nanos,
    c.fee_nanos,
    c.realised_nanos,
    c.unrealised_nanos,
    c.pnl_nanos,
    c.pnl_nanos / 1e9 AS pnl
FROM changed AS c
JOIN staging.instruments AS i ON i.run_id = c.run_id AND i.instrument_id = c.instrument_id
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = c.engine
