"""A dataset that knows where its images come from: built, opened, divided, pushed, tabulated."""

from training.dataset.folder import Opened, build, fingerprint, load, open_at
from training.dataset.rows import DatasetError, features

__all__ = [
    "DatasetError", "Opened", "build", "features", "fingerprint", "load", "open_at"
]  # fmt: skip
