"""Pages about a day's trading."""
