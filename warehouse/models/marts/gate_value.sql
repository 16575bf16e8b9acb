-- marts.gate_value: what each gate saved and what it cost: what it refused or resized, carried out in the venue model.
-- grain: run, gate, session, engine, each also 'all'
-- key: run_id, gate, session, engine
-- kind: view
-- held_back: intents refused or approved in another size. Of these carried_out in the venue model, alone, in the size
-- wanted and in that approved; not carried out are those that wanted again what had been refused before (repeats), those
-- of an engine that was in the instrument already (engaged), those without a market (untradable); hedges are left out,
-- and quarantined days are not valued. saved: losses that did not happen, missed: profits that did not, net_effect:
-- saved - missed, in currency after fees. mean_effect with its 95 % interval (low, high; stationary bootstrap) is of an
-- intent carried out; verdict: saves or costs where the interval is clear of 0, else undecided. Null before the
-- valuation has run.
WITH gated AS (
    SELECT
        d.run_id,
        g.name AS gate,
        s.name AS session,
        e.name AS engine,
        d.approved = 0 AND d.is_engaged = 1 AS is_engaged,
        d.approved = 0 AND d.is_engaged = 0 AND d.is_tradable = 0 AS is_untradable,
        c.outcome = 'repeat' AS is_repeat,
        c.outcome = 'open' AS is_open,
        CASE WHEN q.run_id IS NULL THEN c.effect_nanos END AS effect_nanos
    FROM staging.decisions AS d
    LEFT JOIN learning.gate_counterfactuals AS c ON c.run_id = d.run_id AND c.intent_no = d.intent_no
    LEFT JOIN learning.data_quality AS q ON q.run_id = d.run_id AND q.day = d.day AND q.quarantined
    LEFT JOIN staging.enumerations AS g
        ON g.enumeration = 'DecisionReason' AND g.code = CASE WHEN d.approved = 0 THEN d.reason ELSE d.binding END
    LEFT JOIN staging.enumerations AS s ON s.enumeration = 'CitySession' AND s.code = d.session
    LEFT JOIN staging.enumerations AS e ON e.enumeration = 'Engine' AND e.code = d.engine
    WHERE (d.approved = 0 OR d.size_approved <> d.size_wanted) AND e.name <> 'hedge'
),
summed AS (
    SELECT
        run_id,
        coalesce(gate, 'all') AS gate,
        coalesce(session, 'all') AS session,
        coalesce(engine, 'all') AS engine,
        count(*) AS held_back,
        count(effect_nanos) AS carried_out,
        count(*) FILTER (is_repeat) AS repeats,
        count(*) FILTER (is_engaged) AS engaged,
        count(*) FILTER (is_untradable) AS untradable,
        count(*) FILTER (is_open) AS still_open,
        CASE WHEN count(effect_nanos) > 0 THEN coalesce(sum(effect_nanos) FILTER (effect_nanos > 0), 0) / 1e9 END
            AS saved,
        CASE WHEN count(effect_nanos) > 0 THEN coalesce(-sum(effect_nanos) FILTER (effect_nanos < 0), 0) / 1e9 END
            AS missed,
        sum(effect_nanos) / 1e9 AS net_effect
    FROM gated
    GROUP BY run_id, CUBE (gate, session, engine)
),
latest AS (
    FROM learning.gate_intervals QUALIFY day = max(day) OVER (PARTITION BY run_id)
)
SELECT
    s.*,
    i.mean_effect,
    i.low,
    i.high,
    CASE WHEN i.low > 0 THEN 'saves' WHEN i.high < 0 THEN 'costs' WHEN i.mean_effect IS NOT NULL THEN 'undecided' END
        AS verdict
FROM summed AS s
LEFT JOIN latest AS i
    ON i.run_id = s.run_id AND i.gate = s.gate AND i.session = s.session AND i.engine = s.engine
