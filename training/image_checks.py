"""What is wrong with single stored images: each is read once, exactly as serving would read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqdm import tqdm

from hub_model.errors import InputRejected
from training.audit.model import EXAMPLES, Finding, Severity
from training.audit.rows import Row
from training.bar import hidden
from training.linkage.collection import eight_bit
from training.preparing import CHUNK, THREADS, slice_of
from training.recipe.line_spec import ChecksSpec

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at one image gave.

    Args:
        size: bytes.
        refused: the reader's code where serving would refuse the bytes, else "".
        side: the shorter one, pixels; 0 where it was refused.
        contrast: standard deviation of the grey values as a share of their range, 0-0.5; of more
            than 8 bits the range is that of the image. 0: every pixel has the same value.
    """

    size: int
    refused: str = ""
    side: int = 0
    contrast: float = 0.0


def look(data: bytes) -> Look:
    """Read an encoded image."""
    try:
        pixels = slice_of(data).pixels
    except InputRejected as error:
        return Look(len(data), error.code)
    return Look(len(data), "", min(pixels.shape), float(eight_bit(pixels).std() / 255))


def look_at(images: Dataset, *, progress: bool = True) -> list[Look]:
    """Read every image in threads, `inputs.CHUNK` of them in memory at a time.

    Args:
        images: with a column `image` of undecoded bytes, see `audit.rows.images_of`.
        progress: show a bar on stderr.

    Returns:
        In the order of the images.
    """
    found: list[Look] = []
    with (
        ThreadPoolExecutor(THREADS) as pool,
        tqdm(
            total=len(images), desc="validate", unit="image", disable=hidden(show=progress)
        ) as bar,
    ):
        for chunk in images.iter(CHUNK):
            found += pool.map(look, [image["bytes"] for image in chunk["image"]])
            bar.update(len(chunk["image"]))
    return found


@dataclass(frozen=True, slots=True)
class _Fault:
    """One question to an image."""

    code: str
    wrong: Callable[[Look, ChecksSpec], bool]
    found: str  # after "3 of 40 images"; names of limits are filled in
    means: str
    remedy: str


_LEAVE_OUT = "Fetch the source again, or leave them out"
_FAULTS = (
    _Fault(
        "unreadable",
        lambda seen, _: bool(seen.refused),
        "cannot be read as serving would read them",
        "A build keeps readable images only: the dataset was damaged after it.",
        "Build the dataset again.",
    ),
    _Fault(
        "too_few_bytes",
        lambda seen, limits: seen.size < limits.min_bytes,
        "are smaller than {min_bytes} bytes",
        "An encoded slice takes more: nothing is on them, or they are stubs of a download.",
        f"{_LEAVE_OUT}, or lower checks.min_bytes.",
    ),
    _Fault(
        "too_small",
        lambda seen, limits: not seen.refused and seen.side < limits.min_side,
        "have a side of less than {min_side} pixels",
        "No finding can be seen in so few pixels.",
        f"{_LEAVE_OUT}, or lower checks.min_side.",
    ),
    _Fault(
        "constant",
        lambda seen, _: not seen.refused and not seen.contrast,
        "have one value in every pixel",
        "They show nothing, whatever their label says.",
        f"{_LEAVE_OUT}.",
    ),
    _Fault(
        "low_contrast",
        lambda seen, limits: 0 < seen.contrast < limits.min_contrast,
        "spread their grey values by less than {min_contrast:.1%} of the range",
        "They are nearly black, or nearly white, as a viewer shows them.",
        f"{_LEAVE_OUT}, or lower checks.min_contrast.",
    ),
)


def faults(rows: Sequence[Row], looks: Sequence[Look], limits: ChecksSpec) -> Iterator[Finding]:
    """What there is to say about them; an image can have several faults.

    Args:
        rows: one an image.
        looks: at the same images.
        limits: of the recipe.
    """
    for fault in _FAULTS:
        wrong = [
            (row, seen) for row, seen in zip(rows, looks, strict=True) if fault.wrong(seen, limits)
        ]
        if wrong:
            splits = Counter(row.split for row, _ in wrong)
            spread = ", ".join(f"{count} in {split}" for split, count in splits.items())
            what = fault.found.format(**limits.model_dump())
            yield Finding(
                code=fault.code,
                topic="files",
                severity=Severity.ERROR,
                found=f"{len(wrong)} of {len(rows)} images {what} ({spread}).",
                means=fault.means,
                remedy=fault.remedy,
                counts={"images": len(wrong)},
                examples=tuple(
                    f"{row.name} ({seen.refused})" if seen.refused else row.name
                    for row, seen in wrong[:EXAMPLES]
                ),
            )
