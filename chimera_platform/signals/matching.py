"""Which detection found which injected episode: the rules by which detectors are scored on a simulated market.

A detection counts when it is CONFIRMED. It *fits* an episode of its kind where

- the instrument is the same, and the side is, or for some kinds its opposite (a drought of bids lets the price fall);
- it was said at or after the episode's first event and not later than its end in event time (the last record of an
  episode need not be the last of its source event, at which detectors speak), plus what the detector has to wait;
- the two price zones touch. A drought empties a whole side: there the detection's zone must reach the emptied side.
  Of stacked levels the detection must name both: its zone holds the episode's.

Episodes are taken in order of their beginning, and each takes the first detection that fits it and that none has
taken: one to one. What is left over are false positives, a second detection of the same episode too, and false
negatives, so nothing is gained by speaking often or all the time.

Episodes that nobody could tell from the usual flow are *asked of no detector*, and a detection of one is a false
positive: an iceberg that never refilled, a level that was never refilled under attack, a stop run whose price did not
come back in time. A level that absorbed for a while and then broke is not asked for either, because a detector that
waits for the end of the attack is right not to confirm it; but one that confirmed it before is not wrong: such a
detection is *set aside*, neither right nor wrong. So is one of a burst through an extreme that had been made within
the last two minutes, which is not asked for as a stop run: it is the same move going on. Each of two stacked levels is
absorption too: one detection of it is set aside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.signals.records import Detector
from chimera_platform.simulation.market.episodes import EpisodeKind

Rows = np.ndarray[Any, Any]


def _all(episodes: Rows) -> Rows:
    return np.ones(len(episodes), bool)


def _refilled(episodes: Rows) -> Rows:
    return np.asarray(episodes["levels"] > 0)


def _succeeded(episodes: Rows) -> Rows:
    return np.asarray(episodes["outcome"] == 1)


def _refilled_and_held(episodes: Rows) -> Rows:
    return _refilled(episodes) & _succeeded(episodes)


def _refilled_and_broke(episodes: Rows) -> Rows:
    return _refilled(episodes) & ~_succeeded(episodes)


def _none(episodes: Rows) -> Rows:
    return np.zeros(len(episodes), bool)


@dataclass(frozen=True)
class MatchingRule:
    """How a detector's detections are held against episodes of one kind.

    Attributes
    ----------
    kind : of the episodes.
    sign : +1 where the detection's side is the episode's, -1 where it is the opposite.
    wait_ns : after the episode's end, within which a detection may still be said.
    both_ends : whether the detection's zone must hold the whole of the episode's.
    whole_side : whether the episode's zone reaches from its price outwards without end.
    is_asked : which episodes (EPISODE_DTYPE) are to be found.
    is_allowed : of which other ones a detection is set aside.
    """

    kind: EpisodeKind
    sign: int = 1
    wait_ns: int = 0
    whole_side: bool = False
    both_ends: bool = False
    is_asked: Callable[[Rows], Rows] = _all
    is_allowed: Callable[[Rows], Rows] = _none


RULES: dict[Detector, MatchingRule] = {
    Detector.SWEEP: MatchingRule(EpisodeKind.SWEEP),
    Detector.ICEBERG: MatchingRule(EpisodeKind.ICEBERG, is_asked=_refilled),
    # a level is confirmed some seconds after its last trade, at the next record
    Detector.ABSORPTION: MatchingRule(
        EpisodeKind.ABSORPTION, wait_ns=5_000_000_000, is_asked=_refilled_and_held, is_allowed=_refilled_and_broke
    ),
    Detector.STACKED_ABSORPTION: MatchingRule(
        EpisodeKind.STACKED_ABSORPTION,
        wait_ns=5_000_000_000,
        both_ends=True,
        is_asked=_refilled_and_held,
        is_allowed=_refilled_and_broke,
    ),
    Detector.VACUUM: MatchingRule(EpisodeKind.DROUGHT, sign=-1, whole_side=True),
    Detector.STOP_RUN: MatchingRule(EpisodeKind.STOP_RUN, sign=-1, is_asked=_succeeded),
}


def levels_of_stacks(truth: Rows) -> Rows:
    """Return the single levels of the stacked absorptions in ``truth`` as episodes of absorption, one or two each."""
    stacks = truth[truth["kind"] == EpisodeKind.STACKED_ABSORPTION]
    first, second = stacks.copy(), stacks[stacks["second_ts"] > 0].copy()
    first["end_price"], second["price"] = first["price"], second["end_price"]
    levels = np.concatenate([first, second])
    levels["kind"] = EpisodeKind.ABSORPTION
    return levels


def match(detections: Rows, episodes: Rows, rule: MatchingRule | None = None, chosen: Rows | None = None) -> Rows:
    """Return for each episode the index of the detection that it takes, -1 for none.

    Parameters
    ----------
    detections : shape (n,), ``DETECTION_DTYPE``, of one detector, confirmed ones only, in the order of ``event_no``.
    episodes : shape (m,), ``EPISODE_DTYPE``, of the rule's kind, in any order.
    rule : None: side and zone as they are, no waiting.
    chosen : bool, shape (m,): the episodes that may take one; None: all.

    Returns
    -------
    ndarray : int64, shape (m,).
    """
    rule = rule or RULES[Detector.SWEEP]
    taken = np.full(len(episodes), -1, np.int64)
    is_free = np.ones(len(detections), bool)
    low, high = _zones(episodes, rule)
    until = np.maximum.accumulate(detections["ts_event"])
    order = np.argsort(episodes["first_event_no"], kind="stable")
    for k in (order if chosen is None else order[chosen[order]]).tolist():
        episode = episodes[k]
        begin = np.searchsorted(detections["event_no"], episode["first_event_no"], "left")
        end = begin + np.searchsorted(until[begin:], episode["end_ts"] + rule.wait_ns, "right")
        rows = detections[begin:end]
        fits = (
            is_free[begin:end]
            & (rows["instrument_id"] == episode["instrument_id"])
            & (rows["side"] == rule.sign * episode["side"])
            & (rows["price_low"] <= (low[k] if rule.both_ends else high[k]))
            & (rows["price_high"] >= (high[k] if rule.both_ends else low[k]))
        )
        found = np.flatnonzero(fits)
        if found.size:
            taken[k] = begin + found[0]
            is_free[taken[k]] = False
    return taken


def _zones(episodes: Rows, rule: MatchingRule) -> tuple[Rows, Rows]:
    """Return the lowest and the highest price of each episode, ticks."""
    low = np.minimum(episodes["price"], episodes["end_price"])
    high = np.maximum(episodes["price"], episodes["end_price"])
    if rule.whole_side:
        low = np.where(episodes["side"] > 0, np.iinfo(np.int64).min, low)
        high = np.where(episodes["side"] < 0, np.iinfo(np.int64).max, high)
    return low, high
