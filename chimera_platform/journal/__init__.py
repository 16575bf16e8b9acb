"""The journal: everything a run saw, decided and did, in immutable Parquet segments (architecture rule 2)."""
