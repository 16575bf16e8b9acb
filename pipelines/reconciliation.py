"""Do the books of the account agree: intents with decisions, fills with orders, positions, cash and marks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chimera_platform.workdir import WorkDir
from warehouse.connection import connect


@dataclass(frozen=True)
class Finding:
    """A sum that does not agree: how many rows, and the first of them."""

    check: str
    count: int
    example: str


_HORIZONS = """
WITH sealed AS (
    SELECT r.run_id,
        (SELECT max(intent_no) FROM staging.intents AS t WHERE t.run_id = r.run_id) AS intents,
        (SELECT max(intent_no) FROM staging.decisions AS t WHERE t.run_id = r.run_id) AS decisions,
        (SELECT max(event_no) FROM staging.orders AS t WHERE t.run_id = r.run_id) AS orders,
        (SELECT max(event_no) FROM staging.fills AS t WHERE t.run_id = r.run_id) AS fills
    FROM staging.runs AS r
)"""
"""How far each table of a run has been sealed. A flow that is running seals them one by one, so two tables are
compared only up to where both are known; rows behind that are compared once the other table has caught up."""

_CHECKS: dict[str, str] = {
    "every intent has exactly one decision": """
        SELECT coalesce(i.run_id, d.run_id) AS run_id, coalesce(i.intent_no, d.intent_no) AS intent_no,
            coalesce(i.n, 0) AS intents, coalesce(d.n, 0) AS decisions
        FROM (SELECT run_id, intent_no, count(*) AS n FROM staging.intents GROUP BY ALL) AS i
        FULL JOIN (SELECT run_id, intent_no, count(*) AS n FROM staging.decisions GROUP BY ALL) AS d
            USING (run_id, intent_no)
        JOIN sealed AS s ON s.run_id = coalesce(i.run_id, d.run_id)
            AND coalesce(i.intent_no, d.intent_no) <= least(s.intents, s.decisions)
        WHERE coalesce(i.n, 0) <> 1 OR coalesce(d.n, 0) <> 1""",
    "every fill is of an approved intent": """
        SELECT f.run_id, f.fill_no, f.intent_no
        FROM staging.fills AS f
        JOIN sealed AS s ON s.run_id = f.run_id AND f.intent_no <= s.decisions
        LEFT JOIN staging.decisions AS d ON d.run_id = f.run_id AND d.intent_no = f.intent_no AND d.approved = 1
        WHERE d.intent_no IS NULL""",
    "the fills of an order sum to what the order says": """
        SELECT run_id, order_no, o.filled, f.filled AS fills
        FROM (
            SELECT t.run_id, t.order_no, max(t.filled) AS filled
            FROM staging.orders AS t JOIN sealed AS s ON s.run_id = t.run_id
            WHERE t.event_no <= least(s.orders, s.fills) GROUP BY ALL
        ) AS o
        FULL JOIN (
            SELECT t.run_id, t.order_no, sum(t.size)::BIGINT AS filled
            FROM staging.fills AS t JOIN sealed AS s ON s.run_id = t.run_id
            WHERE t.event_no <= least(s.orders, s.fills) GROUP BY ALL
        ) AS f USING (run_id, order_no)
        WHERE coalesce(o.filled, -1) <> coalesce(f.filled, 0)""",
    "the fills sum to the position that each states": """
        SELECT run_id, fill_no, position_after, summed
        FROM (
            SELECT run_id, fill_no, position_after,
                sum(side * size) OVER (PARTITION BY run_id, engine, instrument_id ORDER BY fill_no)::BIGINT AS summed
            FROM staging.fills
        )
        WHERE position_after <> summed""",
    "cash is price times size": """
        SELECT f.run_id, f.fill_no, f.cash_nanos, -f.side * f.price::HUGEINT * f.size * i.tick_value_nanos AS expected
        FROM staging.fills AS f JOIN staging.instruments AS i USING (run_id, instrument_id)
        WHERE f.cash_nanos <> -f.side * f.price::HUGEINT * f.size * i.tick_value_nanos""",
    "marks agree with the fills before them": """
        SELECT m.run_id, m.mark_no, m.position, f.position AS fills_position,
            m.realised_nanos, m.cost_nanos, f.cash_nanos, m.fees_nanos, f.fee_nanos
        FROM (
            SELECT t.run_id, mark_no, engine, instrument_id, event_no, position, realised_nanos, cost_nanos, fees_nanos
            FROM staging.marks AS t JOIN sealed AS s ON s.run_id = t.run_id AND t.event_no <= s.fills
            QUALIFY mark_no = max(mark_no) OVER (PARTITION BY t.run_id, engine, instrument_id, event_no)
        ) AS m
        ASOF JOIN (
            SELECT run_id, engine, instrument_id, event_no, fill_no,
                (sum(side * size) OVER w)::BIGINT AS position,
                sum(cash_nanos) OVER w AS cash_nanos,
                sum(fee_nanos) OVER w AS fee_nanos
            FROM staging.fills
            WINDOW w AS (PARTITION BY run_id, engine, instrument_id ORDER BY fill_no)
            QUALIFY fill_no = max(fill_no) OVER (PARTITION BY run_id, engine, instrument_id, event_no)
        ) AS f
        ON m.run_id = f.run_id AND m.engine = f.engine AND m.instrument_id = f.instrument_id
            AND m.event_no >= f.event_no
        WHERE m.position <> f.position OR m.fees_nanos <> f.fee_nanos
            OR f.cash_nanos + m.cost_nanos <> m.realised_nanos""",
}
"""Name of the check → query for the rows that break it."""


def reconcile(workdir: WorkDir) -> list[Finding]:
    """Return the sums of the account that do not agree; empty where all do."""
    connection = connect(workdir)
    try:
        findings = []
        for check, query in _CHECKS.items():
            rows = connection.execute(f"{_HORIZONS}{query} ORDER BY ALL").to_arrow_table()
            if rows.num_rows:
                findings.append(Finding(check, rows.num_rows, _sentence(rows.slice(0, 1).to_pylist()[0])))
        return findings
    finally:
        connection.close()


def reconciliation_checks() -> tuple[str, ...]:
    """Return the names of what :func:`reconcile` checks."""
    return tuple(_CHECKS)


def _sentence(row: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())
