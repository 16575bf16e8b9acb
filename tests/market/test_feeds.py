"""Feed URLs: what each scheme opens, and clear answers to what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from chimera_platform.errors import ConfigurationError, DataError
from chimera_platform.market.feeds import open_feed
from tests.reference.source_files import INSTRUMENTS, write_oanda


def test_a_replay_has_a_source_and_a_speed(tmp_path: Path) -> None:
    path = write_oanda(tmp_path / "a folder", "20140501", ["1,1290,1291"])
    feed = open_feed(f"replay:{path}?format=oanda&speed=10&symbols=XAUUSD", INSTRUMENTS)
    assert feed.speed == 10.0
    assert len(next(feed.source.batches(10))) == 1
    assert open_feed(f"replay:{path.parent}", INSTRUMENTS).speed is None


def test_several_files_are_joined_by_commas(tmp_path: Path) -> None:
    paths = [write_oanda(tmp_path / day, day, ["1,1290,1291"]) for day in ("20140501", "20140502")]
    assert len(next(open_feed(f"replay:{paths[0]},{paths[1]}", INSTRUMENTS).source.batches(10))) == 2


def test_the_simulator_is_a_feed() -> None:
    feed = open_feed("sim://?symbols=XAUUSD,XAGUSD&seed=7", INSTRUMENTS)
    assert feed.source.universe.symbols == ("XAUUSD", "XAGUSD")
    assert feed.speed is None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("fix://host:9876", r"not available yet; available: sim://.*replay:PATH"),
        ("ibkr://paper", r"not available yet; available: sim://"),
        ("ftp://host", r"no known kind of feed; available: sim://"),
        ("prices.csv", r"no known kind of feed"),
        ("replay:x?pace=3", r"unknown option 'pace'; known: format, speed, symbols"),
    ],
)
def test_other_schemes_and_options_are_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        open_feed(url, INSTRUMENTS)


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan", "inf", ""])
def test_a_speed_is_a_number_above_zero(tmp_path: Path, speed: str) -> None:
    path = write_oanda(tmp_path, "20140501", ["1,1290,1291"])
    with pytest.raises(ConfigurationError, match=f"speed is '{speed}'; expected a number above 0"):
        open_feed(f"replay:{path}?speed={speed}", INSTRUMENTS)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(DataError, match=r"none\.zip: no such file"):
        open_feed("replay:none.zip", INSTRUMENTS)
