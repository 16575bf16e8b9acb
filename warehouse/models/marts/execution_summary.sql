-- marts.execution_summary: slippage, spread, fees and time to fill, by day, engine, instrument and kind of order.
-- grain: run, day, engine, symbol, order type, entry or exit
-- key: run_id, day, engine, symbol, order_type, is_exit
-- kind: table
-- refresh: day.. from orders, fills
-- Averages are weighted by size; slippage_cost and fees are sums in currency. Sums are taken of whole billionths, so
-- that they do not depend on the order of the rows.
WITH counted AS (
    SELECT
        run_id,
        day,
        engine,
        symbol,
        order_type,
        is_exit,
        count(*) AS fills,
        sum(round(size * 1e9)::HUGEINT)::DOUBLE AS size_sum,
        sum(round(slippage * size * 1e9)::HUGEINT)::DOUBLE AS slippage_sum,
        sum(round(slippage_bps * size * 1e9)::HUGEINT)::DOUBLE AS slippage_bps_sum,
        sum(round(effective_spread * size * 1e9)::HUGEINT)::DOUBLE AS effective_spread_sum,
        sum(round(slippage_cost * 1e9)::HUGEINT)::DOUBLE AS slippage_cost_sum,
        sum(round(fee * 1e9)::HUGEINT)::DOUBLE AS fee_sum,
        count(*) FILTER (liquidity = 'maker') AS maker_fills,
        quantile_disc(sent_to_fill_ns, 0.5) AS sent_to_fill_p50_ns,
        quantile_disc(sent_to_fill_ns, 0.99) AS sent_to_fill_p99_ns
    FROM marts.execution_quality
    GROUP BY run_id, day, engine, symbol, order_type, is_exit
)
SELECT
    run_id,
    day,
    engine,
    symbol,
    order_type,
    is_exit,
    fills,
    size_sum / 1e9 AS volume,
    slippage_sum / size_sum AS slippage,
    slippage_bps_sum / size_sum AS slippage_bps,
    effective_spread_sum / size_sum AS effective_spread,
    slippage_cost_sum / 1e9 AS slippage_cost,
    fee_sum / 1e9 AS fees,
    maker_fills / fills AS maker_share,
    sent_to_fill_p50_ns,
    sent_to_fill_p99_ns
FROM counted
