"""Typed settings and their kernel form.

A settings class is the one place where a parameter's unit, bounds and default stand: the configuration file
is validated by it, the kernels read the record made from it, the optimiser's search space comes from its bounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of all settings sections: unknown keys are refused, values are checked on assignment and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def record_dtype(settings: type[Settings]) -> np.dtype[Any]:
    """Return the structured dtype with one field per numeric setting (float → f8, int → i8, bool → u1)."""
    kinds: dict[Any, str] = {float: "f8", int: "i8", bool: "u1"}
    fields = [(name, kinds[f.annotation]) for name, f in settings.model_fields.items() if f.annotation in kinds]
    return np.dtype(fields, align=True)


def to_record(settings: Settings) -> np.ndarray[Any, Any]:
    """Return ``settings`` as a structured array of shape (1,) in :func:`record_dtype`'s layout."""
    dtype = record_dtype(type(settings))
    record = np.zeros(1, dtype)
    for name in dtype.names or ():
        record[name] = getattr(settings, name)
    return record
