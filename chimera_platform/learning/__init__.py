"""Models: labels, training, gates, and the compiled form that the flow scores with."""
