"""The coordinator: one account's single place of decision between what engines want and what venues get.

It applies every market event to books of its own, lets the simulated venues act in event time, takes in their reports
when they are received, and for each intent reserves, checks, sends, and releases what is rejected, cancelled or
expired. Its output depends on the events and intents alone, not on how they are cut into batches: all that lasts is
in its state.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple, Protocol

import numpy as np

from chimera_platform.coordination.desk import Estimates
from chimera_platform.coordination.intents import CHECKED_FIELDS, find_invalid_intent
from chimera_platform.coordination.invariants import Violation, check_invariants
from chimera_platform.coordination.loop import ROWS_PER_EVENT, run_events
from chimera_platform.coordination.parameters import (
    CoordinatorConfiguration,
    CoordinatorParameters,
    coordinator_parameters,
)
from chimera_platform.coordination.reconciling import Reconciliation, StatementSource
from chimera_platform.coordination.state import CoordinatorState, new_estimates, new_rows, new_state
from chimera_platform.errors import CapacityError, ConfigurationError, ReconciliationError, ReleaseError
from chimera_platform.execution.records import (
    DECISION_DTYPE,
    ENGINE_COUNT,
    FILL_DTYPE,
    INTENT_DTYPE,
    MARK_DTYPE,
    ORDER_EVENT_DTYPE,
    RISK_EVENT_DTYPE,
    RISK_MARK_DTYPE,
    SIGNAL_ENGINES,
    Engine,
)
from chimera_platform.market.book import pack_book, unpack_book
from chimera_platform.market.instruments import Universe
from chimera_platform.portfolio.account import CLOSING_COMMAND
from chimera_platform.portfolio.positions import Fault
from chimera_platform.risk.circuit_breaker import BreakerState, BreakerView, breaker_view, reset_breaker
from chimera_platform.risk.rebalancing import set_priors
from chimera_platform.simulation.exchange.snapshot import pack_exchange, unpack_exchange
from chimera_platform.simulation.exchange.statement import simulated_statement

Array = np.ndarray[Any, Any]
WEIGHT_MAX = 10.0
_ARRAYS = (
    "account", "markets", "currencies", "positions", "orders", "order_times", "desk", "market_risk", "moments",
)  # fmt: skip
_ESTIMATES = ("returns", "betas", "work")


class WeightedRelease(Protocol):
    """What the coordinator reads of a release."""

    @property
    def weights(self) -> dict[str, float]:
        """Engine name in lower case → weight."""


class CoordinatorOutput(NamedTuple):
    """The rows of one run, in row-number order."""

    intents: Array  # INTENT_DTYPE, numbered
    decisions: Array  # DECISION_DTYPE, one per intent
    orders: Array  # ORDER_EVENT_DTYPE
    fills: Array  # FILL_DTYPE
    marks: Array  # MARK_DTYPE
    risk_events: Array  # RISK_EVENT_DTYPE
    risk_marks: Array  # RISK_MARK_DTYPE


def _empty(dtype: np.dtype[Any]) -> Array:
    array = np.zeros(0, dtype)
    array.setflags(write=False)
    return array


_NO_INTENTS = np.zeros(0, INTENT_DTYPE)
_DTYPES = (DECISION_DTYPE, ORDER_EVENT_DTYPE, FILL_DTYPE, MARK_DTYPE, RISK_EVENT_DTYPE, RISK_MARK_DTYPE)
_NO_ROWS = tuple(_empty(dtype) for dtype in _DTYPES)


class Coordinator:
    """Allocation, risk, orders, simulated venue and accounting of one account.

    Parameters
    ----------
    universe : the run's instruments; all in one currency, the account's.
    configuration : see :class:`~chimera_platform.coordination.parameters.CoordinatorConfiguration`.

    Raises
    ------
    ConfigurationError : the instruments have several currencies.

    Notes
    -----
    Money is exact up to ``MAX_NOTIONAL_NANOS`` (2.3e9 of the currency) of exposure and 2**31 - 1 lots a position;
    caps are clamped to it, and a fill or valuation beyond it stops the run with :class:`CapacityError`. Every
    contract is booked as linear, with the instrument's ``tick_value_nanos``.
    """

    def __init__(self, universe: Universe, configuration: CoordinatorConfiguration) -> None:
        currencies = sorted({instrument.currency for instrument in universe.instruments})
        if len(currencies) > 1:
            raise ConfigurationError(f"one account trades one currency; the universe has {', '.join(currencies)}")
        self._parameters = coordinator_parameters(universe, configuration)
        self._state = new_state(universe, configuration, self._parameters)
        self._estimates = new_estimates(universe, configuration)
        self._rows = new_rows(2 * ROWS_PER_EVENT)
        self._instruments = len(universe)
        self.apply_release(None, 0)
        self._reconciliation = configuration.reconciliation

    def apply_release(self, release: WeightedRelease | None, release_no: int) -> None:
        """Put a release's engine weights in force; an engine that it does not name, and ``None``, means weight 1.

        They are priors: what trades have taught since moves the weights within bounds around them
        (:mod:`chimera_platform.risk.rebalancing`).

        Raises
        ------
        ReleaseError : a weight of an unknown engine, or one outside [0, 10]; the old weights stay.
        """
        weights = np.ones(ENGINE_COUNT)
        for name, weight in (release.weights if release is not None else {}).items():
            known = [engine.name.lower() for engine in SIGNAL_ENGINES]
            if name not in known:
                raise ReleaseError(f"weight for unknown engine '{name}'; expected one of {', '.join(known)}")
            if not 0.0 <= weight <= WEIGHT_MAX:
                raise ReleaseError(f"weight of engine '{name}' is {weight}; expected 0 to {WEIGHT_MAX:g}")
            weights[Engine[name.upper()]] = weight
        desk, account = self._state.desk[0], self._state.account
        set_priors(desk["weights"], desk["performances"], self._parameters.settings[0]["performance_tracking"], weights)
        account["engine_weight"][0] = desk["weights"]["weight"]
        account["release_no"] = release_no
        desk["is_rebalancing"], desk["next_look_ts"] = 1, 0  # what is measured moves to its new target from here on

    def close_down(self, *, is_closing: bool = True) -> None:
        """Take no new risk from here on: intents are refused, entries withdrawn, positions closed (``FLATTEN``).

        With ``is_closing`` False risk may be taken again; exits that are under way go on. Where that takes an earlier
        command back it is the manual reset of the circuit breaker, too: losses, and the drawdown that scales sizes,
        count from then on. Either is part of the state, and changes the run's output like an event does.
        """
        account = self._state.account[0]
        if is_closing:
            account["closing"] |= CLOSING_COMMAND
        elif account["closing"] & CLOSING_COMMAND:
            equity = int(account["cash_nanos"] + account["value_nanos"])
            reset_breaker(self._state.desk[0]["breaker"], self._parameters.settings[0]["circuit_breaker"], equity)
            account["peak_equity_nanos"] = equity
            account["closing"] = 0

    @property
    def breaker(self) -> BreakerState:
        """The circuit breaker's state."""
        return BreakerState(int(self._state.desk["breaker"]["state"][0]))

    def breaker_view(self) -> BreakerView:
        """Return the circuit breaker's figures, for people."""
        return breaker_view(self._state.desk[0]["breaker"], self._parameters.settings[0]["circuit_breaker"])

    def run(self, events: Array, first_event_no: int, intents: Array) -> CoordinatorOutput:
        """Run a batch of the market's events with the intents that they gave rise to.

        Parameters
        ----------
        events : EVENT_DTYPE (n,), all instruments, in the run's order.
        first_event_no : row number of ``events[0]`` in the run.
        intents : INTENT_DTYPE (m,), sorted by (event_no, instrument_id, engine), each of an event of this batch.

        Returns
        -------
        CoordinatorOutput : new arrays; those of a batch without any row are shared and read-only.

        Raises
        ------
        ValueError : intents that are not of this batch, not in order, or not valid; an event of no instrument.
        CapacityError : exposure beyond what int64 nanos hold exactly. The coordinator runs no further after either
            that or an event of no instrument.
        """
        if not (events.flags.c_contiguous and events.flags.writeable):
            events = np.array(events)  # the kernel would be compiled anew for a read-only or strided array
        numbered = _NO_INTENTS
        if len(intents):
            numbered = intents.copy()
            self._check_intents(numbered, first_event_no, len(events))
        self._reserve_rows(len(numbered))
        parts: list[list[Array]] = []
        event, intent = 0, 0
        while True:
            before = event
            event, intent, has_rows, fault = run_events(
                *self._state, *self._estimates, *self._parameters, *self._rows, events, first_event_no, numbered,
                event, intent,
            )  # fmt: skip
            if fault:
                raise fault_error(fault, events, event)
            if has_rows:
                counts = self._rows.counts.tolist()
                parts.append([rows[:n].copy() for rows, n in zip(self._rows, counts, strict=False)])
            if event == len(events):
                return _output(numbered, parts)
            require_progress(event - before, len(self._rows.orders))

    @property
    def parameters(self) -> CoordinatorParameters:
        """The settings' kernel records."""
        return self._parameters

    @property
    def state(self) -> CoordinatorState:
        """The records that last from event to event, for inspection."""
        return self._state

    @property
    def estimates(self) -> Estimates:
        """What is estimated of the markets together."""
        return self._estimates

    def reconcile(self, event_no: int, statement_of: StatementSource | None = None) -> CoordinatorOutput:
        """Hold the books against the venue's statement, as after a restart, and set right what differs.

        Parameters
        ----------
        event_no : of the next event; the rows of what is set right bear it.
        statement_of : asks the venue; None for the simulated one.

        Returns
        -------
        CoordinatorOutput : nothing where books and statement agree. The state is then as it was, to the byte.

        Raises
        ------
        ReconciliationError : a difference that nothing explains. The coordinator runs no further.
        """
        ask = statement_of or (lambda known: simulated_statement(self._state.exchange, known))
        ts = int(self._state.markets["seen_ts"].max())
        reconciliation = Reconciliation(self._state, self._parameters, self._reconciliation, event_no, ts)
        reconciliation.run(ask)
        if reconciliation.parts and (violation := self.violation()) is not Violation.NONE:
            raise ReconciliationError(f"the books contradict themselves once they are the venue's: {violation.name}")
        return _output(_NO_INTENTS, reconciliation.parts)

    def violation(self) -> Violation:
        """Return which accounting invariant is broken now: ``NONE``, always, between two events."""
        return Violation(check_invariants(self._state, self._parameters.shares))

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state as a picklable dict of arrays, books and exchange packed to what is in use."""
        arrays: dict[str, Any] = {name: _copied(array) for name, array in self._lasting().items()}
        books = [pack_book(book) for book in self._state.books]
        return {**arrays, "books": books, "exchange": pack_exchange(self._state.exchange)}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over a state from :meth:`snapshot`, of the same universe and configuration.

        Raises
        ------
        ConfigurationError : the snapshot is of another universe or configuration.
        """
        lasting = self._lasting()
        for name, own in lasting.items():
            other = snapshot[name]
            if own.shape != other.shape or own.dtype != other.dtype:
                raise ConfigurationError(
                    f"coordinator snapshot: '{name}' is {other.dtype}{other.shape}; expected {own.dtype}{own.shape}: "
                    "it was taken with another universe or configuration"
                )
        unpack_exchange(snapshot["exchange"], self._state.exchange)
        for name, own in lasting.items():
            own[...] = snapshot[name]
        for book, packed in zip(self._state.books, snapshot["books"], strict=True):
            unpack_book(packed, book)

    def state_hash(self) -> str:
        """Return the SHA-256 of the whole state, as hex."""
        sha = hashlib.sha256()
        for array in self._lasting().values():
            sha.update(array.tobytes())
        for book in self._state.books:
            sha.update(pack_book(book))
        for _, packed in pack_exchange(self._state.exchange).values():
            sha.update(packed)
        return sha.hexdigest()

    def _lasting(self) -> dict[str, Array]:
        """Return the arrays that last from event to event, books and exchange aside."""
        arrays = {name: getattr(self._state, name) for name in _ARRAYS}
        return arrays | {name: getattr(self._estimates, name) for name in _ESTIMATES}

    def _reserve_rows(self, intents: int) -> None:
        """Make the buffers large enough for one event whatever it brings, all the intents being its own."""
        if len(self._rows.orders) < ROWS_PER_EVENT + intents or len(self._rows.decisions) <= intents:
            self._rows = new_rows(2 * (ROWS_PER_EVENT + intents))

    def _check_intents(self, intents: Array, first_event_no: int, events: int) -> None:
        """Refuse intents that break the contract between engines and coordinator."""
        end = first_event_no + events
        row, field = find_invalid_intent(intents, first_event_no, end, self._instruments)
        if row < 0:
            return
        intent, name = intents[row], CHECKED_FIELDS[field]
        if name == "event_no":
            raise ValueError(
                f"intents in no order or of no event of the batch: intent {row} is of event {intent['event_no']}; "
                f"expected ascending numbers from {first_event_no} to {end - 1}"
            )
        raise ValueError(f"intent {row} of event {intent['event_no']}: {name} is {intent[name]}")


def _copied(array: Array) -> Array:
    """Return a copy byte by byte: one field by field leaves whatever was in memory between the fields."""
    return np.frombuffer(bytearray(array.tobytes()), array.dtype).reshape(array.shape)


def _output(intents: Array, parts: list[list[Array]]) -> CoordinatorOutput:
    """Return the tables joined from their parts; the shared empty one where a table has no row."""
    if not parts:
        return CoordinatorOutput(intents, *_NO_ROWS)
    tables = parts[0] if len(parts) == 1 else [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]
    return CoordinatorOutput(with_own(intents, tables[-1]), *tables[:-1])


def with_own(intents: Array, own: Array) -> Array:
    """Return the engines' intents and the coordinator's own, by number."""
    if len(own) == 0:
        return intents
    joined = np.concatenate([part.view("u1") for part in (intents, own)]).view(INTENT_DTYPE)
    return joined.take(np.argsort(joined["intent_no"]))


def require_progress(events: int, rows: int) -> None:
    """Refuse to go on where a loop with empty buffers could not take one event: it would never end."""
    if events == 0:
        raise CapacityError(f"buffers of {rows} rows do not hold what one event may bring")


def fault_error(fault: int, events: Array, event: int) -> Exception:
    """Return the error of a run that stopped with a fault at index ``event`` of its batch."""
    if fault == Fault.INSTRUMENT:
        return ValueError(f"event {event} of the batch is of instrument_id {events['instrument_id'][event]}")
    if fault == Fault.NOTIONAL:
        return CapacityError(
            "a position or fill is worth more than 2.3e9 of the account's currency; lower max_leverage or equity"
        )
    return CapacityError("a position has more than 2147483647 lots; give the instrument a coarser lot_size")
