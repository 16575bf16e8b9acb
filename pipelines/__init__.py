"""The batch side: Dagster assets from the journal to the release, thin over plain functions."""
