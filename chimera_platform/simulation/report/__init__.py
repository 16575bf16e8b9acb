"""What came of a run, for people: one HTML page that needs nothing beside it, and a few lines of text."""

from chimera_platform.simulation.report.page import write_page, write_report
from chimera_platform.simulation.report.reported_run import ReportedRun, of_backtest
from chimera_platform.simulation.report.text import summary_lines

__all__ = ["ReportedRun", "of_backtest", "summary_lines", "write_page", "write_report"]
