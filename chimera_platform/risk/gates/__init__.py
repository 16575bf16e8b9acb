"""The risk governor's gates: what refuses an entry, what makes it smaller, and what does not hold for hedges."""
