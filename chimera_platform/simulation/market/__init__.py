"""The simulated market: a seeded order flow of several symbols, with what it planted in it."""
