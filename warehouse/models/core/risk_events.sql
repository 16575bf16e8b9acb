-- core.risk_events: what has changed in how much risk is taken: breaker, pauses, weights, hedges, adjustments.
-- grain: change
-- key: run_id, risk_event_no
-- kind: view
-- What state, value and threshold mean stands with each kind under Enumerations; engine and symbol are null where the
-- whole account is meant.
SELECT
    r.run_id,
    r.risk_event_no,
    r.event_no,
    r.day,
    make_timestamp_ns(r.ts_event) AS ts,
    r.ts_event AS ts_ns,
    k.name AS kind,
    r.state,
    g.name AS engine,
    i.symbol,
    r.value,
    r.threshold,
    r.release_no
FROM staging.risk_events AS r
LEFT JOIN staging.instruments AS i ON i.run_id = r.run_id AND i.instrument_id = r.instrument_id
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = r.engine
LEFT JOIN staging.enumerations AS k ON k.enumeration = 'RiskEventKind' AND k.code = r.kind
