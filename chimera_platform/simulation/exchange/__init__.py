"""The simulated exchange: orders of every type against replayed books, in event time, answered by reports."""
