"""What a revision is and how to run it. Importing it does not import torch."""

from hub_model.predictor import GuardedClassifier

__all__ = ["GuardedClassifier"]
