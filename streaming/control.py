"""How a running flow is told to stop, and how its end is known.

A signal, or a stop file in the work folder (which reaches whichever process of a cluster holds the source), ends
the feed; the flow then drains in order, seals the journal and leaves a final snapshot, so nothing is lost.
"""

from __future__ import annotations

import signal
import threading
import types
from pathlib import Path


class FlowControl:
    """Shared by the source and whoever started the flow in this process.

    Parameters
    ----------
    stop_file : its appearance asks the flow to stop.
    """

    def __init__(self, stop_file: Path) -> None:
        self._stop_file = stop_file
        self._stop = threading.Event()
        self.failure: BaseException | None = None

    def request_stop(self) -> None:
        """Ask for an orderly stop, in this process and in every process on the same work folder."""
        self._stop.set()
        self._stop_file.touch()

    def stop_requested(self) -> bool:
        """Whether the flow is to stop; looks at the stop file."""
        if not self._stop.is_set() and self._stop_file.exists():
            self._stop.set()
        return self._stop.is_set()

    def clear(self) -> None:
        """Forget an earlier stop."""
        self._stop.clear()
        self._stop_file.unlink(missing_ok=True)

    def install_signal_handlers(self) -> None:
        """Make SIGINT and SIGTERM an orderly stop; only possible from the main thread."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: types.FrameType | None) -> None:
        self.request_stop()
