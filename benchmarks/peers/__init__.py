"""Side by side with hftbacktest and NautilusTrader: the same events, the same machine, the same run."""
