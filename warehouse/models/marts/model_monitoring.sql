-- marts.model_monitoring: the signal model's scores against what came of them: is it calibrated, does it help.
-- grain: run, day, release, engine, tenth of the score
-- key: run_id, day, release_no, engine, score_tenth
-- kind: view
-- Only intents that a model scored. score_tenth k holds scores in [k/10, (k+1)/10), 9 also 1.0. win_rate: of the closed
-- intents; compare it with mean_score.
SELECT
    n.run_id,
    n.day,
    n.release_no,
    r.release_id,
    g.name AS engine,
    least(floor(n.model_score * 10), 9)::INTEGER AS score_tenth,
    count(*) AS intents,
    avg(n.model_score) AS mean_score,
    min(n.model_threshold) AS threshold,
    count(*) FILTER (n.model_score < n.model_threshold) AS below_threshold,
    count(x.intent_no) AS approved,
    count(*) FILTER (x.closed) AS closed,
    count(*) FILTER (x.closed AND x.net > 0) AS wins,
    count(*) FILTER (x.closed AND x.net > 0) / nullif(count(*) FILTER (x.closed), 0) AS win_rate,
    coalesce(sum((x.realised_nanos - x.fee_nanos)::HUGEINT) FILTER (x.closed), 0) / 1e9 AS net
FROM staging.intents AS n
LEFT JOIN staging.releases AS r ON r.run_id = n.run_id AND r.release_no = n.release_no
LEFT JOIN core.intent_outcomes AS x ON x.run_id = n.run_id AND x.intent_no = n.intent_no
LEFT JOIN staging.enumerations AS g ON g.enumeration = 'Engine' AND g.code = n.engine
WHERE NOT isnan(n.model_score)
GROUP BY ALL
