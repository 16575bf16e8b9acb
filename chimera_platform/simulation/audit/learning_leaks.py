"""What models learn from: features that know no future, labels that know it up to their horizon and no further."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chimera_platform.execution.hedges import without_hedges
from chimera_platform.learning.dataset import Examples, Split, examples_of, split
from chimera_platform.learning.labels import is_labelled, label_intents
from chimera_platform.market.instruments import Universe
from chimera_platform.microstructure.feature_names import FEATURE_NAMES
from chimera_platform.microstructure.feature_stream import FeatureStream
from chimera_platform.release_microprice import microprice_record
from chimera_platform.releases import Release
from chimera_platform.simulation.audit.decision_maker import Decisions
from chimera_platform.simulation.audit.findings import Finding, Part, Table, Verdict
from chimera_platform.simulation.audit.futures import FUTURES
from chimera_platform.simulation.audit.settings import AuditSettings
from chimera_platform.simulation.audit.threads import side_by_side

Array = np.ndarray[Any, Any]
FeatureMaker = Callable[[Array], tuple[Array, Array]]
"""Events → (indices of the events with a feature vector, the vectors)."""
LabelMaker = Callable[[Array, Array, int], Array]
"""Intents, QUOTE_CHANGE_DTYPE rows and the end of what is known (ns) → LABEL_DTYPE rows."""
_BATCH = 16_384


def platform_features(universe: Universe, release: Release | None = None) -> FeatureMaker:
    """Return the platform's own features as a function of a whole stream."""
    tables = np.concatenate([microprice_record(release, symbol) for symbol in universe.symbols])
    return lambda events: FeatureStream(universe, microprices=tables.copy()).run(events)


def platform_labels(universe: Universe) -> LabelMaker:
    """Return the platform's own labels."""
    return lambda intents, quotes, end_ns: label_intents(intents, quotes, end_ns, universe.records)


def feature_causality(
    make: FeatureMaker, events: Array, cuts: list[int], settings: AuditSettings, seed: int
) -> Finding:
    """Compare features before each cut when the stream ends there or goes on otherwise; events: some 50,000 at most."""
    whole_at, whole = make(events)
    tasks = [(cut, name) for cut in cuts for name in ("none", *FUTURES)]

    def first_unlike(task: tuple[int, str]) -> tuple[int, str] | None:
        cut, name = task
        changed = events[:cut]
        if name != "none":
            random = np.random.default_rng([seed, cut])
            changed = FUTURES[name](events[: cut + settings.future_events], cut, random)
        at, values = make(changed)
        at, values = at[at < cut], values[: np.searchsorted(at, cut)]
        count = int(np.searchsorted(whole_at, cut))
        if len(at) != count:
            return cut, "number of rows"
        unlike = ~((values == whole[:count]) | (np.isnan(values) & np.isnan(whole[:count])))
        if not unlike.any():
            return None
        row = int(np.flatnonzero(unlike.any(axis=1))[0])
        return int(whole_at[row]), FEATURE_NAMES[int(np.flatnonzero(unlike[row])[0])]

    found = side_by_side(first_unlike, tasks)
    rows = tuple((*task, *each) for task, each in zip(tasks, found, strict=True) if each is not None)
    return _finding(
        "features",
        len(rows),
        f"of {len(tasks)} recomputations differ before the cut",
        "features recomputed on a stream that ends, or goes on otherwise, are bit for bit the same before that point",
        f"feature {rows[0][3] if rows else ''} knows what comes after its event",
        Table(("cut", "future", "at event", "feature"), rows),
    )


def training_skew(make: FeatureMaker, events: Array, whole: Decisions) -> Finding:
    """Compare the features that intents carry with those recomputed as training does; events as the run had them.

    Hedges carry none.
    """
    at, values = make(events)
    intents = without_hedges(whole.intents[whole.intents["event_no"] < len(events)])
    rows = np.searchsorted(at, intents["event_no"])
    known = rows < len(at)
    known[known] = at[rows[known]] == intents["event_no"][known]
    ours, theirs = intents["features"][known], values[rows[known]]
    unlike = ~((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))
    names = [FEATURE_NAMES[k] for k in np.flatnonzero(unlike.any(axis=0))]
    count = int(unlike.any(axis=1).sum() + (~known).sum())
    rows_by_name = tuple((name, int(unlike[:, FEATURE_NAMES.index(name)].sum())) for name in names)
    table = Table(("feature", "intents with another value"), rows_by_name)
    return _finding(
        "training skew",
        count,
        f"of {len(intents):,} intents carry other features",
        "the features a decision saw are bit for bit those that training recomputes",
        f"training recomputes other values of {', '.join(names[:5])} than decisions saw",
        table,
        empty=not len(intents),
    )


def label_horizon(
    make: LabelMaker, whole: Decisions, quotes: Array, end_ns: int, settings: AuditSettings, random: np.random.Generator
) -> Finding:
    """Change all quotes after a label's horizon; the label must not notice.

    Labels whose horizon ends before the change, of all instruments, are compared, not the chosen one alone.
    """
    labels = make(whole.intents, quotes, end_ns)
    complete = np.flatnonzero(is_labelled(labels))
    chosen = random.choice(complete, min(len(complete), settings.cuts), replace=False) if len(complete) else complete
    rows = []
    for horizon_end in np.unique(labels["horizon_end_ts"][chosen]).tolist():
        for name, changed in _other_quotes(quotes, horizon_end, random):
            known_until = horizon_end if name == "ends" else end_ns
            again = make(whole.intents, changed, known_until)
            known = labels["horizon_end_ts"] <= horizon_end
            unlike = _unlike_rows(again[known], labels[known])
            if unlike.any():
                intent = int(labels["intent_no"][known][np.flatnonzero(unlike)[0]])
                rows.append((horizon_end, name, int(unlike.sum()), intent))
    return _finding(
        "labels",
        len(rows),
        f"of {3 * len(np.unique(labels['horizon_end_ts'][chosen]))} changed futures changed a label before them",
        "no label changes when all quotes after its horizon are changed or taken away",
        "labels know the market beyond the horizon that they state: purging by it lets the test period into training",
        Table(("horizon end, ns", "quotes after it", "labels changed", "first intent"), tuple(rows)),
        empty=not len(complete),
    )


def purged_split(whole: Decisions, labels: Array, divide: Callable[[Examples], Split] = split) -> Finding:
    """Look whether the parts for training, validation and test overlap in what their labels know."""
    parts = divide(examples_of(whole.intents, labels))
    rows, overlaps = [], 0
    for name, earlier, later in (
        ("train, validation", parts.train, parts.validation),
        ("validation, test", parts.validation, parts.test),
    ):
        count = int((earlier.horizon_end >= later.ts.min()).sum()) if len(earlier) and len(later) else 0
        overlaps += count
        rows.append((name, len(earlier), len(later), count))
    return _finding(
        "purged split",
        overlaps,
        "examples whose label reaches into the next period",
        "the labels of each period end before the next period begins",
        "examples of an earlier period carry labels that know the next one",
        Table(("periods", "examples before", "examples after", "overlapping"), tuple(rows)),
        empty=not any(row[1] and row[2] for row in rows),
    )


def _other_quotes(quotes: Array, after_ns: int, random: np.random.Generator) -> list[tuple[str, Array]]:
    """Return (name, quotes) with the same past and, after a time, none, a jump up, a jump down."""
    later = quotes["ts_event"] > after_ns
    changed = []
    for name, sign in (("jump up", 1), ("jump down", -1)):
        other = quotes.copy()
        jump = np.maximum((other["bid_price"] * random.uniform(0.01, 0.1)).astype(np.int64), 1)
        for field in ("bid_price", "ask_price"):
            moved = np.maximum(other[field] + sign * jump, 1)
            other[field] = np.where(later & (other[field] > 0), moved, other[field])
        changed.append((name, other))
    return [("ends", quotes[~later]), *changed]


def _unlike_rows(a: Array, b: Array) -> Array:
    """Return the mask of rows that differ in a field; NaN equals NaN."""
    unlike = np.zeros(len(a), np.bool_)
    for name in a.dtype.names or ():
        both_nan = (a[name] != a[name]) & (b[name] != b[name])
        unlike |= (a[name] != b[name]) & ~both_nan
    return unlike


def _finding(
    name: str, count: int, unit: str, passed: str, failed: str, table: Table, *, empty: bool = False
) -> Finding:
    if empty:
        return Finding(name, Part.LOOKAHEAD, Verdict.SKIP, 0.0, unit, "0", "no example of it in this data")
    return Finding(
        name,
        Part.LOOKAHEAD,
        Verdict.FAIL if count else Verdict.PASS,
        float(count),
        unit,
        "0",
        failed if count else passed,
        disproves=count > 0,
        table=table,
    )
