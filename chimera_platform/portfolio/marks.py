"""Marks: what a position and the account are worth at one moment, as rows of the journal."""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel


@kernel
def append_mark(state: Any, parameters: Any, output: Any, i: int, e: int, event_no: int, ts: int) -> None:
    """Append the mark of instrument ``i`` and engine ``e``; its position has been revalued before."""
    account, position = state.account[0], state.positions[i, e]
    position.next_mark_ts = ts + parameters.settings[0].account.mark_interval_ns
    row = output.marks[output.counts[3]]
    output.counts[3] += 1
    row.mark_no = account.next_mark_no
    account.next_mark_no += 1
    row.event_no = event_no
    row.ts_event = ts
    row.position = position.lots
    row.cost_nanos = position.cost_nanos
    row.value_nanos = position.value_nanos
    row.realised_nanos = position.realised_nanos
    row.fees_nanos = position.fees_nanos
    row.committed_nanos = position.committed_nanos
    row.reserved_nanos = position.reserved_nanos
    row.equity_nanos = account.cash_nanos + account.value_nanos
    row.instrument_id = i
    row.release_no = account.release_no
    row.engine = e
