"""Which data is fit to learn from: the checks, their limits, and the days that a person has accepted all the same.

A work folder may hold a ``quality.toml``; without it the defaults hold and nothing is accepted::

    [limits]                        # settings of QualitySettings
    gaps_max = 50

    [[accepted]]
    day = "2024-03-05"
    run = "20240305-1"              # left out: every run
    checks = ["gaps", "crossed"]    # left out: every check
    by = "J. Doe"
    why = "known outage of the feed, the book was rebuilt from its snapshot"
"""

from __future__ import annotations

import datetime
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from chimera_platform.errors import ConfigurationError
from chimera_platform.journal.storage import write_atomically
from chimera_platform.market.data_quality import QualitySettings
from chimera_platform.settings import Settings
from chimera_platform.workdir import WorkDir


class QualityCheck(StrEnum):
    """What is looked at; the names are those of the columns of ``learning.data_quality``."""

    MISSING_ROWS = "missing_rows"
    DUPLICATE_ROWS = "duplicate_rows"
    OUT_OF_ORDER = "out_of_order"
    STALE_CLOCK = "stale_clock"
    FROZEN_CLOCK = "frozen_clock"
    REPEATED = "repeated"
    GAPS = "gaps"
    CROSSED = "crossed"
    LOCKED = "locked_ms"
    ONE_SIDED = "one_sided_ms"
    UNMATCHED = "unmatched"
    BAD_SIZES = "bad_sizes"
    PRICE_SPIKES = "price_spikes"


SENTENCES: Mapping[QualityCheck, str] = {
    QualityCheck.MISSING_ROWS: "missing rows",
    QualityCheck.DUPLICATE_ROWS: "duplicate rows",
    QualityCheck.OUT_OF_ORDER: "records out of order",
    QualityCheck.STALE_CLOCK: "records with a stale clock",
    QualityCheck.FROZEN_CLOCK: "source events in a row with a frozen clock",
    QualityCheck.REPEATED: "repeated records",
    QualityCheck.GAPS: "gaps",
    QualityCheck.CROSSED: "crossed books",
    QualityCheck.LOCKED: "milliseconds locked or crossed",
    QualityCheck.ONE_SIDED: "milliseconds with one side only",
    QualityCheck.UNMATCHED: "records that do not fit the book",
    QualityCheck.BAD_SIZES: "records with an impossible size",
    QualityCheck.PRICE_SPIKES: "price spikes",
}

# limit of a check from (settings, rows, source events)
_LIMITS: Mapping[QualityCheck, Callable[[QualitySettings, int, int], float]] = {
    QualityCheck.MISSING_ROWS: lambda s, _, __: s.missing_rows_max,
    QualityCheck.DUPLICATE_ROWS: lambda s, _, __: s.duplicate_rows_max,
    QualityCheck.OUT_OF_ORDER: lambda s, rows, _: s.out_of_order_share_max * rows,
    QualityCheck.STALE_CLOCK: lambda s, rows, _: s.stale_clock_share_max * rows,
    QualityCheck.FROZEN_CLOCK: lambda s, _, __: s.frozen_clock_max,
    QualityCheck.REPEATED: lambda s, rows, _: s.repeated_share_max * rows,
    QualityCheck.GAPS: lambda s, _, __: s.gaps_max,
    QualityCheck.CROSSED: lambda s, _, source_events: s.crossed_share_max * source_events,
    QualityCheck.LOCKED: lambda s, _, __: s.locked_ms_max,
    QualityCheck.ONE_SIDED: lambda s, _, __: s.one_sided_ms_max,
    QualityCheck.UNMATCHED: lambda s, rows, _: s.unmatched_share_max * rows,
    QualityCheck.BAD_SIZES: lambda s, rows, _: s.bad_sizes_share_max * rows,
    QualityCheck.PRICE_SPIKES: lambda s, _, __: s.price_spikes_max,
}


class Acceptance(Settings):
    """A person's word that a day may be learned from in spite of what was found."""

    day: datetime.date = Field(description="UTC day")
    run: str | None = Field(None, min_length=1, description="run; left out: every run")
    checks: tuple[QualityCheck, ...] = Field((), description="checks; none named: every one")
    by: str = Field(min_length=1, description="who accepts it")
    why: str = Field(min_length=1, description="why")

    def covers(self, run_id: str, day: str, check: QualityCheck) -> bool:
        """Return whether a check of a run's day is accepted by this."""
        named = not self.checks or check in self.checks
        return named and self.day.isoformat() == day and self.run in (None, run_id)


class QualityPolicy(Settings):
    """Limits and acceptances of one work folder."""

    limits: QualitySettings = QualitySettings.model_validate({})
    accepted: tuple[Acceptance, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One check of one run's day."""

    check: QualityCheck
    found: float
    allowed: float
    acceptance: Acceptance | None

    @property
    def passed(self) -> bool:
        """Whether what was found is within the limit."""
        return self.found <= self.allowed

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        return f"{SENTENCES[self.check]}: {self.found:g}, at most {self.allowed:g}"


def policy_file(workdir: WorkDir) -> Path:
    """Return where a work folder's policy stands."""
    return workdir.path / "quality.toml"


def load_policy(workdir: WorkDir) -> QualityPolicy:
    """Read the work folder's ``quality.toml``; the defaults where there is none.

    Raises
    ------
    ConfigurationError
        Naming the file, the key and its value.
    """
    path = policy_file(workdir)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return QualityPolicy()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    return _parse(text, path)


def _parse(text: str, path: Path) -> QualityPolicy:
    try:
        return QualityPolicy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{path}: '{key}' is {first['input']!r}; expected: {first['msg']}") from error


def accept(workdir: WorkDir, acceptance: Acceptance) -> QualityPolicy:
    """Write an acceptance behind what the work folder's ``quality.toml`` holds and return the new policy."""
    path = policy_file(workdir)
    load_policy(workdir)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = ["[[accepted]]", f'day = "{acceptance.day.isoformat()}"']
    lines += [] if acceptance.run is None else [f"run = {json.dumps(acceptance.run)}"]
    lines += [f"checks = {json.dumps([str(check) for check in acceptance.checks])}"] if acceptance.checks else []
    lines += [f"by = {json.dumps(acceptance.by)}", f"why = {json.dumps(acceptance.why)}"]
    text = "\n".join([*([text.rstrip(), ""] if text.strip() else []), *lines, ""])
    policy = _parse(text, path)
    write_atomically(path, text.encode())
    return policy


def judge(policy: QualityPolicy, run_id: str, day: str, counts: Mapping[str, Any]) -> list[Finding]:
    """Hold what was counted in a run's day against the limits.

    Parameters
    ----------
    counts : ``events``, ``source_events`` and a number for each :class:`QualityCheck`.
    """
    findings = []
    for check in QualityCheck:
        found = float(counts[check])
        allowed = float(_LIMITS[check](policy.limits, int(counts["events"]), int(counts["source_events"])))
        covering = (each for each in policy.accepted if each.covers(run_id, day, check))
        findings.append(Finding(check, found, allowed, None if found <= allowed else next(covering, None)))
    return findings
