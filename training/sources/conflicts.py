"""Images that show the same and are labelled differently. Pure: nothing is read or decoded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from training.sources import Record


@dataclass(frozen=True, slots=True, order=True)
class Stated:
    """What a source says of one image; the fields as those of `Record`."""

    source: str
    path: str
    label: str | None
    finding: str | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Images that show the same and are not said to be the same.

    Args:
        images: all that show it, sorted.
        labels: the types they are said to be, more than one, or none where they agree on it.
        findings: the same for what was found.
        across: whether the images come from several sources.
    """

    images: tuple[Stated, ...]
    labels: tuple[str, ...]
    findings: tuple[str, ...]
    across: bool


def stated(record: Record) -> Stated:
    """What the record's source says of it."""
    return Stated(record.source, record.path, record.label, record.finding)


def conflicts(seen: Iterable[tuple[Hashable, Stated]]) -> list[Conflict]:
    """Where images of one key carry several labels or findings.

    What is not stated contradicts nothing.

    Args:
        seen: what an image shows, and what is said of it. Images with the same key show the same: a
            hash of pixels, the number of a slice, or the name of a set of linked images.

    Returns:
        One a key, sorted by their images.

    Example:
        >>> conflicts([(7, Stated("a", "1.png", "glioma", "tumor")),
        ...            (7, Stated("b", "x.png", "pituitary", "tumor"))])[0].labels
        ('glioma', 'pituitary')
    """
    together: dict[Hashable, set[Stated]] = defaultdict(set)
    for key, image in seen:
        together[key].add(image)
    found = []
    for images in together.values():
        labels = {image.label for image in images if image.label is not None}
        findings = {image.finding for image in images if image.finding is not None}
        if len(labels) > 1 or len(findings) > 1:
            found.append(
                Conflict(
                    images=tuple(sorted(images, key=lambda image: (image.source, image.path))),
                    labels=tuple(sorted(labels)) if len(labels) > 1 else (),
                    findings=tuple(sorted(findings)) if len(findings) > 1 else (),
                    across=len({image.source for image in images}) > 1,
                )
            )
    return sorted(found, key=lambda conflict: [(i.source, i.path) for i in conflict.images])


def along(links: Iterable[tuple[Stated, Stated]]) -> list[Conflict]:
    """The conflicts between two images each, for links that are not to be followed further.

    Args:
        links: pairs of images that show the same slice.
    """
    pairs = enumerate(links)
    return conflicts((number, image) for number, pair in pairs for image in pair)
