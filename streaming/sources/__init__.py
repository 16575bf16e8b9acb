"""Where batches come from: the sequencer, its feeder and the watch on releases."""
