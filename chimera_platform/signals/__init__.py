"""Order-flow patterns: detectors that say what happened, where, and how sure they are."""
