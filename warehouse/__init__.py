"""The warehouse: DuckDB over DuckLake tables, derived from the journal and rebuilt from it at any time."""
