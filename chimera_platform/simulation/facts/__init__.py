"""The known facts of order books and order flow, measured on recorded and on simulated markets."""
