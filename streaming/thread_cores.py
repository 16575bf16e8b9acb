"""Binding the flow's threads to processor cores, where the system can do that."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from chimera_platform.errors import ConfigurationError
from chimera_platform.threading_settings import ThreadingSettings

_CAN_BIND = hasattr(os, "sched_setaffinity")
_claimed = threading.local()


def check_cores(settings: ThreadingSettings) -> None:
    """Raise ConfigurationError for a core that the process may not use, or where threads cannot be bound to cores."""
    for name, core in settings:
        if core is None:
            continue
        if not _CAN_BIND:
            raise ConfigurationError(f"'threading.{name}' is {core}; this system does not bind threads to cores")
        usable = sorted(os.sched_getaffinity(0))
        if core not in usable:
            known = ", ".join(map(str, usable))
            raise ConfigurationError(f"'threading.{name}' is {core}; this process may run on the cores {known}")


def run_on(cores: Collection[int]) -> None:
    """Let the calling thread use ``cores`` besides those that it was given before; nothing is changed by none."""
    if cores:
        _claimed.cores = getattr(_claimed, "cores", frozenset()) | frozenset(cores)
        os.sched_setaffinity(0, _claimed.cores)  # 0: the calling thread


@contextmanager
def unchanged_afterwards() -> Iterator[None]:
    """Give the calling thread its cores back at the end: a flow's only worker is the thread that started it."""
    before = os.sched_getaffinity(0) if _CAN_BIND else None
    try:
        yield
    finally:
        _claimed.cores = frozenset()
        if before is not None:
            os.sched_setaffinity(0, before)
