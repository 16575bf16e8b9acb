"""The live side: Bytewax dataflows over the domain's kernels. Nothing here decides anything."""
