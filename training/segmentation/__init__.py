"""Masks against the truth: how well they agree, and how sure that is."""
