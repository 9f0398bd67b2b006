"""Thresholds, what they promise, and what became of it."""
