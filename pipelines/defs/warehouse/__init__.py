"""The warehouse: staging tables by day, the SQL models on them, and upkeep."""
