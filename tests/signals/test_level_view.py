"""Orders shown as levels and prints: what a plain dictionary of totals shows, however the stream is cut."""

from __future__ import annotations

import numpy as np
import pytest

from chimera_platform.market.book import apply_events, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import load_instruments
from chimera_platform.signals.level_view import LevelView
from chimera_platform.simulation.market.simulator import SimulatedMarket
from tests.reference.level_view import as_levels


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    url = "sim://?days=2&rate=0.2&seed=21&icebergs_a_day=60"
    return np.concatenate(list(SimulatedMarket.from_url(url, load_instruments()).batches(65_536)))


def test_the_view_is_the_plain_one(events: np.ndarray) -> None:
    shown, rows = LevelView(2).run(events)
    expected, expected_rows = as_levels(events)
    np.testing.assert_array_equal(rows, expected_rows)
    assert shown.tobytes() == expected.tobytes()
    assert (shown["kind"] == EventKind.TRADE).sum() > 500


def test_the_cut_does_not_matter(events: np.ndarray) -> None:
    whole, _ = LevelView(2).run(events)
    view = LevelView(2)
    parts = [view.run(events[first : first + 501])[0] for first in range(0, len(events), 501)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_both_views_lead_to_the_same_book(events: np.ndarray) -> None:
    shown, _ = LevelView(2).run(events)
    orders, levels = new_books(2), new_books(2)
    apply_events(orders, events)
    apply_events(levels, shown)
    for name in ("bid_count", "ask_count", "bid_price", "bid_size", "ask_price", "ask_size"):
        for one, other, count in zip(
            orders, levels, orders["bid_count" if "bid" in name else "ask_count"], strict=True
        ):
            np.testing.assert_array_equal(np.atleast_1d(one[name])[:count], np.atleast_1d(other[name])[:count])


def test_a_hidden_execution_is_a_print_alone() -> None:
    event = np.zeros(1, EVENT_DTYPE)
    event["kind"], event["side"], event["price"], event["size"] = EventKind.EXECUTE, 1, 100, 5
    event["flags"] = EventFlag.LAST | EventFlag.HIDDEN
    shown, _ = LevelView(1).run(event)
    assert [(int(r["kind"]), int(r["side"]), int(r["size"])) for r in shown] == [(EventKind.TRADE, -1, 5)]
    assert shown["flags"][0] & EventFlag.LAST
