"""Kernels that make arrays to work in, also where they are called from kernels that count no references to any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chimera_platform.kernels import _compiled


def array_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel that makes arrays of its own.

    As :func:`~chimera_platform.kernels.kernel`, which takes over whether references are counted from the kernel that
    calls it: called from a :func:`~chimera_platform.kernels.record_kernel` it could not make an array.
    """
    return _compiled(function, {"_nrt": True})
