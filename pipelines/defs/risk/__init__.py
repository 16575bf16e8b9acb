"""Risk: how much the account can lose, and whether that was foreseen."""
