"""Where results go: the journal and the telemetry."""
