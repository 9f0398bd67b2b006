"""The page of a run, rendered from the files that its stages left."""

from training.report.page import write

__all__ = ["write"]
