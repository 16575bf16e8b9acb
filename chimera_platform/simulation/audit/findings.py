"""What a check of the audit says: verdict, number, threshold, and the reason in plain words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How a check ended."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"  # nothing to look at in this data: neither good nor bad


class Part(StrEnum):
    """Which question a check belongs to."""

    LOOKAHEAD = "lookahead"  # does a decision know what it could not know?
    ROBUSTNESS = "robustness"  # does the result survive worse costs and latencies?
    PARAMETERS = "parameters"  # do neighbouring parameters earn the same?


@dataclass(frozen=True)
class Table:
    """Rows behind a finding.

    Attributes
    ----------
    head : names of the columns.
    rows : values; numbers stay numbers.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return each row by column name, plain JSON values."""
        return [dict(zip(self.head, map(_plain, row), strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Finding:
    """One check's answer.

    Attributes
    ----------
    name : of the check, one word or two.
    part : the question it belongs to.
    verdict : how it ended.
    number, unit : what was measured.
    threshold : what it was held against, in words.
    reason : why the verdict is what it is, in words a user understands.
    disproves : this alone shows that the backtest is not to be believed: lookahead, or no repetition.
    table : the rows behind it.
    """

    name: str
    part: Part
    verdict: Verdict
    number: float
    unit: str
    threshold: str
    reason: str
    disproves: bool = False
    table: Table | None = None
    notes: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON values."""
        return {
            "name": self.name,
            "part": self.part.value,
            "verdict": self.verdict.value,
            "number": _plain(self.number),
            "unit": self.unit,
            "threshold": self.threshold,
            "reason": self.reason,
            "disproves": self.disproves,
            "notes": list(self.notes),
            "rows": [] if self.table is None else self.table.as_dicts(),
        }


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
