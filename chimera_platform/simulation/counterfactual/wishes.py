"""Which intents are carried out, and in which sizes."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from chimera_platform.execution.records import Engine
from chimera_platform.simulation.counterfactual.records import APPROVED, WANTED, WISH_DTYPE

Array = np.ndarray[Any, Any]


class Standing(IntEnum):
    """What a decision is to the question of what its gate is worth."""

    FULL = 0  # approved in the size that was wanted: the control
    GATED = 1  # refused, or approved in another size
    ENGAGED = 2  # refused, and the engine was in the instrument already: it could not have been carried out
    UNTRADABLE = 3  # refused for want of a market: there is nothing to carry it out on
    OTHER = 4  # a hedge, whose end is not in its intent; or an intent of no size


def standings(decisions: Array) -> Array:
    """Return the :class:`Standing` of DECISION_DTYPE rows, int64 (n,)."""
    refused = decisions["approved"] == 0
    of_size = decisions["size_approved"] != decisions["size_wanted"]
    found = np.where(refused | of_size, int(Standing.GATED), int(Standing.FULL))
    found[refused & (decisions["is_engaged"] != 0)] = Standing.ENGAGED
    found[refused & (decisions["is_tradable"] == 0)] = Standing.UNTRADABLE
    found[(decisions["engine"] == Engine.HEDGE) | (decisions["size_wanted"] < 1)] = Standing.OTHER
    return found


def wishes_of(decisions: Array) -> Array:
    """Return WISH_DTYPE rows of decisions whose intents are carried out.

    A refused intent is carried out in the size wanted, an approved one in the size approved, and where that is
    another one in the size wanted too.
    """
    wishes = np.zeros(len(decisions), WISH_DTYPE)
    refused = decisions["approved"] == 0
    is_resized = ~refused & (decisions["size_approved"] != decisions["size_wanted"])
    wishes["lots"][:, WANTED] = np.where(refused | is_resized, decisions["size_wanted"], 0)
    wishes["lots"][:, APPROVED] = np.where(refused, 0, decisions["size_approved"])
    wishes["price"] = decisions["price"]
    wishes["gate"] = np.where(refused, decisions["reason"], decisions["binding"])
    wishes["is_refused"] = refused
    return wishes


def is_carried_out(found: Array, every_repeat: bool = False) -> Array:
    """Return which decisions of these standings are carried out: bool (n,)."""
    carried = (found == Standing.FULL) | (found == Standing.GATED)
    return carried | (found == Standing.ENGAGED) if every_repeat else carried
