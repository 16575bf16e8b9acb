"""What the comparison's page says in the same words every time: how to read it, and how it was measured."""

from __future__ import annotations

INTRODUCTION = """\
V1 is the source document's first version: a spread trigger, crossing averages, capital 60/40, limits that do not
adapt. V2 is everything that the platform decides with today. Each upgrade is put over V1 by itself and taken out of
V2, on the same days. **Profit on a simulated market says what an upgrade does where patterns are built in; it promises
nothing about real ones.** Money is in the account's currency; the account starts with {equity:,.0f}, and an order is
worth {hft:,.0f} (HFT), {structure:,.0f} (structure) or {order_flow:,.0f} (order flow).
"""

EXPECTATIONS = """\
Brackets: Wilson's 95 % interval of a share of independent trades; trades of one day are not quite that. A win rate
says nothing of profit by itself: it follows from how far stop and target are apart. Sharpe ratios are of daily profits,
× √252, and not given of fewer than {days} days.
"""

DEFINITIONS = """\
## How it was measured

- **Every variant, every run**: fresh state, the starting equity, nothing open. A simulated day is a run of its own,
  with a seed of its own and no session before it; recorded data is one run, whose days follow one another. A
  trading day ends at the venue's close, so Sunday evening's gold belongs to Monday; it counts as one however little
  of it was recorded.
- **net** = what the account won, open positions at their last mark. **spread, delay** = what fills paid against the
  mid at which they were decided: half the spread, what the price did until the venue had the order, and impact.
  **gross** = net + fees + that: what the same decisions had earned at the mid, at once and for nothing.
- **trades, won**: closed ones, and the share with a net profit. **Sharpe**: of daily profits, × √252. **fall**: the
  account's deepest below its peak, simulated days one after another.
- **adds a day**: with the upgrade less without it, the mean over days: of `v1 + x` against V1, of V2 against `v2 -
  x`, of `v2` against V1, of another venue or account against the same version as it stands. Brackets: 95 %
  studentised interval of the stationary bootstrap over the days' differences ({replicates:,} replicates; simulated
  days drawn one by one, recorded ones in blocks as long as their autocorrelation asks for). Percentile and BCa
  intervals leave the truth out of one in eight samples of seven normal days, this one of one in twenty; of days
  that are mostly 0 or very uneven it is still too narrow. None is given of fewer than {days} days, or fewer than
  that with a difference.
- **better : worse**: days. **p**: the exact two-sided sign test; in parentheses adjusted by Holm for all variants
  of the market that changed something. V2 against V1 is the question that was asked beforehand and stands outside.
- **verdict**: adds, costs: the interval leaves 0 out; bold where the adjusted p is below {significant} as well.
  Without adjustment about one in twenty comparisons says so by chance.
- **small account**: starts with {small:,}, so that caps and drawdown limits bind. **ideal venue**: no latency, no
  impact.
- Nothing is fitted here: settings are the configuration's as they stand, whatever days they were once chosen on.
  Recorded days are few, and other days may say otherwise.
"""
