-- core.releases: which release was in force over which events of a run, and whether the kill switch held it flat.
-- grain: change of release or kill switch of a run
-- key: run_id, release_no
-- kind: view
-- release_id is empty for the built-in defaults; until_event_no is null while it is still in force.
SELECT
    run_id,
    release_no,
    release_id,
    killed = 1 AS killed,
    event_no AS from_event_no,
    lead(event_no) OVER (PARTITION BY run_id ORDER BY release_no) AS until_event_no,
    CASE WHEN ts_event > 0 THEN make_timestamp_ns(ts_event) END AS ts
FROM staging.releases
