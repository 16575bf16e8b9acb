"""The page of an order's states, generated: ``python -m chimera_platform.execution.order_state_page PATH``."""

from __future__ import annotations

import sys
from pathlib import Path

from chimera_platform.execution.order_states import NEXT_STATES, OrderInput
from chimera_platform.execution.records import OrderStatus

_HEAD = """# States of an order

What the client knows of an order moves by what it sends (`CANCEL`, `REPLACE`) and by what the venue reports. Generated
from `chimera_platform/execution/order_states.py`, the table that the coordinator runs on, by
`python -m chimera_platform.execution.order_state_page docs/order-states.md`; a test fails when it is stale.
"""

_RULES = """
Where a report may lead to several states, the order's lots and acknowledgement decide: `FILLED` where all lots are
filled, otherwise `PENDING_CANCEL` or `PENDING_REPLACE` while a request is on its way, `PARTIALLY_FILLED` where some
lots are filled, `NEW` where the venue has accepted it, `PENDING_NEW` before. The dashed states are ends.

## What becomes of a report

| outcome | meaning | changes the order |
| --- | --- | --- |
| `APPLIED` | news | yes |
| `LATE_FILL` | a trade of an order that was reported as ended: it is booked, up to the order's size | yes |
| `DUPLICATE` | said before | no |
| `LATE` | older than what is known, or about an order that has ended | no |
| `UNSOLICITED` | of no order of the client, or an answer to nothing that was asked | no |
| `ILLEGAL` | contradicts what was said before, or what was ordered; or no transition of the table | no |

A trade is known by the lots that it covers: `lots` of it that bring the order to `filled` are the interval
[`filled` - `lots`, `filled`). New intervals are booked in whatever order they come, known ones are duplicates, ones
that are known in part are illegal. A cumulative quantity above what is known says that fills are missing: the order
stays open for them, even after its end. An order has one request on its way at a time.
"""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _edges() -> dict[tuple[OrderStatus, OrderStatus], list[str]]:
    """Return the inputs by (from, to), those that leave the state as it is left out."""
    edges: dict[tuple[OrderStatus, OrderStatus], list[str]] = {}
    for status, inputs in NEXT_STATES.items():
        for each, following in inputs.items():
            for then in following:
                if then is not status:
                    edges.setdefault((status, then), []).append(each.name)
    return edges


def _diagram() -> list[str]:
    ends = [s for s in NEXT_STATES if set(NEXT_STATES[s]) <= {OrderInput.TRADE}]
    lines = ["```mermaid", "stateDiagram-v2", "    direction LR", "    [*] --> PENDING_NEW: send"]
    lines += [f"    {a.name} --> {b.name}: {', '.join(inputs)}" for (a, b), inputs in _edges().items()]
    lines += ["    classDef ended stroke-dasharray: 4 3", f"    class {','.join(s.name for s in ends)} ended", "```"]
    return lines


def order_state_page() -> str:
    """Return the page as Markdown."""
    inputs = list(OrderInput)
    lines = [_HEAD, *_diagram(), _RULES, "## The whole table", ""]
    lines += [_row("state", *(f"`{each.name}`" for each in inputs)), _row(*["---"] * (len(inputs) + 1))]
    for status, following in NEXT_STATES.items():
        cells = [" / ".join(then.name for then in following.get(each, ())) for each in inputs]
        lines.append(_row(f"`{status.name}`", *cells))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(order_state_page(), encoding="utf-8")
