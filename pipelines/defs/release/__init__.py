"""The release: candidate and promotion."""
