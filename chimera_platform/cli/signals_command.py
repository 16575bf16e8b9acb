"""`chimera signals`: what the order-flow detectors and the engines' strategies say about a source, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chimera_platform.cli import options as o
from chimera_platform.cli.data_commands import open_events
from chimera_platform.cli.output import emit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pyarrow as pa

    from chimera_platform.configuration import Configuration
    from chimera_platform.market.sources import EventSource

_BATCH_SIZE = 65_536


class SignalTable:
    """Rows of every detection and intent as Arrow record batches; one batch at least, so that silence is a table too.

    Iterating reads the source once; the counters are complete afterwards.

    Attributes
    ----------
    events : event records so far.
    signals : by kind so far: detections whatever became of them, and intents.
    stages : detectors' rows by kind and stage so far.
    """

    def __init__(
        self, source: EventSource, configuration: Configuration | None = None, batch_size: int = _BATCH_SIZE
    ) -> None:
        from chimera_platform.configuration import Configuration
        from chimera_platform.engines.step import SymbolEngines
        from chimera_platform.signals.detector_stream import DetectorStream
        from chimera_platform.signals.detectors import EVIDENCE_NAMES
        from chimera_platform.signals.records import Stage

        chosen = configuration if configuration is not None else Configuration()
        self.source, self.batch_size = source, batch_size
        self.stream = DetectorStream(source.universe, chosen.detectors)
        self.engines = [SymbolEngines(source.universe, k, chosen) for k in range(len(source.universe))]
        self.events = 0
        detectors = [detector.name.lower() for detector in EVIDENCE_NAMES]
        self.signals = dict.fromkeys([*detectors, *strategy_kinds().values()], 0)
        self.stages = {name: {stage.name.lower(): 0 for stage in Stage} for name in detectors}

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        said_before: set[tuple[int, int, int]] = set()
        for number, events in enumerate(self.source.batches(self.batch_size)):
            rows, intents = self.stream.run(events, self.events), self._intents(events)
            self.events += len(events)
            self._count(rows, intents, said_before)
            if len(rows) or len(intents) or number == 0:
                yield to_table(rows, intents, self.source.universe)

    def _intents(self, events: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        from chimera_platform.decision_path import merge_intents, split_by_instrument

        parts = [
            self.engines[k].run(events.take(positions), self.events, positions)
            for k, positions in split_by_instrument(events)
        ]
        return merge_intents(parts)

    def _count(
        self, rows: np.ndarray[Any, Any], intents: np.ndarray[Any, Any], said_before: set[tuple[int, int, int]]
    ) -> None:
        from chimera_platform.signals.records import Stage

        names, kinds = _detector_names(), strategy_kinds()
        for row in rows:
            name = names[int(row["detector"])]
            self.stages[name][Stage(int(row["stage"])).name.lower()] += 1
            key = (int(row["instrument_id"]), int(row["detector"]), int(row["detection_no"]))
            if key not in said_before:
                said_before.add(key)
                self.signals[name] += 1
        for intent in intents:
            self.signals[kinds[int(intent["engine"]), int(intent["reason"])]] += 1


def _detector_names() -> dict[int, str]:
    from chimera_platform.signals.records import Detector

    return {int(detector): detector.name.lower() for detector in Detector}


def strategy_kinds() -> dict[tuple[int, int], str]:
    """Return (engine, reason) → what the strategy is called here, ``order_flow.sweep_reversal``."""
    from chimera_platform.execution.records import Engine, IntentReason

    return {
        (int(engine), int(reason)): f"{engine.name.lower()}.{reason.name.lower()}"
        for engine in Engine
        for reason in IntentReason
    }


def to_table(detections: Any, intents: Any, universe: Any) -> pa.RecordBatch:
    """Return detections (DETECTION_DTYPE) and intents (INTENT_DTYPE) in stream order, in real prices and names.

    ``source`` is ``detector`` or ``strategy``. ``evidence`` maps the detector's own figures, lots among them, from
    their names. ``entry``, ``stop`` and ``target`` are prices, of strategies only: entry is the limit price, or of a
    market order the touch that it would meet; ``strength`` of a strategy is its confidence.
    """
    import numpy as np
    import pyarrow as pa

    first, second = _detection_columns(detections, universe), _intent_columns(intents, universe)
    order = np.argsort(np.concatenate([detections["event_no"], intents["event_no"]]), kind="stable")
    columns = {name: pa.concat_arrays([first[name], second[name]]).take(pa.array(order)) for name in first}
    return pa.record_batch(columns)


def _detection_columns(detections: Any, universe: Any) -> dict[str, pa.Array]:
    import pyarrow as pa

    from chimera_platform.signals.detectors import EVIDENCE_NAMES
    from chimera_platform.signals.records import Detector, Stage

    names, count = _detector_names(), len(detections)
    evidence = [
        list(zip(EVIDENCE_NAMES[Detector(int(row["detector"]))], row["evidence"].tolist(), strict=False))
        for row in detections
    ]
    none = pa.nulls(count, pa.float64())
    return {
        "ts_ns": pa.array(detections["ts_event"]),
        "event_no": pa.array(detections["event_no"]),
        "symbol": pa.array([universe.symbols[k] for k in detections["instrument_id"].tolist()], pa.string()),
        "source": pa.array(["detector"] * count, pa.string()),
        "kind": pa.array([names[k] for k in detections["detector"].tolist()], pa.string()),
        "detection_no": pa.array(detections["detection_no"]),
        "stage": pa.array([Stage(k).name.lower() for k in detections["stage"].tolist()], pa.string()),
        "direction": _directions(detections),
        "ts_start_ns": pa.array(detections["ts_start"]),
        "price_low": pa.array(_prices(detections["price_low"], detections, universe)),
        "price_high": pa.array(_prices(detections["price_high"], detections, universe)),
        "size": pa.array(_sizes(detections, universe)),
        "strength": pa.array(detections["strength"]),
        "entry": none,
        "stop": none,
        "target": none,
        "evidence": pa.array(evidence, pa.map_(pa.string(), pa.float64())),
    }


def _intent_columns(intents: Any, universe: Any) -> dict[str, pa.Array]:
    import numpy as np
    import pyarrow as pa

    kinds, count = strategy_kinds(), len(intents)
    side = intents["side"].astype(np.int64)
    touch = np.where(side > 0, intents["ask_price"], intents["bid_price"])
    entry = np.where(intents["limit_price"] != 0, intents["limit_price"], touch)
    places = {
        "entry": entry,
        "stop": entry - side * intents["stop_distance"],
        "target": entry + side * intents["target_distance"],
    }
    codes = zip(intents["engine"].tolist(), intents["reason"].tolist(), strict=True)
    return {
        "ts_ns": pa.array(intents["ts_event"].copy()),
        "event_no": pa.array(intents["event_no"].copy()),
        "symbol": pa.array([universe.symbols[k] for k in intents["instrument_id"].tolist()], pa.string()),
        "source": pa.array(["strategy"] * count, pa.string()),
        "kind": pa.array([kinds[code] for code in codes], pa.string()),
        "detection_no": pa.nulls(count, pa.int64()),
        "stage": pa.nulls(count, pa.string()),
        "direction": _directions(intents),
        "ts_start_ns": pa.nulls(count, pa.int64()),
        "price_low": pa.nulls(count, pa.float64()),
        "price_high": pa.nulls(count, pa.float64()),
        "size": pa.array(_sizes(intents, universe)),
        "strength": pa.array(intents["confidence"].copy()),
        **{name: pa.array(_prices(ticks, intents, universe)) for name, ticks in places.items()},
        "evidence": pa.nulls(count, pa.map_(pa.string(), pa.float64())),
    }


def _directions(rows: Any) -> pa.Array:
    import pyarrow as pa

    return pa.array([{1: "bullish", -1: "bearish"}.get(k) for k in rows["side"].tolist()], pa.string())


def _prices(ticks: Any, rows: Any, universe: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    out = np.zeros(len(rows))
    for k in np.unique(rows["instrument_id"]).tolist():
        own = rows["instrument_id"] == k
        out[own] = universe[k].ticks_to_price(ticks[own])
    return out


def _sizes(rows: Any, universe: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    out = np.zeros(len(rows))
    for k in np.unique(rows["instrument_id"]).tolist():
        own = rows["instrument_id"] == k
        out[own] = universe[k].lots_to_size(rows["size"][own])
    return out


def signals(
    source: o.SourceArgument = None,
    out: o.OutOption = ...,  # type: ignore[assignment]
    format: o.FormatOption = None,
    feed: o.FeedOption = None,
    symbols: o.SymbolsOption = None,
    config: o.ConfigOption = None,
    instruments: o.InstrumentsOption = None,
    seed: o.SeedOption = 7,
    as_json: o.JsonOption = False,
) -> None:
    """Write what every order-flow detector and every strategy says.

    A detector has a row each time a detection's stage changes; a strategy one for each intent, before allocation and
    risk are asked.

    Example: chimera signals messages_and_book.zip --out signals.parquet
    """
    from chimera_platform.cli.parquet_file import write_parquet
    from chimera_platform.configuration import load_configuration

    configuration = load_configuration(config)
    table = SignalTable(open_events(source, format, feed, symbols, instruments, seed), configuration)
    rows = write_parquet(table, out)
    result = {
        "events": table.events,
        "rows": rows,
        "signals": {kind: count for kind, count in table.signals.items() if count or "." not in kind},
        "stages": table.stages,
        "out": str(out),
    }
    emit(result, as_json=as_json, title="signals")
