"""Chimera: the domain of the order-flow trading platform (no Bytewax, no Dagster in here)."""

__version__ = "0.1.0"
