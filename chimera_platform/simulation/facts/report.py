"""The facts as a Markdown page: recorded markets beside the simulated one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from chimera_platform.simulation.facts.measures import HORIZONS_S, RETURN_LAGS, RETURN_S, Facts

NONE = "–"
SLACK = 1e-9

# What is measured, and how many decimals are shown.
ROWS: tuple[tuple[str, Callable[[Facts], float], int], ...] = (
    ("spread, median, bp", lambda f: f.spread_bp[0], 2),
    ("spread, 95 % quantile, bp", lambda f: f.spread_bp[1], 2),
    ("spread, 99 % quantile, bp", lambda f: f.spread_bp[2], 2),
    ("spread, 95 % quantile / median", lambda f: f.spread_bp[1] / f.spread_bp[0], 2),
    ("depth of level 1, mean market orders", lambda f: f.touch_orders, 2),
    ("depth of level 2 / level 1", lambda f: f.depth[1], 2),
    ("depth of level 3 / level 1", lambda f: f.depth[2], 2),
    ("depth of level 5 / level 1", lambda f: f.depth[4], 2),
    ("depth of level 10 / level 1", lambda f: f.depth[9], 2),
    ("trade size, tail exponent", lambda f: f.tail, 2),
    ("trade signs, autocorrelation, lag 1", lambda f: f.signs[0], 3),
    ("trade signs, autocorrelation, lag 10", lambda f: f.signs[9], 3),
    ("trade signs, autocorrelation, lag 50", lambda f: f.signs[49], 3),
    ("trade signs, mean of lags 1 to 50", lambda f: float(f.signs.mean()), 3),
    *(
        (f"absolute {RETURN_S} s returns, autocorrelation, {RETURN_S * lag} s", lambda f, k=k: f.clustering[k], 3)
        for k, lag in enumerate(RETURN_LAGS)
    ),
    *((f"OFI and mid, R², {h} s", lambda f, k=k: f.ofi[k], 3) for k, h in enumerate(HORIZONS_S)),
    *((f"— control, OFI shuffled, {h} s", lambda f, k=k: f.ofi_shuffled[k], 3) for k, h in enumerate(HORIZONS_S)),
    ("queue imbalance, AUC for the next move", lambda f: f.auc, 3),
    ("— control, imbalance shuffled", lambda f: f.auc_shuffled, 3),
    ("cancel ratio", lambda f: f.cancel_ratio, 3),
)

DEFINITIONS = """\
## What is measured

- **Spread**: time-weighted, in basis points of the mid, while the book can be traded on. **Depth**: time-weighted
  mean lots of a level (levels in use, both sides), level 1 in mean market orders.
- **Market order**: consecutive fills of one time and one aggressor; the exchange names the aggressor, except on COMEX,
  where it is the tick test's (Lee & Ready 1991), which makes its sign autocorrelation one of price changes.
- **Tail exponent**: Hill (1975), largest 5 % of market orders. Real tails come out near 1.5 to 3.
- **Absolute returns**: of the mid, of trade prices on COMEX; pauses of ten minutes are left out.
- **OFI and mid**: Cont, Kukanov & Stoikov (2014): change of the mid on summed order-flow imbalance, a line to each
  half hour with at least 20 intervals, mean R². The control permutes OFI within the half hours; what is left is 1/n.
- **AUC**: Gould & Bonart (2016): queue imbalance at one random time of each spell of constant mid, against the
  direction of the move that ends it. 0.5 is chance.
- **Cancel ratio**: lots withdrawn of lots leaving the book. On Binance, where levels are published and not orders, it
  is what prints do not explain of the levels' decreases.

Order-flow imbalance and queue imbalance are those of the kernel that decides live.
A dash: the data does not have what it takes (no quotes, one level, or too short).
"""


def _shown(value: float, decimals: int) -> str:
    return NONE if math.isnan(value) else f"{value:.{decimals}f}"


def _cells(values: Sequence[float], simulated: Sequence[bool], decimals: int) -> list[str]:
    """Return the row's cells; a simulated value outside the range of the recorded ones is bold."""
    real = [v for v, s in zip(values, simulated, strict=True) if not s and not math.isnan(v)]
    cells = []
    for value, is_simulated in zip(values, simulated, strict=True):
        text = _shown(value, decimals)
        outside = bool(real) and not min(real) - SLACK <= value <= max(real) + SLACK
        cells.append(f"**{text}**" if is_simulated and outside and text != NONE else text)
    return cells


def report(columns: Sequence[tuple[str, bool, Facts]], command: str) -> str:
    """Return the page; a column is its heading, whether it is simulated, and its facts."""
    simulated = [s for _, s, _ in columns]
    head = ["fact", *(label for label, _, _ in columns)]
    lines = [
        "# Known facts: recorded markets and the simulated one",
        "",
        "Made by",
        "",
        "```sh",
        command,
        "```",
        "",
        "**Bold**: the simulator lies outside the range of the recorded markets shown.",
        "",
        "| " + " | ".join(head) + " |",
        "|---" * len(head) + "|",
        "| hours | " + " | ".join(f"{f.hours:.1f}" for _, _, f in columns) + " |",
        "| market orders | " + " | ".join(f"{f.sign_count:,}" for _, _, f in columns) + " |",
        "| moves of the mid | " + " | ".join(f"{f.moves:,}" for _, _, f in columns) + " |",
    ]
    for name, value, decimals in ROWS:
        if "control" in name:
            cells = [_shown(float(value(f)), decimals) for _, _, f in columns]
        else:
            cells = _cells([float(value(f)) for _, _, f in columns], simulated, decimals)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\n" + DEFINITIONS
