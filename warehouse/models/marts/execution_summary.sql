-- marts.execution_summary: slippage, spread, fees and time to fill, by day, engine, instrument and kind of order.
-- grain: run, day, engine, symbol, order type, entry or exit
-- key: run_id, day, engine, symbol, order_type, is_exit
-- kind: view
-- Averages are weighted by size; slippage_cost and fees are sums in currency.
SELECT
    run_id,
    day,
    engine,
    symbol,
    order_type,
    is_exit,
    count(*) AS fills,
    sum(size) AS volume,
    sum(slippage * size) / sum(size) AS slippage,
    sum(slippage_bps * size) / sum(size) AS slippage_bps,
    sum(effective_spread * size) / sum(size) AS effective_spread,
    sum(slippage_cost) AS slippage_cost,
    sum(fee) AS fees,
    count(*) FILTER (liquidity = 'maker') / count(*) AS maker_share,
    quantile_disc(sent_to_fill_ns, 0.5) AS sent_to_fill_p50_ns,
    quantile_disc(sent_to_fill_ns, 0.99) AS sent_to_fill_p99_ns
FROM marts.execution_quality
GROUP BY ALL
