"""Instruments: built-in and user's own, their units and their errors."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from chimera_platform.errors import ConfigurationError, DataError
from chimera_platform.market.instruments import Instrument, Universe, find_instrument, load_instruments

BUILT_IN = load_instruments()


def test_the_built_in_file_has_what_the_data_needs() -> None:
    assert {"XAUUSD", "XAGUSD", "EURUSD", "GC", "GOOG", "AMZN", "BTCUSDT", "BTCUSD_PERP"} <= set(BUILT_IN)


def test_tick_value_is_tick_times_lot_times_multiplier() -> None:
    values = {symbol: BUILT_IN[symbol].tick_value_nanos for symbol in ("XAUUSD", "XAGUSD", "EURUSD", "GC", "BTCUSDT")}
    assert values == {
        "XAUUSD": 1_000_000,  # 0.001 dollar on an ounce
        "XAGUSD": 50_000_000,
        "EURUSD": 10_000_000,
        "GC": 10_000_000_000,  # 0.1 dollar on 100 ounces
        "BTCUSDT": 100_000,
    }


def test_an_inverse_contract_is_valued_at_its_reference_price() -> None:
    # 100 dollar of bitcoin at 61,800: 0.1 dollar of price is worth 100 / 61800 × 0.1 dollar
    assert BUILT_IN["BTCUSD_PERP"].tick_value_nanos == 161_812


def test_the_record_carries_units_and_fees_as_integers() -> None:
    record = BUILT_IN["GOOG"].record[0]
    assert record["maker_fee_per_lot_nanos"] == -2_000_000
    assert record["taker_fee_per_lot_nanos"] == 3_000_000
    assert record["tick_size"] == 0.005
    assert BUILT_IN["BTCUSD_PERP"].record[0]["contract"] == 1
    assert BUILT_IN["BTCUSDT"].record[0]["taker_fee_ppm"] == 500


def test_ticks_become_the_nearest_float_of_the_real_price() -> None:
    ticks = np.arange(1_200_000, 1_300_000)
    prices = BUILT_IN["XAUUSD"].ticks_to_price(ticks)
    assert prices.tolist() == [float(Decimal(int(t)) / 1000) for t in ticks]
    assert BUILT_IN["XAGUSD"].lots_to_size(3) == 150


def test_what_is_bought_is_the_base_and_without_one_the_symbol_itself() -> None:
    assert [BUILT_IN[symbol].asset for symbol in ("XAUUSD", "GC", "EURUSD", "GOOG")] == ["XAU", "XAU", "EUR", "GOOG"]
    universe = Universe([BUILT_IN[symbol] for symbol in ("XAUUSD", "GOOG", "GC")])
    assert universe.assets == ("GOOG", "XAU")
    assert universe.asset_index.tolist() == [1, 0, 1]


@pytest.mark.parametrize("price", ["1291.677", Decimal("1291.677"), 1291.677])
def test_a_price_on_the_grid_becomes_ticks(price: str | Decimal | float) -> None:
    assert Universe([BUILT_IN["XAUUSD"]]).price_to_ticks("XAUUSD", price) == 1_291_677


@pytest.mark.parametrize("price", ["1291.6775", "gold", "NaN"])
def test_a_price_off_the_grid_is_refused(price: str) -> None:
    with pytest.raises(DataError, match="XAUUSD: price"):
        BUILT_IN["XAUUSD"].price_to_ticks(price)


def test_an_unknown_symbol_is_refused_with_the_known_ones() -> None:
    universe = Universe([BUILT_IN["XAUUSD"], BUILT_IN["GC"]])
    assert universe.index("GC") == 1
    with pytest.raises(ConfigurationError, match="unknown symbol 'OIL'; known: XAUUSD, GC"):
        universe.index("OIL")
    with pytest.raises(ConfigurationError, match="unknown symbol 'OIL'; known: XAUUSD, XAGUSD"):
        find_instrument(BUILT_IN, "OIL")


def test_a_universe_has_distinct_symbols() -> None:
    with pytest.raises(ConfigurationError, match="distinct"):
        Universe([BUILT_IN["GC"], BUILT_IN["GC"]])
    with pytest.raises(ConfigurationError, match="one or more"):
        Universe([])


def test_a_users_file_changes_single_keys_and_adds_symbols(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        "[GC]\nfees = { taker_per_lot = '1.25' }\n"
        "[SI]\nvenue = 'COMEX'\ncurrency = 'USD'\ntick_size = '0.005'\nlot_size = '1'\nmultiplier = '5000'\n"
        "hours = { timezone = 'America/New_York', open = '18:00', close = '17:00', days = ['sun', 'mon'] }\n"
    )
    instruments = load_instruments(path)
    assert instruments["GC"].fees.taker_per_lot == Decimal("1.25")
    assert instruments["GC"].fees.maker_per_lot == Decimal("2.00")
    assert instruments["GC"].multiplier == 100
    assert instruments["SI"].tick_value_nanos == 25_000_000_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[GC]\ntick_size = '-1'", r"\[GC\] tick_size: .*greater than 0"),
        ("[GC]\nticksize = '1'", r"\[GC\] ticksize: .*not permitted"),
        ("[GC]\ncontract = 'inverse'", r"\[GC\] .*reference_price"),
        ("[NEW]\nvenue = 'X'", r"\[NEW\] currency: .*required"),
        ("[GC]\nhours = { timezone = 'Mars/Base' }", r"\[GC\] hours.timezone: .*Mars/Base"),
        ("[GC]\ntick_size = '0.0000000000001'\nmultiplier='1'", r"\[GC\] .*less than a nano"),
        ("GC = 1", "'GC' stands outside"),
        ("[GC", "cannot be read as instruments TOML"),
    ],
)
def test_a_wrong_users_file_is_refused_with_symbol_and_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_instruments(path)
    assert str(path) in str(caught.value)


def test_a_missing_users_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml"):
        load_instruments(tmp_path / "none.toml")


def test_instruments_are_values() -> None:
    assert Instrument.model_validate(BUILT_IN["GC"].model_dump()) == BUILT_IN["GC"]
