"""Queue positions on a real day of orders: EXACT is when a real order's successor would have traded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.queue_models import LIFE_NS, compare, fill_times, shadowed, venue
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.simulation.exchange.settings import QueueModel
from tests.reference.shadow_orders import LobsterDay

pytestmark = pytest.mark.real_data
Day = tuple[Any, list[Any], LobsterDay]


@pytest.fixture(scope="module")
def day(real_data: Path) -> Day:
    archive = real_data / "lobster" / "LOBSTER_SampleFile_GOOG_2012-06-21_10.zip"
    events = np.concatenate(list(open_source([archive], "lobster", load_instruments()).batches(65_536)))
    return events, shadowed(events, most=1_500), LobsterDay(archive)


def test_an_exact_shadow_trades_when_trades_go_past_the_order_that_it_follows(day: Day) -> None:
    events, groups, published = day
    times = fill_times(events, groups, venue(QueueModel.EXACT))
    rows = np.concatenate(groups)
    ts = events["ts_event"]
    ends = np.unique(events["seq"], return_index=True)[1]  # first record of each message
    message_ts = ts[ends]
    compared = equal = filled = 0
    wrong = []
    for row, waited in zip(rows, times, strict=True):
        message, sent = int(events["seq"][row]), int(ts[row])
        start = int(np.searchsorted(message_ts, sent, side="right"))
        end = int(np.searchsorted(message_ts, sent + LIFE_NS, side="right"))
        at, in_view = published.first_trade(message, start, end)
        if waited < 0 or not in_view:
            continue
        expected = int(message_ts[at]) - sent if at < end else LIFE_NS
        compared, filled = compared + 1, filled + (expected < LIFE_NS)
        equal += waited == expected
        if waited != expected:
            wrong.append((message, int(waited), expected))
    print(f"{compared} shadows compared, {filled} of them trade, {equal} at the published moment; else {wrong[:10]}")
    assert compared > 1_000 and filled > 400
    assert equal == compared


def test_every_model_stays_near_the_exact_queue_and_the_pessimistic_one_invents_no_fill(day: Day) -> None:
    events, groups, _ = day
    table = compare(events, groups)
    assert table["exact"]["mean absolute error s"] == 0
    for name, row in table.items():
        print(name, row)
        assert row["mean absolute error s"] < 1.0
        assert row["same time"] > 0.9
    assert table["risk_averse"]["invented"] == 0  # pessimistic: never a fill that the exact queue has not
    assert table["risk_averse"]["mean error s"] >= 0
