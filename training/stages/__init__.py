"""The stages of a run: each from the folders of those before it to a folder of its own."""

from training.stages.job import Job

__all__ = ["Job"]
