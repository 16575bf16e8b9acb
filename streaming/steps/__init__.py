"""Stateful steps: the engines by symbol, the coordinator by account."""
