"""Does the stored attribution add up, against fills and closing quotes summed in SQL."""

from __future__ import annotations

from chimera_platform.workdir import WorkDir
from warehouse.connection import connect

_PARTS = """
SELECT 'run ' || run_id || ', ' || day || ', engine ' || engine || ': parts are off net by '
    || (mid_alpha_nanos - spread_nanos - slippage_nanos - fee_nanos - net_nanos) || ' nanos'
FROM learning.attribution
WHERE mid_alpha_nanos - spread_nanos - slippage_nanos - fee_nanos <> net_nanos
ORDER BY ALL"""

# Summed over the days, net is what the fills and the last value say; where all of the fills have been attributed.
_TOTALS = """
WITH attributed AS (
    SELECT run_id, engine, instrument_id, sum(net_nanos) AS net, sum(fills) AS fills, max(day) AS day
    FROM learning.attribution GROUP BY ALL
),
traded AS (
    SELECT run_id, engine, instrument_id,
        count(*) AS fills, sum(cash_nanos - fee_nanos) AS cash, sum(side * size) AS position
    FROM staging.fills GROUP BY ALL
),
expected AS (
    SELECT a.*,
        t.cash + coalesce((t.position * (q.bid_price + q.ask_price) * i.tick_value_nanos) // 2, 0) AS expected
    FROM attributed AS a
    JOIN traded AS t USING (run_id, engine, instrument_id, fills)
    JOIN staging.instruments AS i USING (run_id, instrument_id)
    LEFT JOIN learning.closing_quotes AS q
        ON q.run_id = a.run_id AND q.instrument_id = a.instrument_id AND q.day = a.day
)
SELECT 'run ' || run_id || ', engine ' || engine || ', instrument ' || instrument_id || ': net ' || net
    || ' nanos, fills and closing value say ' || expected
FROM expected
WHERE abs(net - expected) > 1
ORDER BY ALL"""


def attribution_errors(workdir: WorkDir) -> list[str]:
    """Return a sentence for each sum that is off; empty where all add up."""
    connection = connect(workdir)
    try:
        return [text for query in (_PARTS, _TOTALS) for (text,) in connection.execute(query).fetchall()]
    finally:
        connection.close()
