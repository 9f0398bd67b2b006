"""Probabilities that mean what they say: what is fitted, and how it is judged."""
