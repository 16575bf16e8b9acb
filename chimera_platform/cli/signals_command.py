"""`chimera signals`: what the order-flow detectors say about a source, in real prices and by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chimera_platform.cli import options as o
from chimera_platform.cli.data_commands import open_events
from chimera_platform.cli.output import emit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from chimera_platform.market.sources import EventSource

_BATCH_SIZE = 65_536


class SignalTable:
    """Rows of every detection as Arrow record batches; one batch at least, so that silence gives an empty table.

    Iterating reads the source once; the counters are complete afterwards.

    Attributes
    ----------
    events : event records so far.
    signals : detections by kind so far, whatever became of them.
    stages : rows by kind and stage so far.
    """

    def __init__(self, source: EventSource, batch_size: int = _BATCH_SIZE) -> None:
        from chimera_platform.signals.detector_stream import DetectorStream
        from chimera_platform.signals.detectors import EVIDENCE_NAMES
        from chimera_platform.signals.records import Stage

        self.source, self.batch_size = source, batch_size
        self.stream = DetectorStream(source.universe)
        self.events = 0
        self.signals = {detector.name.lower(): 0 for detector in EVIDENCE_NAMES}
        self.stages = {name: {stage.name.lower(): 0 for stage in Stage} for name in self.signals}

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        from chimera_platform.signals.records import Stage

        said_before: set[tuple[int, int, int]] = set()
        for number, events in enumerate(self.source.batches(self.batch_size)):
            rows = self.stream.run(events, self.events)
            self.events += len(events)
            for row in rows:
                name = _names()[int(row["detector"])]
                self.stages[name][Stage(int(row["stage"])).name.lower()] += 1
                key = (int(row["instrument_id"]), int(row["detector"]), int(row["detection_no"]))
                if key not in said_before:
                    said_before.add(key)
                    self.signals[name] += 1
            if len(rows) or number == 0:
                yield to_table(rows, self.source.universe)


def _names() -> dict[int, str]:
    from chimera_platform.signals.records import Detector

    return {int(detector): detector.name.lower() for detector in Detector}


def to_table(detections: Any, universe: Any) -> pa.RecordBatch:
    """Return detections (n,) of ``DETECTION_DTYPE`` in real prices and sizes, names instead of codes.

    ``evidence`` maps the detector's own figures, lots among them, from their names.
    """
    import numpy as np
    import pyarrow as pa

    from chimera_platform.signals.detectors import EVIDENCE_NAMES
    from chimera_platform.signals.records import Detector, Stage

    low, high, size = np.zeros((3, len(detections)))
    for instrument_id in np.unique(detections["instrument_id"]).tolist():
        own, instrument = detections["instrument_id"] == instrument_id, universe[instrument_id]
        low[own] = instrument.ticks_to_price(detections["price_low"][own])
        high[own] = instrument.ticks_to_price(detections["price_high"][own])
        size[own] = instrument.lots_to_size(detections["size"][own])
    names = _names()
    evidence = [
        list(zip(EVIDENCE_NAMES[Detector(int(row["detector"]))], row["evidence"].tolist(), strict=False))
        for row in detections
    ]
    columns = {
        "ts_ns": pa.array(detections["ts_event"]),
        "event_no": pa.array(detections["event_no"]),
        "symbol": pa.array([universe.symbols[k] for k in detections["instrument_id"].tolist()], pa.string()),
        "signal": pa.array([names[k] for k in detections["detector"].tolist()], pa.string()),
        "detection_no": pa.array(detections["detection_no"]),
        "stage": pa.array([Stage(k).name.lower() for k in detections["stage"].tolist()], pa.string()),
        "direction": pa.array([{1: "bullish", -1: "bearish"}.get(k) for k in detections["side"].tolist()], pa.string()),
        "ts_start_ns": pa.array(detections["ts_start"]),
        "price_low": pa.array(low),
        "price_high": pa.array(high),
        "size": pa.array(size),
        "strength": pa.array(detections["strength"]),
        "evidence": pa.array(evidence, pa.map_(pa.string(), pa.float64())),
    }
    return pa.record_batch(columns)


def signals(
    source: o.SourceArgument = None,
    out: o.OutOption = ...,  # type: ignore[assignment]
    format: o.FormatOption = None,
    feed: o.FeedOption = None,
    symbols: o.SymbolsOption = None,
    instruments: o.InstrumentsOption = None,
    seed: o.SeedOption = 7,
    as_json: o.JsonOption = False,
) -> None:
    """Write what every order-flow detector says: sweeps, icebergs and the others, a row each time one's stage changes.

    Example: chimera signals messages_and_book.zip --out signals.parquet
    """
    from chimera_platform.cli.parquet_file import write_parquet

    table = SignalTable(open_events(source, format, feed, symbols, instruments, seed))
    rows = write_parquet(table, out)
    result = {
        "events": table.events,
        "rows": rows,
        "signals": table.signals,
        "stages": table.stages,
        "out": str(out),
    }
    emit(result, as_json=as_json, title="signals")
