"""What could be wrong with stored labels: skewed features, knowledge of the next day, intents left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chimera_platform.execution.records import Engine
from chimera_platform.workdir import WorkDir
from warehouse.connection import connect

_QUERY = f"""
SELECT
    count(*),
    count(*) FILTER (NOT l.features_equal),
    coalesce(min('run ' || n.run_id || ', intent ' || n.intent_no) FILTER (NOT l.features_equal), ''),
    count(*) FILTER (l.outcome <= 3 AND l.horizon_end_ts >= epoch_ns(n.day + INTERVAL 1 DAY)),
    count(*) FILTER (l.intent_no IS NULL AND n.event_no <= e.last_event AND u.day IS NULL)
FROM staging.intents AS n
LEFT JOIN learning.labelled_intents AS l ON l.run_id = n.run_id AND l.intent_no = n.intent_no AND l.day = n.day
LEFT JOIN (
    SELECT run_id, max(last_row) AS last_event FROM staging.segments WHERE table_name = 'events' GROUP BY ALL
) AS e ON e.run_id = n.run_id
LEFT JOIN (
    SELECT run_id, day FROM learning.data_quality WHERE quarantined
) AS u ON u.run_id = n.run_id AND u.day = n.day
WHERE n.engine <> {int(Engine.HEDGE)}
"""


@dataclass(frozen=True)
class LabelErrors:
    """Counts over the intents looked at."""

    intents: int
    features_differ: int
    first_difference: str
    past_the_day: int
    missing: int


def label_errors(workdir: WorkDir, days: Sequence[str] | None = None) -> LabelErrors:
    """Count what is wrong with the labels of the given UTC days (None: all); hedges have none."""
    where = "" if days is None else "AND n.day IN (SELECT unnest(?::DATE[]))"
    connection = connect(workdir)
    try:
        row = connection.execute(_QUERY + where, [] if days is None else [list(days)]).fetchall()[0]
    finally:
        connection.close()
    return LabelErrors(*row)
