"""The audit's own test on the user's data: a planted cheat must be found, or a clean bill means nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.simulation.audit.causality import other_futures, truncation
from chimera_platform.simulation.audit.cut_points import cut_points
from chimera_platform.simulation.audit.decision_maker import DecisionMaker
from chimera_platform.simulation.audit.findings import Finding, Part, Table, Verdict
from chimera_platform.simulation.audit.oracle import Oracle
from chimera_platform.simulation.audit.settings import AuditSettings

Array = np.ndarray[Any, Any]


def planted_cheat(maker: DecisionMaker, events: Array, settings: AuditSettings, seed: int) -> Finding:
    """Run truncation and other futures over a path that knows what comes; both must find it."""
    oracle = Oracle(maker, by_ns=settings.edge_horizon_ms * 1_000_000)
    whole = oracle.run(events)
    ahead = f"{settings.edge_horizon_ms / 1e3:g} s ahead"
    threshold = "found by truncation and by other futures"
    if not len(whole.intents):
        reason = "without a single intent in this data there is nothing in which a cheat could show"
        return Finding("planted cheat", Part.LOOKAHEAD, Verdict.SKIP, 0.0, "", threshold, reason)
    cuts = cut_points(len(events), whole, settings.cuts, np.random.default_rng([seed, 1]))
    found = {
        "truncation": truncation(oracle, events, whole, cuts),
        "other futures": other_futures(oracle, events, whole, cuts, settings, seed),
    }
    missed = [name for name, finding in found.items() if finding.verdict is not Verdict.FAIL]
    rows = tuple((name, int(each.number), each.unit) for name, each in found.items())
    return Finding(
        "planted cheat",
        Part.LOOKAHEAD,
        Verdict.WARN if missed else Verdict.PASS,
        float(len(found) - len(missed)),
        f"of {len(found)} checks found it",
        threshold,
        f"{' and '.join(missed)} did not find a path that knows {ahead}: with so few "
        "decisions a pass of theirs proves little"
        if missed
        else f"a path that knows {ahead}, planted as a control, is found on this data",
        table=Table(("check", "cuts that gave it away", "of"), rows),
    )
