"""The audit as one HTML page that needs nothing beside it."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from chimera_platform.errors import ConfigurationError, DataError
from chimera_platform.simulation.audit.charts import curve_chart, heat_chart, whisker_chart
from chimera_platform.simulation.audit.findings import Finding, Table
from chimera_platform.simulation.audit.markdown import QUESTIONS, figure, markdown, run_line
from chimera_platform.simulation.audit.plateau import ParameterMap
from chimera_platform.simulation.audit.wording import shown

if TYPE_CHECKING:
    from chimera_platform.simulation.audit.audit import AuditReport

_CURVES_MAX = 12
_ROWS_MAX = 40
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; } h3 { font-size: 1rem; margin-bottom: .3rem; }
p.answer { font-size: 1.15rem; border-left: .4rem solid; padding: .4rem .8rem; background: #f6f6f4; }
p.answer.pass { border-color: #2e7d4f; } p.answer.warn { border-color: #c98a1b; }
p.answer.fail { border-color: #b33939; }
table { border-collapse: collapse; } td, th { padding: .2rem .9rem .2rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; border-bottom: 1px solid #ccc; } tbody tr:nth-child(even) { background: #f8f8f6; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.number { text-align: right; } td.reason { min-width: 22rem; } td.check { white-space: nowrap; }
.verdict { font-weight: 600; white-space: nowrap; padding: .05rem .5rem; border-radius: .6rem; color: #fff; }
.verdict.pass { background: #2e7d4f; } .verdict.warn { background: #c98a1b; } .verdict.fail { background: #b33939; }
.verdict.skip { background: #888; } details { margin: .6rem 0; } summary { cursor: pointer; }
.scroll { overflow-x: auto; } .charts { display: flex; flex-wrap: wrap; gap: .4rem; }
code { word-break: break-all; color: #555; }
svg { max-width: 100%; height: auto; font-family: system-ui, sans-serif; } .note { color: #555; }
"""


def write_audit(report: AuditReport, path: Path) -> None:
    """Write the audit as a page (``.html``) or as Markdown (``.md``); it is never seen half-written.

    Raises
    ------
    ConfigurationError : another suffix.
    DataError : the file cannot be written.
    """
    forms = {".html": page, ".md": markdown}
    if path.suffix not in forms:
        raise ConfigurationError(f"--out {path}: expected a name that ends in .html or .md")
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(forms[path.suffix](report), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot write the audit: {error.strerror or error}") from error


def page(report: AuditReport) -> str:
    """Return the whole page."""
    symbols = html.escape(", ".join(report.symbols))
    sections = [
        f"<h1>Can this backtest be believed? {symbols}</h1>",
        f'<p class="answer {report.verdict.value}">{html.escape(report.answer)}</p>',
        f"<p>{html.escape(run_line(report))}</p>",
    ]
    for part, question in QUESTIONS.items():
        findings = [f for f in report.findings if f.part is part]
        sections.append(f"<h2>{question}</h2>{_checks(findings)}")
        for finding in findings:
            if finding.name == "delay":
                sections.append(_delays(finding))
            elif finding.name == "plateau":
                sections.append(_map(report.parameter_map))
            sections.append(_details(finding))
    sections.append(f"<h2>Source</h2><p><code>{html.escape(report.description)}</code></p>")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Audit {symbols}</title><style>{_STYLE}</style>'
    return head + "".join(sections) + "</html>\n"


def _checks(findings: list[Finding]) -> str:
    rows = []
    for f in findings:
        badge = f'<span class="verdict {f.verdict.value}">{f.verdict.upper()}</span>'
        cells = (html.escape(figure(f)), html.escape(f.threshold))
        rows.append(
            f'<tr><td class="check">{html.escape(f.name)}</td><td>{badge}</td><td>{cells[0]}</td><td>{cells[1]}</td>'
            f'<td class="reason">{html.escape(f.reason)}</td></tr>'
        )
    head = "".join(f"<th>{name}</th>" for name in ("check", "verdict", "measured", "threshold", "why"))
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _details(finding: Finding) -> str:
    """Return the rows behind a finding, folded unless they are short."""
    if finding.table is None or not finding.table.rows:
        return ""
    opened = " open" if len(finding.table.rows) <= 5 and finding.name in ("cost", "latency") else ""
    notes = "".join(f'<p class="note">{html.escape(note.capitalize())}.</p>' for note in finding.notes)
    name = html.escape(finding.name)
    return f"<details{opened}><summary>{name}: figures</summary>{notes}{_table(finding.table)}</details>"


def _table(table: Table) -> str:
    kinds = [_kind(column[0]) for column in zip(*table.rows, strict=True)]
    head = "".join(f"<th{kind}>{html.escape(name)}</th>" for kind, name in zip(kinds, table.head, strict=True))
    rows = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in table.rows[:_ROWS_MAX])
    more = f'<p class="note">{len(table.rows) - _ROWS_MAX:,} more rows</p>' if len(table.rows) > _ROWS_MAX else ""
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}'


def _cell(value: object) -> str:
    return f"<td{_kind(value)}>{html.escape(shown(value))}</td>"


def _kind(value: object) -> str:
    return "" if isinstance(value, str) else ' class="number"'


def _delays(finding: Finding) -> str:
    if finding.table is None or not finding.table.rows:
        return ""
    columns = list(zip(*finding.table.rows, strict=True))
    names, means, errors = [str(n) for n in columns[0]], [float(v) for v in columns[2]], [float(v) for v in columns[3]]
    chart = whisker_chart(names, means, errors, "mid's move towards the decision, 1e-4 (before any cost)")
    return f"<h3>Decisions moved in time</h3>{chart}"


def _map(found: ParameterMap) -> str:
    """Return heat map and curves of the parameters that matter most."""
    curves = [curve for curve in found.curves if curve.has_effect]
    if not curves:
        return ""
    shown_ = curves[:_CURVES_MAX]
    known = [r for curve in shown_ for r in curve.results if r == r]
    low, high = min(known), max(known)
    charts = "".join(curve_chart(curve, low, high) for curve in shown_)
    silent = len(found.curves) - len(curves)
    said = f"{silent} of {len(found.curves)} parameters change nothing in this data"
    parts = [f"<p>{found.runs:,} parameter sets were run; {said}.</p>"]
    if found.heat_map is not None:
        parts.append(
            "<h3>The two most sensitive parameters: net profit (framed: the present values)</h3>"
            f'<div class="scroll">{heat_chart(found.heat_map)}</div>'
        )
    parts.append(
        f"<h3>One at a time: net profit by value, the {len(shown_)} most sensitive, one scale</h3>"
        f'<div class="charts">{charts}</div>'
    )
    return "".join(parts)
