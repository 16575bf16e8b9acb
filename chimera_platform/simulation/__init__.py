"""Stand-ins for the outside world: a seeded market and a venue that fills orders in event time."""
