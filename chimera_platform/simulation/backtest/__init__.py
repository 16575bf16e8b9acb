"""Backtests: a source through the decision path as one compiled loop, for one parameter set or thousands."""
