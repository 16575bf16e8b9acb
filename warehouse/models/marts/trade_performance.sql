-- marts.trade_performance: who earned it: P&L and its ratios by engine, strategy, symbol, session and regime.
-- grain: run, dimension, group of trades
-- key: run_id, dimension, name
-- kind: view
-- dimension: engine, strategy (the intent's reason), symbol, session or regime; each trade is in one group of each, so
-- the groups of a dimension add up to the run. Money in currency, of all trades, open ones too (realised so far);
-- everything else of the closed ones. sharpe, sortino and calmar are of the group's profit of each day on which there
-- were market events, by the days on which its trades closed, annualised with 252 days: mean over standard deviation,
-- mean over the root of the mean squared loss, mean over max_drawdown of the cumulated profit. Null where one is not
-- defined or not finite (no losing trade, fewer than two days).
WITH grouped AS (
    SELECT *
    FROM (
        SELECT run_id, first_fill_no, ts_close, closed, lots, fee_nanos, net_nanos, engine, coalesce(strategy, 'unknown')
            AS strategy, symbol, session, regime
        FROM core.trades
    )
    UNPIVOT (name FOR dimension IN (engine, strategy, symbol, session, regime))
),
sums AS (
    SELECT
        run_id,
        dimension,
        name,
        count(*) FILTER (closed) AS trades,
        count(*) FILTER (NOT closed) AS open_trades,
        sum(lots)::BIGINT AS lots,
        sum(net_nanos::HUGEINT) / 1e9 AS net,
        sum(fee_nanos::HUGEINT) / 1e9 AS fees,
        count(*) FILTER (closed AND net_nanos > 0) / nullif(count(*) FILTER (closed), 0) AS win_rate,
        sum(net_nanos::HUGEINT) FILTER (closed AND net_nanos > 0)
            / nullif(-sum(net_nanos::HUGEINT) FILTER (closed AND net_nanos < 0), 0) AS profit_factor_of_both,
        count(*) FILTER (closed AND net_nanos < 0) AS losses,
        avg(net_nanos / 1e9) FILTER (closed) AS average_trade,
        avg(net_nanos / 1e9) FILTER (closed)
            / nullif(stddev_samp(net_nanos / 1e9) FILTER (closed), 0) AS sharpe_per_trade
    FROM grouped
    GROUP BY run_id, dimension, name
),
curves AS (
    SELECT run_id, dimension, name, sum(net_nanos::HUGEINT) OVER upto AS cumulated,
        row_number() OVER upto AS trade
    FROM grouped
    WHERE closed
    WINDOW upto AS (
        PARTITION BY run_id, dimension, name ORDER BY ts_close, first_fill_no ROWS UNBOUNDED PRECEDING
    )
),
falls AS (
    SELECT run_id, dimension, name,
        greatest(0, max(cumulated) OVER (PARTITION BY run_id, dimension, name ORDER BY trade)) - cumulated AS fall
    FROM curves
),
deepest AS (
    SELECT run_id, dimension, name, max(fall) / 1e9 AS max_drawdown FROM falls GROUP BY run_id, dimension, name
),
days AS (
    SELECT DISTINCT run_id, day FROM staging.events
),
daily AS (
    SELECT s.run_id, s.dimension, s.name, d.day,
        coalesce(sum(g.net_nanos::HUGEINT) FILTER (g.closed), 0) / 1e9 AS profit
    FROM sums AS s
    JOIN days AS d ON d.run_id = s.run_id
    LEFT JOIN grouped AS g ON g.run_id = s.run_id AND g.dimension = s.dimension AND g.name = s.name
        AND make_timestamp_ns(g.ts_close)::DATE = d.day
    GROUP BY s.run_id, s.dimension, s.name, d.day
),
ratios AS (
    SELECT run_id, dimension, name,
        avg(profit) AS mean_day,
        avg(profit) / nullif(stddev_samp(profit), 0) AS sharpe,
        avg(profit) / nullif(sqrt(avg(least(profit, 0) ** 2)), 0) AS sortino,
        count(*) AS days
    FROM daily
    GROUP BY run_id, dimension, name
)
SELECT
    s.run_id,
    s.dimension,
    s.name,
    s.trades,
    s.open_trades,
    s.lots,
    s.net,
    s.fees,
    s.win_rate,
    CASE WHEN s.losses > 0 THEN coalesce(s.profit_factor_of_both, 0) END AS profit_factor,
    s.average_trade,
    s.sharpe_per_trade,
    coalesce(f.max_drawdown, 0) AS max_drawdown,
    r.sharpe * sqrt(252) AS sharpe,
    CASE WHEN r.days > 1 THEN r.sortino * sqrt(252) END AS sortino,
    r.mean_day * 252 / nullif(f.max_drawdown, 0) AS calmar
FROM sums AS s
LEFT JOIN deepest AS f USING (run_id, dimension, name)
LEFT JOIN ratios AS r USING (run_id, dimension, name)
