"""Images that show the same slice or the same head, found from pixels alone."""

from training.linkage.links import Link, between, within
from training.linkage.prints import Prints, fingerprints

__all__ = ["Link", "Prints", "between", "fingerprints", "within"]
