"""Files that a dataset had better do without, and those that the build did without."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from training.audit.files import File
from training.audit.model import EXAMPLES, Finding, Severity
from training.audit.rows import Row

# Below or above these an image says little of a head, whatever network looks at it.
MIN_SIDE = 64  # pixels of the shorter side
MIN_LEVELS = 16  # distinct grey values of 256
MIN_CONTRAST = 0.05  # standard deviation of the grey values, share of their range
MAX_COLOUR = 0.05  # mean spread between the colour channels, share of their range


@dataclass(frozen=True, slots=True)
class _Defect:
    """One question to a file."""

    code: str
    wrong: Callable[[File], bool]
    found: str  # after "3 of 40 images"
    means: str
    remedy: str


_DEFECTS = (
    _Defect(
        "tiny_images",
        lambda file: min(file.width, file.height) < MIN_SIDE,
        f"are smaller than {MIN_SIDE} pixels on a side.",
        "A finding of a few millimetres is a pixel in them, or none.",
        "Leave them out, or find the originals.",
    ),
    _Defect(
        "blank_images",
        lambda file: file.levels < MIN_LEVELS,
        f"have fewer than {MIN_LEVELS} grey values.",
        "They are blank, a mask, or a drawing.",
        "Leave them out.",
    ),
    _Defect(
        "low_contrast",
        lambda file: file.levels >= MIN_LEVELS and file.contrast < MIN_CONTRAST,
        f"spread their grey values by less than {MIN_CONTRAST:.0%} of the range.",
        "They are nearly black or nearly white as a viewer shows them.",
        "See that the preprocessing stretches them, or leave them out.",
    ),
    _Defect(
        "coloured_images",
        lambda file: file.colour > MAX_COLOUR,
        "have colours, which no MR or CT slice has.",
        "They are maps, photographs of a screen, or have drawings on them.",
        "Leave them out: a drawing can give the answer away.",
    ),
)


def findings(
    rows: Sequence[Row], files: Sequence[File], refused: Sequence[str]
) -> Iterator[Finding]:
    """What there is to say about them.

    Args:
        rows: all images.
        files: their files, in the same order.
        refused: what the build left out: source, path and, in brackets, the reader's code.
    """
    if refused:
        yield _refused(len(rows), refused)
    for defect in _DEFECTS:
        wrong = [row for row, file in zip(rows, files, strict=True) if defect.wrong(file)]
        if wrong:
            labels = Counter(row.label or "without a label" for row in wrong)
            spread = ", ".join(f"{count} {label}" for label, count in labels.most_common())
            yield Finding(
                code=defect.code,
                topic="files",
                severity=Severity.WARNING,
                found=f"{len(wrong)} of {len(rows)} images {defect.found[:-1]} ({spread}).",
                means=defect.means,
                remedy=defect.remedy,
                counts={"images": len(wrong)},
                examples=tuple(row.name for row in wrong[:EXAMPLES]),
            )


def _refused(images: int, refused: Sequence[str]) -> Finding:
    codes = Counter(_code(line) for line in refused)
    return Finding(
        code="files_left_out",
        topic="files",
        severity=Severity.WARNING,
        found=f"{len(refused)} of {images + len(refused)} files were left out by the build: "
        f"{', '.join(f'{count} {code}' for code, count in codes.most_common())}.",
        means="What cannot be read when serving is not trained on; the classes may have lost "
        "unequally.",
        remedy="Fetch the source again; see the reader's codes for what is wrong with each file.",
        counts={"files": len(refused), **codes},
        examples=tuple(refused[:EXAMPLES]),
    )


def _code(line: str) -> str:
    found = re.search(r"\((\w+)\)$", line)
    return found[1] if found else "unnamed"
