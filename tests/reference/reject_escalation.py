"""Escalation of rejects in plain Python: each count is summed afresh over all rejects, at every question."""

from __future__ import annotations

from dataclasses import dataclass, field

from chimera_platform.risk.risk_settings import RiskAdaptiveSettings


@dataclass
class CountedRejects:
    """The rejects of one engine, or of the account, and the step that they have led to."""

    settings: RiskAdaptiveSettings
    smaller_at: float
    paused_at: float
    times: list[int] = field(default_factory=list)
    step: int = 0
    paused_until: int = 0

    def score(self, ts: int) -> float:
        return sum(0.5 ** ((ts - at) / self.settings.reject_half_life_ns) for at in self.times)

    def wait(self, ts: int) -> int:
        """Return the step at ``ts`` without a further reject."""
        recovery = self.settings.reject_recovery
        if self.step == 2 and ts >= self.paused_until and self.score(ts) < recovery * self.paused_at:
            self.step = 1
        if self.step == 1 and self.score(ts) < recovery * self.smaller_at:
            self.step = 0
        return self.step

    def reject(self, ts: int) -> int:
        """Return the step after a reject at ``ts``."""
        self.wait(ts)
        self.times.append(ts)
        if self.score(ts) >= self.paused_at:
            self.step, self.paused_until = 2, ts + self.settings.reject_pause_ns
        elif self.score(ts) >= self.smaller_at:
            self.step = max(self.step, 1)
        return self.step
