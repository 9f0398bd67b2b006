"""What a revision is and how to run it. Importing it does not import torch."""

from hub_model.predictor import GuardedClassifier
from hub_model.reading import read_case

__all__ = ["GuardedClassifier", "read_case"]
