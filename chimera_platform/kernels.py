"""How every compiled kernel is declared.

Numba's disk cache looks only at the file a kernel stands in, not at the kernels that it calls: after a
change in a called file the stale machine code would go on running. So each kernel's cache folder is named
after the hash of its source file and of all package files which that one imports; a change compiles afresh
what depends on it and nothing else, and an unchanged tree starts warm.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_ROOT = Path(__file__).resolve().parent.parent
_IMPORT = re.compile(
    r"^\s*(?:from|import)\s+(chimera_platform[\w.]*)(?:[ \t]+import[ \t]+(\([^)]*\)|[^\n#]*))?", re.MULTILINE
)


def cache_root() -> Path:
    """Return the folder of compiled kernels: ``$CHIMERA_KERNEL_CACHE``, or one in the user's cache folder."""
    named = os.environ.get("CHIMERA_KERNEL_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chimera" / "kernels"


@functools.cache
def _imported_files(path: Path) -> frozenset[Path]:
    """Return the package files that ``path`` imports directly."""
    found: set[Path] = set()
    for module, names in _IMPORT.findall(path.read_text(encoding="utf-8")):
        stem = _ROOT / module.replace(".", "/")
        candidates = [stem.with_suffix(".py"), stem / "__init__.py"]
        candidates += [
            stem / f"{name.split(' as ')[0].strip('() ')}.py" for name in names.replace("\n", ",").split(",")
        ]
        found.update(p for p in candidates if p.is_file())
    return frozenset(found)


@functools.cache
def source_fingerprint(path: Path) -> str:
    """Return 16 hex digits that change when ``path``, or any package file it builds on, changes."""
    closure, queue = {path}, [path]
    while queue:
        fresh = _imported_files(queue.pop()) - closure
        closure |= fresh
        queue.extend(fresh)
    sha = hashlib.sha256(numba.__version__.encode())
    for file in sorted(closure):
        sha.update(str(file.relative_to(_ROOT)).encode() + b"\0" + file.read_bytes())
    return sha.hexdigest()[:16]


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` with the platform's flags: cached on disk, GIL released, IEEE arithmetic.

    No ``fastmath``: reordered floating-point sums would break the byte-for-byte contract.
    """
    return _compiled(function, {})


def record_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel that only works on the records and arrays that it is given: no new arrays, no slices.

    As :func:`kernel`, but without Numba's counting of references to arrays, which costs nanoseconds at every call
    that passes a record's array on. What makes an array does not compile (``NRT required but not enabled``).
    """
    return _compiled(function, {"_nrt": False})


def array_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel that makes arrays to work in, also where one calls it that counts no references to any.

    As :func:`kernel`, which takes over from its caller whether references are counted: called from a
    :func:`record_kernel` it could not make an array.
    """
    return _compiled(function, {"_nrt": True})


def inlined_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel whose body is pasted into each kernel that calls it.

    For what a loop does at every event with all of its state: a call that passes dozens of arrays costs more than
    what is mostly done with them. Called from Python it is a kernel like any other.
    """
    return _compiled(function, {"inline": "always", "_nrt": False})


def _compiled(function: Callable[..., Any], options: dict[str, Any]) -> Callable[..., Any]:
    path = Path(inspect.getfile(function)).resolve()
    if not path.is_relative_to(_ROOT / "chimera_platform"):
        return _of_plain_types(numba.njit(nogil=True, error_model="numpy", **options)(function))
    previous = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = str(cache_root() / source_fingerprint(path))  # type: ignore[attr-defined]
    try:
        return _of_plain_types(numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function))
    finally:
        numba.config.CACHE_DIR = previous  # type: ignore[attr-defined]


def _of_plain_types(dispatcher: Any) -> Any:
    """Let a constant argument be of its plain type: Numba would compile a version for each constant that is passed."""
    resolve = dispatcher.get_call_template

    def resolve_plain(args: Any, kws: Any) -> Any:
        plain = {name: numba.types.unliteral(each) for name, each in kws.items()}
        return resolve(tuple(numba.types.unliteral(each) for each in args), plain)

    dispatcher.get_call_template = resolve_plain
    return dispatcher
