"""Tests of `hub_model.reading`."""
