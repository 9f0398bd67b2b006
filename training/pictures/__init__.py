"""Curves, plots, galleries and examples of a run: data first, then pictures of it."""
