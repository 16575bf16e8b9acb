"""What kind of market it is now, and how sure that is."""
