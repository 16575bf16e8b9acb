"""The audit as Markdown, and its short form for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chimera_platform.simulation.audit.findings import Finding, Part, Table
from chimera_platform.simulation.audit.wording import shown

if TYPE_CHECKING:
    from chimera_platform.simulation.audit.audit import AuditReport

QUESTIONS = {
    Part.LOOKAHEAD: "Does a decision know what it could not know?",
    Part.ROBUSTNESS: "Does the result survive worse costs and latencies?",
    Part.PARAMETERS: "Do neighbouring parameters earn the same?",
}
_ROWS_MAX = 25


def summary(report: AuditReport) -> list[str]:
    """Return the lines for a terminal: a line for each check, and the answer."""
    lines = [run_line(report), ""]
    for part, question in QUESTIONS.items():
        lines.append(question)
        for finding in report.findings:
            if finding.part is part:
                lines.append(f"  {finding.verdict.upper():4}  {finding.name:15} {figure(finding)}")
                lines.append(f"        {finding.reason}")
        lines.append("")
    return [*lines, report.answer]


def markdown(report: AuditReport) -> str:
    """Return the whole audit as a Markdown page."""
    lines = ["# Backtest audit", "", f"**{report.answer}**", "", run_line(report), ""]
    lines += ["| check | verdict | measured | threshold | reason |", "|---|---|---|---|---|"]
    for f in report.findings:
        cells = (f.name, f.verdict.upper(), figure(f), f.threshold, f.reason)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    for part, question in QUESTIONS.items():
        lines += ["", f"## {question}", ""]
        for finding in report.findings:
            if finding.part is part and finding.table is not None and finding.table.rows:
                lines += [f"### {finding.name.capitalize()}", "", *(f"{note.capitalize()}." for note in finding.notes)]
                lines += [""] * bool(finding.notes)
                lines += [*_table(finding.table), ""]
    lines += ["", "## Source", "", f"`{report.description}`", ""]
    return "\n".join(lines)


def run_line(report: AuditReport) -> str:
    """Return what was audited, and what it earned."""
    outcome = report.outcome
    first = "" if report.is_whole else "the first "
    return (
        f"{', '.join(report.symbols)}: {first}{report.events:,} events, {outcome.trades:,} closed trades, "
        f"net profit {shown(outcome.net_profit)} "
        f"(fees {shown(outcome.fees)}, half-spreads paid {shown(outcome.spread)}); seed {report.seed}"
    )


def figure(finding: Finding) -> str:
    """Return a finding's number with its unit."""
    return f"{shown(finding.number)} {finding.unit}".strip()


def _table(table: Table) -> Iterator[str]:
    yield "| " + " | ".join(table.head) + " |"
    yield "|---" * len(table.head) + "|"
    for row in table.rows[:_ROWS_MAX]:
        yield "| " + " | ".join(map(shown, row)) + " |"
    if len(table.rows) > _ROWS_MAX:
        yield f"| … {len(table.rows) - _ROWS_MAX:,} more |" + " |" * (len(table.head) - 1)
