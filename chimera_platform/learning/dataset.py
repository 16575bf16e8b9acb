"""Examples for the signal model, and their split in time: train, then validate, then test on what came last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from pydantic import Field

from chimera_platform.errors import DataError
from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.learning.labels import is_labelled
from chimera_platform.learning.model_inputs import MODEL_INPUT_COUNT, model_input_rows
from chimera_platform.settings import Settings


class SplitSettings(Settings):
    """How examples are divided in time."""

    validation_share: float = Field(0.25, gt=0.0, lt=0.9, description="of the examples before the test period")
    test_share: float = Field(0.25, gt=0.0, lt=0.9, description="of the examples, where all are of one day")


class InTime(Protocol):
    """Examples that stand in time order and know the market for a while."""

    @property
    def ts(self) -> np.ndarray[Any, Any]:
        """Decision times, ns UTC, shape (n,)."""

    @property
    def horizon_end(self) -> np.ndarray[Any, Any]:
        """Up to where the labels know the market, ns UTC, shape (n,)."""

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Examples:
    """Labelled intents in time order.

    Attributes
    ----------
    inputs : float64, shape (n, MODEL_INPUT_COUNT).
    won : float64, shape (n,): 1 where the trade made money net of cost.
    net_bps : float64, shape (n,): net profit over entry notional, 1e-4.
    ts : int64, shape (n,): decision time, ns UTC.
    horizon_end : int64, shape (n,): the label knows the market up to here, ns UTC.
    engine : int64, shape (n,).
    """

    inputs: np.ndarray[Any, Any]
    won: np.ndarray[Any, Any]
    net_bps: np.ndarray[Any, Any]
    ts: np.ndarray[Any, Any]
    horizon_end: np.ndarray[Any, Any]
    engine: np.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.won)

    def __getitem__(self, rows: Any) -> Examples:
        return Examples(
            self.inputs[rows],
            self.won[rows],
            self.net_bps[rows],
            self.ts[rows],
            self.horizon_end[rows],
            self.engine[rows],
        )

    @property
    def days(self) -> list[str]:
        """The UTC days of the decisions, sorted."""
        return [str(np.datetime64(int(day), "D")) for day in np.unique(self.ts // NS_PER_DAY)]


@dataclass(frozen=True)
class Split:
    """Three periods, each wholly before the next; labels of one never look into the next."""

    train: Examples
    validation: Examples
    test: Examples


def empty_examples() -> Examples:
    """Return examples of nothing."""
    whole = np.zeros(0, np.int64)
    return Examples(np.zeros((0, MODEL_INPUT_COUNT)), np.zeros(0), np.zeros(0), whole, whole, whole)


def examples_of(intents: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> Examples:
    """Return the labelled intents of one partition as examples, in time order.

    Parameters
    ----------
    intents, labels : INTENT_DTYPE and LABEL_DTYPE arrays, row for row, shape (n,).
    """
    if not np.array_equal(intents["intent_no"], labels["intent_no"]):
        raise DataError("labels do not belong to these intents: their intent_no differ")
    mask = is_labelled(labels)
    intents, labels = intents[mask], labels[mask]
    order = np.argsort(intents["ts_event"], kind="stable")
    intents, labels = intents[order], labels[order]
    return Examples(
        model_input_rows(intents),
        labels["won"].astype(np.float64),
        labels["net_bps"].copy(),
        intents["ts_event"].copy(),
        labels["horizon_end_ts"].copy(),
        intents["engine"].astype(np.int64),
    )


def joined(parts: list[Examples]) -> Examples:
    """Return the examples of several partitions in time order."""
    if not parts:
        return empty_examples()
    fields = ("inputs", "won", "net_bps", "ts", "horizon_end", "engine")
    whole = Examples(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))
    return whole[np.argsort(whole.ts, kind="stable")]


def split(examples: Examples, settings: SplitSettings | None = None) -> Split:
    """Divide examples in time: the last day is for testing; of a single day, its last part.

    An example whose label knows the market beyond the start of the next period is left out (purged).
    """
    train, validation, test = split_rows(examples.ts, examples.horizon_end, settings)
    return Split(examples[train], examples[validation], examples[test])


def split_rows(
    ts: np.ndarray[Any, Any], horizon_end: np.ndarray[Any, Any], settings: SplitSettings | None = None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the rows of the three periods that :func:`split` speaks of: to train, to validate, to test.

    Parameters
    ----------
    ts, horizon_end : int64, shape (n,), ns UTC: decision times in order, and up to where each label knows the market.
    """
    settings = settings or SplitSettings.model_validate({})
    none = np.zeros(0, np.int64)
    if not len(ts):
        return none, none, none
    day = ts // NS_PER_DAY
    if day[0] != day[-1]:
        test_from = int(day[-1] * NS_PER_DAY)
    else:
        test_from = int(ts[int(len(ts) * (1.0 - settings.test_share))])
    before = np.flatnonzero((ts < test_from) & (horizon_end < test_from))
    test = np.flatnonzero(ts >= test_from)
    if not len(before):
        return before, before, test
    validation_from = int(ts[before[int(len(before) * (1.0 - settings.validation_share))]])
    is_trained_on = (ts[before] < validation_from) & (horizon_end[before] < validation_from)
    return before[is_trained_on], before[ts[before] >= validation_from], test
