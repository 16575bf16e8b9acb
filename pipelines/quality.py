"""Is a day's data fit to learn from: every run's day inspected, judged, and kept out of training where it is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.market.book import new_books
from chimera_platform.market.data_quality import QUALITY_COUNTS_DTYPE, inspect_events, new_quality_states
from chimera_platform.settings import to_record
from chimera_platform.workdir import WorkDir
from pipelines.quality_policy import Finding, QualityCheck, QualityPolicy, judge, load_policy
from pipelines.rows import days_behind, event_batches, replace_days, run_days, run_universe
from warehouse.connection import connect

_COUNTS = ("events", "source_events", *QualityCheck)
_NS_PER_MS = 1_000_000


@dataclass(frozen=True)
class DayQuality:
    """What was found in one run's day: numbers by the column names of ``learning.data_quality``, and the judgement."""

    run_id: str
    day: str
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def reasons(self) -> str:
        """What was above its limit, accepted or not; empty where nothing was."""
        return "; ".join(finding.sentence for finding in self.findings if not finding.passed)

    @property
    def accepted(self) -> str:
        """Who has accepted what, and why; empty where nobody has."""
        said = (
            f"{finding.check} by {finding.acceptance.by}: {finding.acceptance.why}"
            for finding in self.findings
            if finding.acceptance is not None
        )
        return "; ".join(said)

    @property
    def quarantined(self) -> bool:
        """Whether the day is kept out of training."""
        return any(not finding.passed and finding.acceptance is None for finding in self.findings)


def inspect_days(
    workdir: WorkDir, days: Sequence[str] | None = None, policy: QualityPolicy | None = None
) -> list[DayQuality]:
    """Inspect the events of the given days (None: all) and write ``learning.data_quality`` and its findings."""
    policy = policy or load_policy(workdir)
    connection = connect(workdir)
    try:
        found = [
            quality
            for run_id, its_days in run_days(connection, days).items()
            for quality in _inspect_run(connection, workdir, run_id, its_days, policy)
        ]
    finally:
        connection.close()
    _write(workdir, found)
    return found


def judge_again(workdir: WorkDir, policy: QualityPolicy | None = None) -> list[DayQuality]:
    """Hold what was counted before against the policy as it is now; return the days that are judged otherwise.

    Limits and acceptances take effect so; what is called stale or a spike needs the days inspected again.
    """
    policy = policy or load_policy(workdir)
    connection = connect(workdir)
    try:
        query = (
            f"SELECT run_id, CAST(day AS VARCHAR), {', '.join(_COUNTS)}, reasons, accepted FROM learning.data_quality"
        )
        rows = connection.execute(f"{query} ORDER BY ALL").fetchall()
    finally:
        connection.close()
    changed = []
    for run_id, day, *counted, reasons, accepted in rows:
        counts = dict(zip(_COUNTS, counted, strict=True))
        quality = DayQuality(run_id, day, counts, tuple(judge(policy, run_id, day, counts)))
        if (quality.reasons, quality.accepted) != (reasons, accepted):
            changed.append(quality)
    _write(workdir, changed)
    return changed


def _write(workdir: WorkDir, found: Sequence[DayQuality]) -> None:
    tables = {
        (each.run_id, each.day): {"data_quality": _as_row(each), "quality_findings": _as_findings(each)}
        for each in found
    }
    replace_days(workdir, tables)


def _as_row(quality: DayQuality) -> pa.Table:
    judged = {"quarantined": quality.quarantined, "reasons": quality.reasons, "accepted": quality.accepted}
    return pa.Table.from_pylist([{**{str(name): int(n) for name, n in quality.counts.items()}, **judged}])


def _as_findings(quality: DayQuality) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "check_name": str(each.check),
                "found": each.found,
                "allowed": each.allowed,
                "passed": each.passed,
                "accepted": each.acceptance is not None,
            }
            for each in quality.findings
        ]
    )


def _inspect_run(
    connection: duckdb.DuckDBPyConnection, workdir: WorkDir, run_id: str, days: list[str], policy: QualityPolicy
) -> Iterator[DayQuality]:
    instruments = len(run_universe(workdir, run_id))
    params, states, books = to_record(policy.limits), new_quality_states(instruments), new_books(instruments)
    wanted = {int(np.datetime64(day, "D").astype(np.int64)): day for day in days}
    found = {number: np.zeros(1, QUALITY_COUNTS_DTYPE) for number in wanted}
    elsewhere = np.zeros(1, QUALITY_COUNTS_DTYPE)  # days before, which are followed for the books' sake
    before = 0
    for _, events in event_batches(connection, run_id, max(days)):
        day_of = events["ts_event"] // NS_PER_DAY
        for part in np.split(np.arange(len(events)), np.flatnonzero(np.diff(day_of)) + 1):
            counts = found.get(int(day_of[part[0]]), elsewhere)
            of_day = events[part[0] : part[-1] + 1]
            before = inspect_events(params[0], states, books, of_day, before, counts[0])
    for number, day in wanted.items():
        counted = _counts(found[number][0], _row_numbers(connection, run_id, day))
        yield DayQuality(run_id, day, counted, tuple(judge(policy, run_id, day, counted)))


def _counts(found: Any, numbers: tuple[int, int, int]) -> dict[str, int]:
    rows, missing, duplicates = numbers
    counts = {"events": rows, "missing_rows": missing, "duplicate_rows": duplicates}
    counts |= {
        "locked_ms": int(found["locked_ns"]) // _NS_PER_MS,
        "one_sided_ms": int(found["one_sided_ns"]) // _NS_PER_MS,
    }
    return {name: counts[name] if name in counts else int(found[name]) for name in map(str, _COUNTS)}


def _row_numbers(connection: duckdb.DuckDBPyConnection, run_id: str, day: str) -> tuple[int, int, int]:
    """Return (rows, missing, duplicate) of a day's event numbers, against the ledger's ranges."""
    rows, distinct = connection.execute(
        "SELECT count(*), count(DISTINCT event_no) FROM staging.events WHERE run_id = ? AND day = ?::DATE",
        [run_id, day],
    ).fetchall()[0]
    sealed = connection.execute(
        "SELECT coalesce(sum(last_row - first_row + 1), 0)::BIGINT FROM staging.segments "
        "WHERE table_name = 'events' AND run_id = ? AND day = ?::DATE",
        [run_id, day],
    ).fetchall()[0][0]
    return rows, max(0, sealed - distinct), rows - distinct


@dataclass(frozen=True)
class CheckResult:
    """One check over the inspected days of interest."""

    failed: list[str]  # what was found where it is neither within its limit nor accepted
    accepted: list[str]
    largest: float  # found in any of the days
    allowed: float  # the limit there


def check_results(workdir: WorkDir, days: Sequence[str] | None = None) -> tuple[dict[QualityCheck, CheckResult], int]:
    """Return what each check says of the given days (None: all), and how many runs' days are usable."""
    where = "" if days is None else "WHERE day IN (SELECT unnest(?::DATE[]))"
    parameters: list[Any] = [] if days is None else [list(days)]
    connection = connect(workdir)
    try:
        rows = connection.execute(
            "SELECT check_name, CAST(day AS VARCHAR), run_id, found, allowed, passed, accepted "
            f"FROM learning.quality_findings {where} ORDER BY ALL",
            parameters,
        ).fetchall()
    finally:
        connection.close()
    results = {check: CheckResult([], [], 0.0, 0.0) for check in QualityCheck}
    unusable, known = set(), set()
    for name, day, run_id, found, allowed, passed, accepted in rows:
        check, before = QualityCheck(name), results[QualityCheck(name)]
        known.add((run_id, day))
        if not passed:
            (before.accepted if accepted else before.failed).append(
                f"{day}, run {run_id}: {Finding(check, found, allowed, None).sentence}"
            )
            unusable |= set() if accepted else {(run_id, day)}
        if found >= before.largest:
            results[check] = CheckResult(before.failed, before.accepted, found, allowed)
    return results, len(known - unusable)


def quarantine(workdir: WorkDir, days: Sequence[str] | None = None) -> tuple[list[str], int]:
    """Return why which of the inspected days (None: all) are quarantined, and how many runs' days are usable."""
    where = "" if days is None else "WHERE day IN (SELECT unnest(?::DATE[]))"
    connection = connect(workdir)
    try:
        rows = connection.execute(
            "SELECT CAST(day AS VARCHAR), run_id, quarantined, reasons "
            f"FROM learning.data_quality {where} ORDER BY ALL",
            [] if days is None else [list(days)],
        ).fetchall()
    finally:
        connection.close()
    bad = [f"{day}, run {run_id}: {reasons}" for day, run_id, quarantined, reasons in rows if quarantined]
    return bad, len(rows) - len(bad)


def day_table(workdir: WorkDir) -> list[dict[str, Any]]:
    """Return every inspected day of every run with its judgement, in the order of days."""
    names = ("day", "run_id", "events", "quarantined", "reasons", "accepted")
    connection = connect(workdir)
    try:
        rows = connection.execute(
            "SELECT CAST(day AS VARCHAR), run_id, events, quarantined, reasons, accepted "
            "FROM learning.data_quality ORDER BY day, run_id"
        ).fetchall()
    finally:
        connection.close()
    return [dict(zip(names, row, strict=True)) for row in rows]


def quarantined_days(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Return the (run, UTC day) pairs that nothing is to be learned from."""
    rows = connection.execute(
        "SELECT run_id, CAST(day AS VARCHAR) FROM learning.data_quality WHERE quarantined"
    ).fetchall()
    return set(rows)


def uninspected_days(workdir: WorkDir) -> list[str]:
    """Return the UTC days on which some run has other events than have been inspected."""
    return days_behind(workdir, "learning.data_quality")
