"""What is traded: tick, lot, multiplier, fees, hours; the only place where real prices meet integer ticks."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from enum import IntEnum, StrEnum
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError, model_validator

from chimera_platform.errors import ConfigurationError, DataError
from chimera_platform.market.sessions import TradingHours
from chimera_platform.settings import Settings

NANOS = 1_000_000_000


class ContractKind(StrEnum):
    """How the price makes the value of one contract."""

    LINEAR = "linear"  # value = price × lot_size × multiplier
    INVERSE = "inverse"  # value = lot_size × multiplier in the quote currency, whatever the price


class ContractCode(IntEnum):
    """The kernel form of :class:`ContractKind`."""

    LINEAR = 0
    INVERSE = 1


INSTRUMENT_DTYPE = np.dtype(
    [
        ("tick_size", "<f8"),  # price currency
        ("lot_size", "<f8"),  # units of the underlying, or contracts
        ("multiplier", "<f8"),  # units of the underlying a contract (inverse: quote currency a contract)
        ("tick_value_nanos", "<i8"),  # value of one tick on one lot, nanos of `currency`
        ("assumed_size", "<i8"),  # lots, where a source publishes none
        ("maker_fee_per_lot_nanos", "<i8"),  # negative: rebate
        ("maker_fee_ppm", "<i8"),  # of the notional
        ("taker_fee_per_lot_nanos", "<i8"),
        ("taker_fee_ppm", "<i8"),
        ("contract", "<i8"),  # ContractCode
    ]
)


class Fees(Settings):
    """What a venue takes for a fill; the two forms add up, a negative fee is a rebate."""

    maker_per_lot: Decimal = Field(Decimal(0), description="currency a lot, resting side")
    maker_ppm: int = Field(0, ge=-100_000, le=100_000, description="millionths of the notional, resting side")
    taker_per_lot: Decimal = Field(Decimal(0), description="currency a lot, aggressing side")
    taker_ppm: int = Field(0, ge=-100_000, le=100_000, description="millionths of the notional, aggressing side")


class Instrument(Settings):
    """One tradable thing and the units of its prices and sizes.

    An inverse contract's profit is not linear in the price; its ``tick_value_nanos`` is the slope at
    ``reference_price``, in the quote currency.
    """

    symbol: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._\-/]+$")
    description: str = ""
    venue: str = Field(min_length=1)
    currency: str = Field(min_length=3, max_length=5, description="of prices, fees and profits")
    base: str | None = Field(
        None,
        pattern=r"^[A-Z0-9]{2,12}$",
        description="asset or currency that one buys and sells (XAU, EUR, BTC); none given: one of its own, the symbol",
    )
    contract: ContractKind = ContractKind.LINEAR
    tick_size: Decimal = Field(gt=0, description="smallest price step, price currency")
    lot_size: Decimal = Field(gt=0, description="smallest size step, units of the underlying or contracts")
    multiplier: Decimal = Field(Decimal(1), gt=0, description="units a contract; inverse: quote currency a contract")
    reference_price: Decimal | None = Field(None, gt=0, description="inverse contracts: price of the linearisation")
    assumed_size: int = Field(1, ge=1, description="lots that stand in where a source publishes no size")
    fees: Fees = Fees.model_validate({})
    hours: TradingHours

    @model_validator(mode="after")
    def _is_consistent(self) -> Instrument:
        if (self.contract is ContractKind.INVERSE) != (self.reference_price is not None):
            raise ValueError("an inverse contract, and only that, needs a reference_price")
        if self.tick_value_nanos < 1:
            raise ValueError("one tick on one lot is worth less than a nano of the currency; use a larger lot_size")
        return self

    @property
    def asset(self) -> str:
        """What a buyer comes to hold, whatever it is quoted in: ``base``, or the symbol where none is given."""
        return self.symbol if self.base is None else self.base

    @property
    def tick_value_nanos(self) -> int:
        """Value of one tick on one lot, in nanos of the currency."""
        value = self.tick_size * self.lot_size * self.multiplier * NANOS
        return round(value / self.reference_price if self.reference_price is not None else value)

    @property
    def record(self) -> np.ndarray[Any, Any]:
        """The kernel form: array of shape (1,) of :data:`INSTRUMENT_DTYPE`."""
        fees = self.fees
        row = (
            float(self.tick_size),
            float(self.lot_size),
            float(self.multiplier),
            self.tick_value_nanos,
            self.assumed_size,
            round(fees.maker_per_lot * NANOS),
            fees.maker_ppm,
            round(fees.taker_per_lot * NANOS),
            fees.taker_ppm,
            int(ContractCode[self.contract.name]),
        )
        return np.array([row], INSTRUMENT_DTYPE)

    def price_to_ticks(self, price: Decimal | str | float) -> int:
        """Return ``price`` in ticks; :class:`DataError` where it is not on the tick grid."""
        return _to_steps(price, self.tick_size, f"{self.symbol}: price", "tick_size")

    def size_to_lots(self, size: Decimal | str | float) -> int:
        """Return ``size`` in lots; :class:`DataError` where it is not a whole number of lots."""
        return _to_steps(size, self.lot_size, f"{self.symbol}: size", "lot_size")

    def ticks_to_price(self, ticks: Any) -> Any:
        """Return the real price (f8, correctly rounded) of ``ticks`` (integer or integer array)."""
        return _from_steps(ticks, self.tick_size)

    def lots_to_size(self, lots: Any) -> Any:
        """Return the real size (f8, correctly rounded) of ``lots`` (integer or integer array)."""
        return _from_steps(lots, self.lot_size)


def _to_steps(value: Decimal | str | float, step: Decimal, what: str, name: str) -> int:
    try:
        exact = Decimal(str(value)) / step
    except InvalidOperation:
        raise DataError(f"{what} {value!r} is not a number") from None
    if exact != exact.to_integral_value():
        raise DataError(f"{what} {value} is not a multiple of {name} {step}; give the instrument a finer {name}")
    return int(exact)


def _from_steps(steps: Any, step: Decimal) -> Any:
    numerator, denominator = step.as_integer_ratio()
    return np.asarray(steps, np.int64) * numerator / denominator if denominator != 1 else np.asarray(steps) * numerator


class Universe:
    """The instruments of a run, in a fixed order: an event's ``instrument_id`` is the index here.

    Parameters
    ----------
    instruments : at least one, symbols distinct.
    """

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self.instruments = tuple(instruments)
        self.symbols: tuple[str, ...] = tuple(i.symbol for i in self.instruments)
        if not self.instruments or len(set(self.symbols)) != len(self.symbols):
            raise ConfigurationError(f"a universe needs one or more distinct symbols, not {list(self.symbols)}")
        self.records: np.ndarray[Any, Any] = np.concatenate([i.record for i in self.instruments])
        self.assets: tuple[str, ...] = tuple(sorted({i.asset for i in self.instruments}))

    def __len__(self) -> int:
        return len(self.instruments)

    def __getitem__(self, instrument_id: int) -> Instrument:
        return self.instruments[instrument_id]

    def index(self, symbol: str) -> int:
        """Return the ``instrument_id`` of ``symbol``; :class:`ConfigurationError` where it is not in the universe."""
        if symbol not in self.symbols:
            raise _unknown(symbol, self.symbols)
        return self.symbols.index(symbol)

    @property
    def asset_index(self) -> np.ndarray[Any, Any]:
        """For each instrument the index of its asset in ``assets``: i8 (instruments,)."""
        return np.array([self.assets.index(i.asset) for i in self.instruments], np.int64)

    def price_to_ticks(self, symbol: str, price: Decimal | str | float) -> int:
        """Return ``price`` of ``symbol`` in ticks; :class:`DataError` where it is not on the tick grid."""
        return self.instruments[self.index(symbol)].price_to_ticks(price)


def load_instruments(path: Path | None = None) -> dict[str, Instrument]:
    """Return the known instruments by symbol.

    Parameters
    ----------
    path : a TOML file of tables ``[SYMBOL]`` merged key by key over the built-in ones; may add symbols.

    Raises
    ------
    ConfigurationError : the file cannot be read or a value is not allowed; the message names file, symbol, field.
    """
    builtin = resources.files("chimera_platform.market").joinpath("instruments.toml").read_text(encoding="utf-8")
    tables: dict[str, dict[str, Any]] = tomllib.loads(builtin)
    origin = "built-in instruments"
    if path is not None:
        origin = str(path)
        try:
            own = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"{path}: cannot be read as instruments TOML: {error}") from error
        for symbol, table in own.items():
            if not isinstance(table, dict):
                raise ConfigurationError(f"{path}: '{symbol}' stands outside a [SYMBOL] table")
            tables[symbol] = _merge(tables.get(symbol, {}), table)
    found = {}
    for symbol, table in tables.items():
        try:
            found[symbol] = Instrument.model_validate({"symbol": symbol, **table})
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "instrument"
            raise ConfigurationError(f"{origin}: [{symbol}] {field}: {first['msg']}") from error
    return found


def find_instrument(instruments: dict[str, Instrument], symbol: str) -> Instrument:
    """Return the instrument called ``symbol``; :class:`ConfigurationError` naming the known ones otherwise."""
    if symbol not in instruments:
        raise _unknown(symbol, tuple(instruments))
    return instruments[symbol]


def _unknown(symbol: str, known: Sequence[str]) -> ConfigurationError:
    return ConfigurationError(f"unknown symbol '{symbol}'; known: {', '.join(known)}")


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
