"""The journal as Dagster sees it: what flows have sealed, by UTC day."""
