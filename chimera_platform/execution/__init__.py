"""Orders from the intent to the fill."""
