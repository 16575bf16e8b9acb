-- marts.risk_profile: how much risk an account carried in each hour: value at risk, stress, exposure, drawdown, breaker.
-- grain: run, hour with a mark of risk
-- key: run_id, hour
-- kind: view
-- Figures are the hour's largest, fractions of equity over the risk horizon: value_at_risk and expected_shortfall of the
-- worst method, worst_stress of the worst scenario, which worst_scenario names (null where all gain or lose nothing);
-- null while unknown. gross and largest net in currency; equity at the hour's last mark; drawdown below the peak.
-- breaker: the most severe state of the hour.
WITH known AS (
    SELECT
        run_id, day, risk_mark_no, equity_nanos, drawdown_nanos, day_profit_nanos, gross_nanos, net_nanos, breaker,
        (ts_event // 3600000000000) * 3600000000000 AS hour_ns,
        nullif(portfolio_risk, 'nan'::DOUBLE) AS portfolio_risk,
        nullif(hedge_score, 'nan'::DOUBLE) AS hedge_score,
        nullif(quality, 'nan'::DOUBLE) AS quality,
        greatest(
            nullif(var_historical, 'nan'::DOUBLE),
            nullif(var_cornish_fisher, 'nan'::DOUBLE),
            nullif(var_filtered, 'nan'::DOUBLE)
        ) AS value_at_risk,
        greatest(
            nullif(es_historical, 'nan'::DOUBLE),
            nullif(es_cornish_fisher, 'nan'::DOUBLE),
            nullif(es_filtered, 'nan'::DOUBLE)
        ) AS expected_shortfall,
        nullif(stress_spread, 'nan'::DOUBLE) AS stress_spread,
        nullif(stress_gap_up, 'nan'::DOUBLE) AS stress_gap_up,
        nullif(stress_gap_down, 'nan'::DOUBLE) AS stress_gap_down,
        nullif(stress_correlation, 'nan'::DOUBLE) AS stress_correlation
    FROM staging.risk_marks
),
judged AS (
    SELECT *,
        greatest(stress_spread, stress_gap_up, stress_gap_down, stress_correlation) AS worst_stress,
        CASE
            WHEN worst_stress <= 0 THEN NULL
            WHEN worst_stress = stress_gap_up THEN 'gap_up'
            WHEN worst_stress = stress_gap_down THEN 'gap_down'
            WHEN worst_stress = stress_correlation THEN 'correlation'
            WHEN worst_stress = stress_spread THEN 'spread'
        END AS scenario
    FROM known
),
hourly AS (
    SELECT
        run_id,
        day,
        hour_ns,
        count(*) AS marks,
        max(value_at_risk) AS value_at_risk,
        max(expected_shortfall) AS expected_shortfall,
        max(portfolio_risk) AS portfolio_risk,
        max(worst_stress) AS worst_stress,
        arg_max(scenario, worst_stress) AS worst_scenario,
        max(gross_nanos) / 1e9 AS gross,
        arg_max(net_nanos, abs(net_nanos)) / 1e9 AS net,
        arg_max(equity_nanos, risk_mark_no) / 1e9 AS equity,
        arg_max(day_profit_nanos, risk_mark_no) / 1e9 AS day_profit,
        max(drawdown_nanos) / 1e9 AS drawdown,
        max(drawdown_nanos / nullif(equity_nanos + drawdown_nanos, 0)) AS drawdown_share,
        max(hedge_score) AS hedge_score,
        min(quality) AS quality,
        max(breaker) AS breaker_code
    FROM judged
    GROUP BY run_id, day, hour_ns
)
SELECT
    h.run_id,
    h.day,
    make_timestamp_ns(h.hour_ns) AS hour,
    h.marks,
    h.value_at_risk,
    h.expected_shortfall,
    h.portfolio_risk,
    h.worst_stress,
    h.worst_scenario,
    h.gross,
    h.net,
    h.equity,
    h.day_profit,
    h.drawdown,
    h.drawdown_share,
    h.hedge_score,
    h.quality,
    b.name AS breaker
FROM hourly AS h
LEFT JOIN staging.enumerations AS b ON b.enumeration = 'BreakerState' AND b.code = h.breaker_code
