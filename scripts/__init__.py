"""Thin commands, one file a verb."""
