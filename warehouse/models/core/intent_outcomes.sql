-- core.intent_outcomes: what each approved intent earned once its position was closed.
-- grain: approved intent
-- key: run_id, intent_no
-- kind: view
-- closed: as many lots left as entered, at least one; net is realised minus the fees of entry and exit, in currency.
WITH traded AS (
    SELECT run_id, intent_no,
        sum(size) FILTER (is_exit = 0) AS entered_lots,
        sum(size) FILTER (is_exit = 1) AS left_lots,
        sum(realised_nanos)::BIGINT AS realised_nanos,
        sum(fee_nanos)::BIGINT AS fee_nanos,
        min(ts_event) AS ts_first_fill,
        max(ts_event) AS ts_last_fill
    FROM staging.fills
    GROUP BY run_id, intent_no
)
SELECT
    d.run_id,
    d.intent_no,
    d.day,
    d.instrument_id,
    d.engine,
    d.release_no,
    n.model_score,
    n.model_threshold,
    d.size_approved,
    coalesce(t.entered_lots, 0)::BIGINT AS entered_lots,
    coalesce(t.left_lots, 0)::BIGINT AS left_lots,
    coalesce(t.entered_lots > 0 AND t.entered_lots = t.left_lots, false) AS closed,
    coalesce(t.realised_nanos, 0) AS realised_nanos,
    coalesce(t.fee_nanos, 0) AS fee_nanos,
    (coalesce(t.realised_nanos, 0) - coalesce(t.fee_nanos, 0)) / 1e9 AS net,
    t.ts_last_fill - t.ts_first_fill AS held_ns
FROM staging.decisions AS d
LEFT JOIN staging.intents AS n ON n.run_id = d.run_id AND n.intent_no = d.intent_no
LEFT JOIN traded AS t ON t.run_id = d.run_id AND t.intent_no = d.intent_no
WHERE d.approved = 1
