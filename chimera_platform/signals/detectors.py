"""Every detector in one kernel: their settings, parameters, states, and the record by record update.

A detector is a section of :class:`DetectorSettings`, a field of both dtypes under the same name, its names of the
evidence, and a call in :func:`update_detectors`; the order of the calls is that of the rows of one event.

The rows go into a record with an array in it, ``out.row[rows]``, not into an array: an array that is passed to a
compiled function is counted as a reference there, two atomic operations a call, which cost more than all that a
detector does about most records.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel
from chimera_platform.market.book import best_ask, best_bid, is_tradable
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.settings import Settings, record_dtype, to_record
from chimera_platform.signals.absorption import (
    ABSORPTION_EVIDENCE,
    ABSORPTION_ROWS_MAX,
    ABSORPTION_STATE_DTYPE,
    STACKED_ABSORPTION_EVIDENCE,
    AbsorptionSettings,
    judge_levels,
    look_at_touch,
    update_absorption,
)
from chimera_platform.signals.icebergs import (
    ICEBERG_EVIDENCE,
    ICEBERG_ROWS_MAX,
    ICEBERG_STATE_DTYPE,
    IcebergSettings,
    may_concern_icebergs,
    update_icebergs,
)
from chimera_platform.signals.records import DETECTION_DTYPE, Detector
from chimera_platform.signals.stop_runs import (
    STOP_RUN_EVIDENCE,
    STOP_RUN_ROWS_MAX,
    STOP_RUN_STATE_DTYPE,
    StopRunSettings,
    may_concern_stop_runs,
    update_stop_runs,
)
from chimera_platform.signals.sweeps import (
    SWEEP_EVIDENCE,
    SWEEP_ROWS_MAX,
    SWEEP_STATE_DTYPE,
    SweepSettings,
    may_concern_sweeps,
    update_sweeps,
)
from chimera_platform.signals.vacuum import (
    VACUUM_EVIDENCE,
    VACUUM_ROWS_MAX,
    VACUUM_STATE_DTYPE,
    VacuumSettings,
    update_vacuum,
)

EVIDENCE_NAMES: dict[Detector, tuple[str, ...]] = {  # of the detectors there are
    Detector.SWEEP: SWEEP_EVIDENCE,
    Detector.ICEBERG: ICEBERG_EVIDENCE,
    Detector.ABSORPTION: ABSORPTION_EVIDENCE,
    Detector.STACKED_ABSORPTION: STACKED_ABSORPTION_EVIDENCE,
    Detector.VACUUM: VACUUM_EVIDENCE,
    Detector.STOP_RUN: STOP_RUN_EVIDENCE,
}
# Bits of the kinds that every detector takes in: trades, and what may break the book.
_BY_ALL = sum(1 << k for k in (EventKind.MODIFY, EventKind.EXECUTE, EventKind.TRADE, EventKind.CLEAR, EventKind.STATUS))
_LAST = int(EventFlag.LAST)

DETECTION_ROWS_MAX = (  # of one event, at most
    SWEEP_ROWS_MAX + ICEBERG_ROWS_MAX + ABSORPTION_ROWS_MAX + VACUUM_ROWS_MAX + STOP_RUN_ROWS_MAX
)
DETECTIONS_DTYPE = np.dtype([("row", DETECTION_DTYPE, (DETECTION_ROWS_MAX,))])
"""What is said at one event, the first rows of it; ``event_no``, ``ts_event``, ``instrument_id`` are not filled in."""


class DetectorSettings(Settings):
    """Settings of every detector, a section each."""

    sweeps: SweepSettings = SweepSettings()
    icebergs: IcebergSettings = IcebergSettings()
    absorption: AbsorptionSettings = AbsorptionSettings()
    vacuum: VacuumSettings = VacuumSettings()
    stop_runs: StopRunSettings = StopRunSettings()


DETECTORS_PARAMETERS_DTYPE = np.dtype(
    [
        ("sweeps", record_dtype(SweepSettings)),
        ("icebergs", record_dtype(IcebergSettings)),
        ("absorption", record_dtype(AbsorptionSettings)),
        ("vacuum", record_dtype(VacuumSettings)),
        ("stop_runs", record_dtype(StopRunSettings)),
    ],
    align=True,
)
DETECTORS_STATE_DTYPE = np.dtype(
    [
        ("sweeps", SWEEP_STATE_DTYPE),
        ("icebergs", ICEBERG_STATE_DTYPE),
        ("absorption", ABSORPTION_STATE_DTYPE),
        ("vacuum", VACUUM_STATE_DTYPE),
        ("stop_runs", STOP_RUN_STATE_DTYPE),
    ]
)


def detector_parameters(settings: DetectorSettings) -> np.ndarray[Any, Any]:
    """Return the kernel's form of ``settings``, shape (1,), :data:`DETECTORS_PARAMETERS_DTYPE`."""
    record = np.zeros(1, DETECTORS_PARAMETERS_DTYPE)
    for name in DETECTORS_PARAMETERS_DTYPE.names or ():
        record[name] = to_record(getattr(settings, name))
    return record


def new_detector_states(count: int) -> np.ndarray[Any, Any]:
    """Return the states of ``count`` instruments, shape (count,), :data:`DETECTORS_STATE_DTYPE`."""
    return np.zeros(count, DETECTORS_STATE_DTYPE)


def new_detections() -> np.ndarray[Any, Any]:
    """Return room for what is said at one event, shape (1,), :data:`DETECTIONS_DTYPE`."""
    return np.zeros(1, DETECTIONS_DTYPE)


@kernel
def _update_all(params: Any, state: Any, book: Any, event: Any, out: Any, rows: int) -> Any:
    """Let every detector take in the record."""
    rows = update_sweeps(params.sweeps, state.sweeps, book, event, out, rows)
    rows = update_icebergs(params.icebergs, state.icebergs, book, event, out, rows)
    rows = update_absorption(params.absorption, state.absorption, book, event, out, rows)
    rows = update_vacuum(params.vacuum, state.vacuum, book, event, out, rows)
    return update_stop_runs(params.stop_runs, state.stop_runs, book, event, out, rows)


@kernel
def update_detectors(params: Any, state: Any, book: Any, event: Any, out: Any, rows: int) -> Any:
    """Take in one record, after the book has; write what there is to say behind row ``rows`` and return the new count.

    Parameters
    ----------
    params : record of :data:`DETECTORS_PARAMETERS_DTYPE`.
    state : record of :data:`DETECTORS_STATE_DTYPE`, changed in place.
    book : the instrument's ``BOOK_DTYPE`` record with ``event`` applied.
    event : ``EVENT_DTYPE`` record of any kind.
    out : record of :data:`DETECTIONS_DTYPE`, the rows in ``out.row``.
    rows : rows in use, 0 at first: room for ``DETECTION_ROWS_MAX`` in all.
    """
    kind, ts = event.kind, event.ts_event
    if _BY_ALL >> np.int64(kind) & 1:
        return _update_all(params, state, book, event, out, rows)
    is_tradable_now = event.flags & _LAST != 0 and is_tradable(book)
    bid, ask = best_bid(book), best_ask(book)
    if may_concern_sweeps(state.sweeps):
        rows = update_sweeps(params.sweeps, state.sweeps, book, event, out, rows)
    if may_concern_icebergs(state.icebergs, book, event):
        rows = update_icebergs(params.icebergs, state.icebergs, book, event, out, rows)
    if is_tradable_now:
        if look_at_touch(params.absorption, state.absorption, bid, ask, ts):
            rows = judge_levels(params.absorption, state.absorption, book, ts, out, rows)
    elif state.absorption.active > 0:
        rows = update_absorption(params.absorption, state.absorption, book, event, out, rows)
    rows = update_vacuum(params.vacuum, state.vacuum, book, event, out, rows)
    concerns_runs = is_tradable_now and may_concern_stop_runs(state.stop_runs, bid, ask, ts)
    if concerns_runs or state.stop_runs.has_traded != 0:  # a source event of trades may end with another record
        rows = update_stop_runs(params.stop_runs, state.stop_runs, book, event, out, rows)
    return rows
