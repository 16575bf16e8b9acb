"""What refused and resized intents would have earned: each carried out alone in the venue model."""
