-- marts.gate_effect: what the gates let through and hold back, and what the approved intents then earned.
-- grain: run, engine, symbol, release, gate (the decision's reason)
-- key: run_id, engine, symbol, release_no, gate
-- kind: view
-- lots_held_back: wanted minus approved (refusals and scaling down). wins, net: of closed intents, after fees; null for
-- gates that refuse, whose intents never traded.
SELECT
    d.run_id,
    g.name AS engine,
    i.symbol,
    d.release_no,
    o.name AS gate,
    count(*) AS intents,
    sum(d.size_wanted)::BIGINT AS lots_wanted,
    sum(d.size_wanted - d.size_approved)::BIGINT AS lots_held_back,
    count(*) FILTER (d.approved = 1 AND d.size_approved < d.size_wanted) AS scaled_down,
    avg(n.confidence) AS mean_confidence,
    avg(n.model_score) FILTER (NOT isnan(n.model_score)) AS mean_model_score,
    CASE WHEN d.reason = 0 THEN count(*) FILTER (x.closed) END AS closed,
    CASE WHEN d.reason = 0 THEN count(*) FILTER (x.closed AND x.net > 0) END AS wins,
    CASE WHEN d.reason = 0 THEN sum((x.realised_nanos - x.fee_nanos)::HUGEINT) FILTER (x.closed) / 1e9 END AS net
FROM staging.decisions AS d
JOIN staging.instruments AS i ON i.run_id = d.run_id AND i.instrument_id = d.instrument_id
LEFT JOIN staging.intents AS n ON n.run_id = d.run_id AND n.intent_no = d.intent_no
LEFT JOIN core.intent_outcomes AS x ON x.run_id = d.run_id AND x.intent_no = d.intent_no
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = d.engine
LEFT JOIN staging.enumerations AS o ON o.enumeration = 'DecisionReason' AND o.code = d.reason
GROUP BY d.run_id, g.name, i.symbol, d.release_no, o.name, d.reason
