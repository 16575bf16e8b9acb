"""The coordinator's kernels: the one loop that reserves, checks, sends and releases."""
