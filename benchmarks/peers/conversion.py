"""Our events in the forms that the peers read: plain level updates, one record an update."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind

Array = np.ndarray[Any, Any]

_ADD, _CANCEL, _DELETE = int(EventKind.ADD), int(EventKind.CANCEL), int(EventKind.DELETE)
_EXECUTE, _LEVEL, _CLEAR = int(EventKind.EXECUTE), int(EventKind.LEVEL), int(EventKind.CLEAR)
_QUOTE, _MODIFY = int(EventKind.QUOTE), int(EventKind.MODIFY)
_LAST, _HIDDEN = int(EventFlag.LAST), int(EventFlag.HIDDEN)

_Update = tuple[int, int, int, int, int]  # row it came from, side, ticks, lots the level has now, flags


def level_updates(events: Array) -> Array:
    """Return the same market as LEVEL records only.

    Parameters
    ----------
    events : EVENT_DTYPE of one instrument, without MODIFY records, prices in ticks.

    Returns
    -------
    EVENT_DTYPE array: one LEVEL record for each record that changes the book, with the level's new total; a CLEAR
    becomes the removal of each level, a quote up to four updates; prints, hidden executions and status records leave
    the book alone and are dropped. Of a source event the last update carries LAST.
    """
    levels: dict[tuple[int, int], int] = {}
    updates: list[_Update] = []
    columns = (events[name].tolist() for name in ("kind", "side", "price", "size", "ask_price", "ask_size", "flags"))
    for row, (kind, side, price, size, ask_price, ask_size, flags) in enumerate(zip(*columns, strict=True)):
        if kind == _QUOTE:
            wanted = {(s, p): n for s, p, n in ((1, price, size), (-1, ask_price, ask_size)) if n > 0}
            updates += _replace(levels, wanted, row, flags)
        elif kind == _CLEAR:
            updates += _replace(levels, {}, row, flags)
        elif kind in (_ADD, _CANCEL, _DELETE, _EXECUTE, _LEVEL):
            if flags & _HIDDEN == 0:
                total = size
                if kind != _LEVEL:
                    total = max(levels.get((side, price), 0) + (size if kind == _ADD else -size), 0)
                _set(levels, (side, price), total)
                updates.append((row, side, price, total, flags & _LAST))
        elif kind == _MODIFY:
            raise DataError(f"event {row} modifies an order; resolve modifications before converting")
        if flags & _LAST and updates and not updates[-1][4]:
            updates[-1] = (*updates[-1][:4], _LAST)
    return _records(events, updates)


def _set(levels: dict[tuple[int, int], int], key: tuple[int, int], total: int) -> None:
    if total > 0:
        levels[key] = total
    else:
        levels.pop(key, None)


def _replace(
    levels: dict[tuple[int, int], int], wanted: dict[tuple[int, int], int], row: int, flags: int
) -> list[_Update]:
    """Make the book ``wanted``; return the updates that do so, removals first, so that it never crosses itself."""
    updates = [(row, side, price, 0, 0) for side, price in levels if (side, price) not in wanted]
    updates += [(row, *key, total, 0) for key, total in wanted.items() if levels.get(key) != total]
    levels.clear()
    levels.update(wanted)
    if updates and flags & _LAST:
        updates[-1] = (*updates[-1][:4], _LAST)
    return updates


def _records(events: Array, updates: list[_Update]) -> Array:
    rows, sides, prices, totals, flags = np.array(updates, np.int64).reshape(-1, 5).T
    out = np.zeros(len(updates), EVENT_DTYPE)
    for name in ("ts_event", "ts_recv", "seq"):
        out[name] = events[name][rows]
    out["kind"] = _LEVEL
    out["side"], out["price"], out["size"], out["flags"] = sides, prices, totals, flags
    return out
