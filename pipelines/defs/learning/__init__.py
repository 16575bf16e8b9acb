"""Learning: inspected days, labels, attribution, the signal model and the engine weights."""
