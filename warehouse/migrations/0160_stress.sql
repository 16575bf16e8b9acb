-- Risk: what stress scenarios cost at each day's end, and whether the live forecasts of value at risk held.

-- grain: run, UTC day and stress scenario; key: run_id, day, scenario
CREATE TABLE learning.stress (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    scenario VARCHAR NOT NULL,         -- spread, gap_up, gap_down or correlation
    loss DOUBLE,                       -- fraction of equity, negative: a gain; null while a price or volatility is unknown
    equity_nanos BIGINT NOT NULL,      -- at the day's last mark
    gross_nanos BIGINT,                -- sum of the absolute values of the net positions, at the closing mids
    net_nanos BIGINT,                  -- of their signed values
    instruments BIGINT NOT NULL        -- with a position at the day's end, all engines together
);

-- grain: run, last UTC day with a forecast, what it is held against, method and period; key: run_id, day, basis, method, period_s
CREATE TABLE learning.live_coverage (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    basis VARCHAR NOT NULL,            -- positions: what was held, at mids; equity: trades within the period and costs too
    method VARCHAR NOT NULL,           -- historical, cornish_fisher or filtered
    level DOUBLE NOT NULL,             -- share of periods whose loss is within the value at risk
    period_s DOUBLE NOT NULL,          -- seconds that a forecast is held against: the sample interval, the risk horizon
    forecasts BIGINT NOT NULL,         -- journaled in risk_marks while something was held, one a period
    exceptions BIGINT NOT NULL,        -- losses that were larger than forecast
    expected DOUBLE NOT NULL,          -- exceptions that the level says
    mean_forecast DOUBLE,              -- loss, fraction of equity; null without forecasts
    mean_excess DOUBLE,                -- loss beyond the forecast where there was one, fraction of equity
    kupiec_p DOUBLE,                   -- Kupiec 1995: as many exceptions as expected; null without forecasts
    independence_p DOUBLE,             -- Christoffersen 1998: exceptions do not cluster
    conditional_p DOUBLE               -- both together
);
