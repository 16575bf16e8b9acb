"""Moving elements within an array by ``memmove``: five to eight times as fast as a loop on deep books.

NumPy's slice assignment would do, but under Numba it copies overlapping slices through the heap.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _move_elements(typing_context: Any, array: Any, target: Any, source: Any, count: Any) -> Any:
    """Move ``count`` elements of a contiguous 8-byte array from index ``source`` to ``target``; ranges may overlap.

    To be called from kernels only, as ``move_elements(array, target, source, count)``; nothing is checked: all
    indices are non-negative and inside the array.
    """
    signature = types.void(array, types.intp, types.intp, types.intp)

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        data = context.make_array(array)(context, builder, arguments[0]).data
        to, start = builder.gep(data, [arguments[1]]), builder.gep(data, [arguments[2]])
        cgutils.raw_memmove(builder, to, start, arguments[3], array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return signature, generate


move_elements: Any = intrinsic(_move_elements)
