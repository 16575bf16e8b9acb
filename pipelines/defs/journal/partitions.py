"""The partitions: one for each UTC day that the journal has events of, so an empty calendar shows no empty days."""

from __future__ import annotations

import dagster as dg

PARTITIONS = "trading_days"
TRADING_DAYS = dg.DynamicPartitionsDefinition(name=PARTITIONS)


def register(instance: dg.DagsterInstance, days: list[str]) -> list[str]:
    """Make the missing days known, in order, and return them."""
    known = set(instance.get_dynamic_partitions(PARTITIONS))
    missing = [day for day in sorted(days) if day not in known]
    if missing:
        instance.add_dynamic_partitions(PARTITIONS, missing)
    return missing
