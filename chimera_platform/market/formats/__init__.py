"""One reader a source format; each yields bounded batches of events in time order."""
