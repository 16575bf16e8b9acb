"""Stored results: a dated file a benchmark, and ``latest.json``, which the next run is compared with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, ratio
from benchmarks.machine import conditions, machine
from chimera_platform.errors import DataError
from chimera_platform.journal.storage import write_atomically

RESULTS = Path(__file__).resolve().parent / "results"
LATEST = "latest.json"
_DIGITS = 6


class Results:
    """The results folder.

    Parameters
    ----------
    folder : where the files are; created when the first result is stored.
    """

    def __init__(self, folder: Path = RESULTS) -> None:
        self.folder = folder
        self._machine, self._conditions = machine(), conditions()
        self._previous = self._load()

    def compare(self, figures: Iterable[Figure]) -> dict[str, dict[str, Any]]:
        """Return name → figure, unit, baseline, ratio, goal, reached, detail.

        ``baseline`` is the stored figure of the same name and unit on the same machine, None where there is none.
        """
        return {each.name: self._row(each) for each in figures}

    def store(self, benchmark: str, rows: dict[str, dict[str, Any]], today: date | None = None) -> Path:
        """Write the dated file of ``benchmark`` and take its rows over into ``latest.json``; return the dated file."""
        head = {"machine": self._machine, **self._conditions}
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{today or datetime.now(UTC).date()}-{benchmark}.json"
        measured = datetime.now(UTC).isoformat(timespec="seconds")
        _write(path, {**head, "measured": measured, "results": rows})
        kept = {name: row for name, row in self._previous.items() if name.partition(".")[0] != benchmark}
        self._previous = dict(
            sorted((kept | {name: row | {"measured": measured} for name, row in rows.items()}).items())
        )
        _write(self.folder / LATEST, {**head, "results": self._previous})
        return path

    def _load(self) -> dict[str, dict[str, Any]]:
        path = self.folder / LATEST
        if not path.exists():
            return {}
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            found: dict[str, dict[str, Any]] = stored["results"] if stored["machine"] == self._machine else {}
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: not a file of benchmark results ({error}); delete it to start afresh") from error
        return found

    def _row(self, figure: Figure) -> dict[str, Any]:
        before = self._previous.get(figure.name, {})
        baseline = before.get("figure") if before.get("unit") == figure.unit else None
        return {
            "figure": _short(figure.figure),
            "unit": figure.unit,
            "baseline": baseline,
            "ratio": _short(ratio(figure.figure, baseline)),
            "better": "higher" if figure.higher_is_better else "lower",
            "goal": figure.goal,
            "reached": figure.reached,
            "detail": _short(figure.detail),
        }


def _short(value: Any) -> Any:
    """Round floats to six significant digits: more are noise, and would change with every run."""
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def _write(path: Path, content: dict[str, Any]) -> None:
    write_atomically(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
