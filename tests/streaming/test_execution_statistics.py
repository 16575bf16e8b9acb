"""What the telemetry says about executions, against orders counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from chimera_platform.execution.records import FILL_DTYPE, ORDER_EVENT_DTYPE, RISK_MARK_DTYPE, OrderStatus
from chimera_platform.market.events import EVENT_DTYPE
from chimera_platform.risk.circuit_breaker import BreakerState
from streaming.sinks.execution_statistics import ExecutionStatistics
from streaming.sinks.telemetry import TelemetrySink

MS = 1_000_000
NOTHING = (np.zeros(0, FILL_DTYPE), np.zeros(0, RISK_MARK_DTYPE))


def orders(*rows: tuple[int, OrderStatus, int, int]) -> np.ndarray[Any, Any]:
    """Rows of (order, status, ms, ms at the venue or 0)."""
    found = np.zeros(len(rows), ORDER_EVENT_DTYPE)
    for row, (order_no, status, ms, at_venue) in zip(found, rows, strict=True):
        row["order_no"], row["status"], row["ts_event"], row["ts_venue"] = order_no, status, ms * MS, at_venue * MS
    return found


def fill(side: int, price: int, size: int, bid: int, ask: int) -> np.ndarray[Any, Any]:
    found = np.zeros(1, FILL_DTYPE)
    names = ("side", "price", "size", "decision_bid", "decision_ask")
    for name, value in zip(names, (side, price, size, bid, ask), strict=True):
        found[name] = value
    return found


def test_orders_are_counted_as_they_end_and_timed_from_sending_to_answer_to_first_fill() -> None:
    statistics = ExecutionStatistics()
    sent, working = OrderStatus.PENDING_NEW, OrderStatus.NEW
    rows = orders(
        (1, sent, 100, 0),
        (2, sent, 100, 0),
        (1, working, 104, 102),
        (1, OrderStatus.PARTIALLY_FILLED, 112, 110),
        (1, OrderStatus.FILLED, 150, 149),
        (2, OrderStatus.REJECTED, 116, 115),
    )
    statistics.add(rows[:3], *NOTHING)
    statistics.add(rows[3:], *NOTHING)
    line = statistics.line()
    assert (line["orders"], line["filled"], line["rejected"], line["cancelled"], line["expired"]) == (2, 1, 1, 0, 0)
    assert 4.0 <= line["send_to_ack_ms"]["p50"] <= 4.2
    assert 16.0 <= line["send_to_ack_ms"]["p99"] <= 16.6
    assert 8.0 <= line["ack_to_fill_ms"]["p50"] == line["ack_to_fill_ms"]["p99"] <= 8.3


def test_a_request_of_the_clients_own_is_no_answer_but_the_venues_reply_to_it_is() -> None:
    statistics = ExecutionStatistics()
    cancel = OrderStatus.PENDING_CANCEL
    rows = orders(
        (1, OrderStatus.PENDING_NEW, 0, 0), (1, cancel, 2, 0), (1, cancel, 8, 7), (1, OrderStatus.CANCELLED, 9, 8)
    )
    statistics.add(rows, *NOTHING)
    assert 8.0 <= statistics.line()["send_to_ack_ms"]["p50"] <= 8.3


def test_slippage_is_the_mean_per_lot_against_the_mid_at_the_decision() -> None:
    statistics = ExecutionStatistics()
    nothing = np.zeros(0, ORDER_EVENT_DTYPE), np.zeros(0, RISK_MARK_DTYPE)
    statistics.add(nothing[0], fill(1, 103, 3, 100, 101), nothing[1])  # 2.5 ticks on 3 lots
    statistics.add(nothing[0], fill(-1, 100, 1, 100, 101), nothing[1])  # 0.5 ticks on 1 lot
    line = statistics.line()
    assert (line["fills"], line["lots"], line["slippage_ticks"]) == (2, 4, 2.0)


def test_the_quality_is_the_last_that_was_marked() -> None:
    statistics = ExecutionStatistics()
    assert statistics.line()["quality"] is None
    marks = np.zeros(2, RISK_MARK_DTYPE)
    marks["quality"] = 0.4, 0.8125
    statistics.add(np.zeros(0, ORDER_EVENT_DTYPE), np.zeros(0, FILL_DTYPE), marks)
    statistics.add(np.zeros(0, ORDER_EVENT_DTYPE), np.zeros(0, FILL_DTYPE), marks[:0])
    assert statistics.line()["quality"] == 0.8125


def test_before_the_first_order_nothing_is_measured() -> None:
    line = ExecutionStatistics().line()
    assert (line["orders"], line["send_to_ack_ms"], line["ack_to_fill_ms"], line["slippage_ticks"]) == (
        0,
        None,
        None,
        None,
    )


@pytest.mark.parametrize("with_executions", [True, False])
def test_the_telemetry_says_how_orders_are_executed_unless_that_is_switched_off(
    tmp_path: Path, with_executions: bool
) -> None:
    sent = orders((1, OrderStatus.PENDING_NEW, 0, 0), (1, OrderStatus.FILLED, 5, 4))
    rows = {"orders": sent, "fills": NOTHING[0], "risk_marks": NOTHING[1], "intents": NOTHING[0]}
    batch = SimpleNamespace(events=np.zeros(1, EVENT_DTYPE), received_ns=0, release_no=0)
    decided = SimpleNamespace(batch=batch, output=SimpleNamespace(**rows), decided_ns=1, breaker=BreakerState.NORMAL)
    partition = TelemetrySink(tmp_path, "run", 60.0, with_executions=with_executions).build("telemetry", 0, 1)
    partition.write_batch([("main", decided)])  # type: ignore[list-item]
    partition.close()
    (line,) = map(json.loads, (tmp_path / "run-0.jsonl").read_text().splitlines())
    assert line["final"] is True
    assert line.get("execution", {}).get("filled") == (1 if with_executions else None)
