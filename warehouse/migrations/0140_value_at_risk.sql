-- Risk: value at risk of the account's returns, and how forecasts of it did.

-- grain: run, last UTC day whose returns were known, and method; key: run_id, day, method
CREATE TABLE learning.value_at_risk (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    method VARCHAR NOT NULL,           -- historical, cornish_fisher or filtered
    level DOUBLE NOT NULL,             -- share of periods whose loss is within the value at risk
    period_s INTEGER NOT NULL,         -- seconds of a return's period; periods without a mark do not count
    periods BIGINT NOT NULL,           -- returns known
    value_at_risk DOUBLE,              -- loss of a period, fraction of equity; null with fewer than 20 returns
    expected_shortfall DOUBLE,         -- mean loss of a period beyond it, fraction of equity
    forecasts BIGINT NOT NULL,         -- each from the returns before it
    exceptions BIGINT NOT NULL,        -- losses above their forecast
    expected DOUBLE NOT NULL,          -- exceptions that the level says
    kupiec_p DOUBLE,                   -- Kupiec 1995: as many exceptions as expected; null without forecasts
    independence_p DOUBLE,             -- Christoffersen 1998: exceptions do not cluster
    conditional_p DOUBLE               -- both together
);
