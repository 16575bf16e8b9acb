"""What decides to trade, and why: pure functions of market data that emit order intents."""
