"""The order-flow engine: six strategies on what the detectors, the profile and the bands say, one intent an event."""
