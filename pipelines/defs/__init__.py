"""Dagster definitions by domain: journal, warehouse, learning, release."""

import warnings

import dagster as dg

# Observable assets and ranges of partitions in one run are marked beta; the version is pinned and tests cover both.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
