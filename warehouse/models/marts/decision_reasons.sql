-- marts.decision_reasons: how often each gate speaks, by day, engine and instrument.
-- grain: run, day, engine, symbol, reason
-- key: run_id, day, engine, symbol, reason
-- kind: view
-- share: of the engine's intents in that instrument on that day.
WITH counted AS (
    SELECT run_id, day, engine, instrument_id, reason,
        count(*) AS intents,
        sum(size_wanted)::BIGINT AS lots_wanted,
        sum(size_approved)::BIGINT AS lots_approved
    FROM staging.decisions
    GROUP BY run_id, day, engine, instrument_id, reason
)
SELECT
    d.run_id,
    d.day,
    g.name AS engine,
    i.symbol,
    o.name AS reason,
    d.intents,
    d.intents / sum(d.intents) OVER (PARTITION BY d.run_id, d.day, d.engine, d.instrument_id) AS share,
    d.lots_wanted,
    d.lots_approved
FROM counted AS d
JOIN staging.instruments AS i ON i.run_id = d.run_id AND i.instrument_id = d.instrument_id
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = d.engine
LEFT JOIN staging.enumerations AS o ON o.enumeration = 'DecisionReason' AND o.code = d.reason
