"""Which pairs show one slice, which show one patient, and how the two images differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.linkage import symmetry
from training.linkage.match import Matches, match_between, match_within
from training.linkage.prints import Prints

SAME_SLICE = 0.925  # score from which two images show one slice
NEIGHBOURS = ((0.84, 0.03), (0.76, 0.01))  # score, and by how much the place may differ, in shares
_CROP = 0.03  # share of a side that has to be missing to be called cropped
_RESIZE = 0.03  # by how much pixels differ in size to be called resized
_CONTRAST = 6.0  # grey values


@dataclass(frozen=True, slots=True)
class Link:
    """Two images that belong together.

    Args:
        first: number of the new image; of the earlier one where both are of one set.
        second: number of its partner.
        score: correlation of local contrast, 0-1.
        transform: what was done to `second` to make `first`: a name of `symmetry.NAMES`, then what
            else there is of crop, extend, resize and contrast, joined by "+".
        same_slice: both show one slice; otherwise slices of one head.
    """

    first: int
    second: int
    score: float
    transform: str
    same_slice: bool


def within(prints: Prints) -> list[Link]:
    """Every pair found in one set that shows one slice or one head, by first and second image.

    Args:
        prints: of all images.
    """
    return links(match_within(prints), prints, prints)


def between(new: Prints, known: Prints) -> list[Link]:
    """Every pair found across two sets, by new and known image.

    Args:
        new: prints that look for partners.
        known: prints among which they look.
    """
    return links(match_between(new, known), new, known)


def links(matches: Matches, new: Prints, known: Prints) -> list[Link]:
    """Those pairs whose evidence is strong.

    Args:
        matches: see `match_within` and `match_between`.
        new: the prints it was made from.
        known: the prints it was made from.
    """
    strong = matches.take(same_head(matches))
    return described(strong, new, known)


def described(matches: Matches, new: Prints, known: Prints) -> list[Link]:
    """Every pair as a link, however weak its evidence is; for the arguments see `links`."""
    names = transforms(matches, new, known)
    return [
        Link(int(first), int(second), float(score), name, bool(score >= SAME_SLICE))
        for first, second, score, name in zip(
            matches.new, matches.known, matches.score, names, strict=True
        )
    ]


def same_head(matches: Matches) -> NDArray[np.bool_]:
    """Pairs that show one slice or neighbouring slices of one head, `(C,)`.

    Neighbours lie in the same place of their images, as heads of two people hardly do: the more
    exactly they lie there, the less likeness is asked for.
    """
    scale, shift = matches.place[:, 0::2], matches.place[:, 1::2]
    moved = np.maximum(np.abs(scale - 1), np.abs(shift + (scale - 1) / 2)).max(axis=1)
    near = [(matches.score >= score) & (moved < away) for score, away in NEIGHBOURS]
    found: NDArray[np.bool_] = np.logical_or.reduce([matches.score >= SAME_SLICE, *near])
    return found


def transforms(matches: Matches, new: Prints, known: Prints) -> list[str]:
    """The name of each pair's transform, as `Link.transform`."""
    sizes = known.sizes[matches.known].astype(np.float64)
    swap = (matches.symmetry & 4) > 0
    there = np.where(swap[:, None], sizes[:, ::-1], sizes)
    scale, shift = matches.place[:, 0::2], matches.place[:, 1::2]
    missing = np.maximum(shift, 0) + np.maximum(1 - shift - scale, 0)
    added = np.maximum(-shift, 0) + np.maximum(shift + scale - 1, 0)
    step = scale * there / new.sizes[matches.new]  # pixels of the known image to a new one
    flags = {
        "crop": np.max(missing, axis=1) > _CROP,
        "extend": np.max(added / scale, axis=1) > _CROP,
        "resize": np.max(np.abs(step - 1), axis=1) > _RESIZE,
        "contrast": matches.change > _CONTRAST,
    }
    return [
        "+".join([symmetry.NAMES[turn], *(name for name, of in flags.items() if of[number])])
        for number, turn in enumerate(matches.symmetry)
    ]
