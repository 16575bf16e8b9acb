"""Signals: what the detectors said by day, and what that was worth over all days."""
