from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from chimera_platform.errors import ConfigurationError
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.market.sources import EventSource
from chimera_platform.simulation.market.settings import MarketSettings
from chimera_platform.simulation.market.simulator import SimulatedMarket

INSTRUMENTS = load_instruments()
URL = "sim://?symbols=XAUUSD,XAGUSD&seed=3&days=2&rate=0.1"
DAY_NS = 86_400 * 10**9


def stream(url: str, batch_size: int = 65_536, start: int = 0) -> np.ndarray:
    market = SimulatedMarket.from_url(url, INSTRUMENTS)
    return np.concatenate([*market.batches(batch_size, start), np.zeros(0, EVENT_DTYPE)])


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    return stream(URL)


def test_the_market_is_an_event_source() -> None:
    assert isinstance(SimulatedMarket.from_url(URL, INSTRUMENTS), EventSource)


@pytest.mark.parametrize("batch_size", [1, 7, 4096])
@pytest.mark.parametrize("start", [0, 1, 12_345])
def test_the_same_seed_gives_the_same_bytes_however_it_is_cut(events: np.ndarray, batch_size: int, start: int) -> None:
    assert stream(URL, batch_size, start).tobytes() == events[start:].tobytes()


def test_every_batch_but_the_last_has_the_size_asked_for(events: np.ndarray) -> None:
    sizes = [len(b) for b in SimulatedMarket.from_url(URL, INSTRUMENTS).batches(4096, 5)]
    assert set(sizes[:-1]) == {4096}
    assert sum(sizes) == len(events) - 5 and 0 < sizes[-1] <= 4096


def test_a_start_behind_the_end_gives_nothing(events: np.ndarray) -> None:
    assert len(stream(URL, 4096, len(events))) == 0
    assert len(stream(URL, 4096, len(events) + 100_000)) == 0


@pytest.mark.parametrize("length", [1100, 1300, 5000])
@pytest.mark.parametrize(
    "more",
    [
        "",
        "&session_hours=4&sweeps_a_day=1000&price_step_ms=20&sweep_window_ms=1000",
        "&session_hours=4&news_a_day=200&droughts_a_day=300&absorptions_a_day=300&stop_runs_a_day=1000",
        "&session_hours=4&absorptions_a_day=100&stacked_absorptions_a_day=300",
        "&rate=3&days=1",
    ],
)
def test_the_length_of_the_kernels_chunk_does_not_show(length: int, more: str) -> None:
    url = "sim://?seed=3&days=2&rate=0.1" if "rate" not in more else "sim://?seed=3"
    flow, chunk, parts = SimulatedMarket.from_url(url + more, INSTRUMENTS).flow(), np.zeros(length, EVENT_DTYPE), []
    while rows := flow.fill(chunk):
        parts.append(chunk[:rows].copy())
    assert len(parts) > 2
    assert np.concatenate(parts).tobytes() == stream(url + more).tobytes()


@pytest.mark.parametrize(
    "more",
    [
        "",
        "&news_a_day=900&droughts_a_day=300&absorptions_a_day=300&stop_runs_a_day=300",
        "&stacked_absorptions_a_day=900",
    ],
)
def test_copied_state_resumes_the_stream(more: str) -> None:
    events, chunk = stream(URL + more), np.zeros(5000, EVENT_DTYPE)
    market = SimulatedMarket.from_url(URL + more, INSTRUMENTS)
    first, second = market.flow(), market.flow()
    rows = first.fill(chunk)
    second.market, second.symbols, second.books = first.market.copy(), first.symbols.copy(), first.books.copy()
    more = second.fill(chunk)
    assert chunk[:more].tobytes() == events[rows : rows + more].tobytes()


@pytest.mark.parametrize("change", ["seed=4", "rate=0.2", "start=2024-01-03", "correlation=0.1", "symbols=XAUUSD,GC"])
def test_every_parameter_changes_description_and_stream(events: np.ndarray, change: str) -> None:
    name = change.split("=")[0]
    kept = [p for p in URL.removeprefix("sim://?").split("&") if not p.startswith(f"{name}=")]
    other = "sim://?" + "&".join([*kept, change])
    descriptions = {SimulatedMarket.from_url(u, INSTRUMENTS).description for u in (URL, other)}
    assert len(descriptions) == 2
    assert stream(other)[:5000].tobytes() != events[:5000].tobytes()


def test_the_description_names_every_setting_and_does_not_vary() -> None:
    first, second = (SimulatedMarket.from_url(URL, INSTRUMENTS).description for _ in range(2))
    assert first == second
    for name in MarketSettings.model_fields:
        assert f'"{name}":' in first


def test_times_never_go_back_and_receipt_follows_the_event(events: np.ndarray) -> None:
    assert (np.diff(events["ts_event"]) >= 0).all()
    assert (np.diff(events["ts_recv"]) >= 0).all()
    latency_us = (events["ts_recv"] - events["ts_event"]) / 1e3
    assert latency_us.min() >= 399.0  # the default's 400 µs, cut to whole ns
    assert 500.0 < np.median(latency_us) < 600.0  # 400 + 150·ln 2


def test_source_events_are_numbered_without_gaps_and_end_in_last(events: np.ndarray) -> None:
    last = (events["flags"] & EventFlag.LAST) != 0
    assert (events["seq"][last] == np.arange(last.sum())).all()
    assert (np.diff(events["seq"]) == last[:-1]).all()
    assert last[-1]
    for column in ("instrument_id", "ts_event", "ts_recv"):
        assert (events[column][1:][~last[:-1]] == events[column][:-1][~last[:-1]]).all()


def test_a_market_order_is_executions_of_one_seq_and_nothing_is_printed_twice() -> None:
    events = stream("sim://?seed=3&days=1&rate=0.5")
    kinds = set(np.unique(events["kind"]))
    allowed = {EventKind.ADD, EventKind.CANCEL, EventKind.DELETE, EventKind.EXECUTE, EventKind.CLEAR, EventKind.STATUS}
    assert kinds == {int(k) for k in allowed}
    executions = events[events["kind"] == EventKind.EXECUTE]
    fills = np.unique(executions["seq"], return_counts=True)[1]
    assert fills.max() > 3
    mixed = events[np.isin(events["seq"], executions["seq"])]
    assert set(np.unique(mixed["kind"])) == {int(EventKind.EXECUTE), int(EventKind.ADD)}  # ADD: an iceberg's refill


def test_sessions_open_with_a_snapshot_and_skip_the_weekend() -> None:
    market = SimulatedMarket.from_url("sim://?days=3&start=2024-01-05&rate=0.05", INSTRUMENTS)
    events = np.concatenate(list(market.batches(65_536)))
    days = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=int(d)) for d in np.unique(events["ts_event"] // DAY_NS)]
    assert [d.date() for d in days] == [date(2024, 1, 5), date(2024, 1, 8), date(2024, 1, 9)]
    time_of_day = events["ts_event"] % DAY_NS
    assert time_of_day.min() == 0 and time_of_day.max() == 21 * 3600 * 10**9
    status = events[events["kind"] == EventKind.STATUS]
    codes = [(int(s["instrument_id"]), int(s["price"])) for s in status]
    opened, closed = int(StatusCode.SESSION_OPEN), int(StatusCode.SESSION_CLOSE)
    assert codes == [(0, opened), (1, opened), (0, closed), (1, closed)] * 3
    snapshot = (events["flags"] & EventFlag.SNAPSHOT) != 0
    clears = np.flatnonzero(events["kind"] == EventKind.CLEAR)
    assert len(clears) == 6 and snapshot[clears].all()
    assert (events["ts_event"][snapshot] % DAY_NS == 0).all()


def test_prices_lie_on_the_quoting_grid_about_the_profiles_price(events: np.ndarray) -> None:
    orders = events[events["price"] > 100]
    gold = orders["price"][orders["instrument_id"] == 0]
    assert (gold % 100 == 0).all()  # 0.1 $ of ticks of 0.001 $
    assert gold.min() / 1000 > 1900 and gold.max() / 1000 < 2200


def test_a_default_day_of_two_symbols_has_the_stated_number_of_events() -> None:
    market = SimulatedMarket(Universe([INSTRUMENTS["XAUUSD"], INSTRUMENTS["XAGUSD"]]))
    total = sum(len(b) for b in market.batches(65_536))
    print(f"default stream: {total} events in {market.days} days")
    assert 200_000 < total / market.days < 320_000 and total < 1_250_000


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sim://?sede=7", ["sede", "7", "known", "seed", "rate"]),
        ("sim://?seed=seven", ["seed", "seven", "whole number"]),
        ("sim://?seed=-1", ["seed", "-1", "0 to"]),
        ("sim://?days=0", ["days", "0", "1 to"]),
        ("sim://?days=2.5", ["days", "2.5", "whole number"]),
        ("sim://?start=2024-13-01", ["start", "2024-13-01", "date"]),
        ("sim://?start=1890-01-01", ["start", "1890-01-01", "1971"]),
        ("sim://?rate=fast", ["rate", "fast", "number"]),
        ("sim://?rate=0", ["rate", "0", "greater than or equal to 0.05"]),
        ("sim://?rate=1&rate=2", ["rate", "twice", "1", "2"]),
        ("sim://?correlation=1.5", ["correlation", "1.5", "0.99"]),
        ("sim://?session_open_hour=10", ["session_hours", "24"]),
        ("sim://?symbols=XAUUSD,NOPE", ["NOPE", "XAUUSD"]),
        ("sim://?symbols=XAUUSD,XAUUSD", ["distinct"]),
        ("sim://?calm=1", ["calm", "known"]),
        ("sim://somewhere?seed=1", ["sim://somewhere", "sim://?symbols"]),
        ("replay:file", ["replay:file", "sim://"]),
    ],
)
def test_a_bad_address_is_refused_by_name_value_and_expectation(url: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        SimulatedMarket.from_url(url, INSTRUMENTS)
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize(("batch_size", "start"), [(0, 0), (-1, 0), (10, -1)])
def test_impossible_batches_are_refused(batch_size: int, start: int) -> None:
    with pytest.raises(ConfigurationError):
        next(iter(SimulatedMarket.from_url(URL, INSTRUMENTS).batches(batch_size, start)))
