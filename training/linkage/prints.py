"""The fingerprint of an image: its head at 64 x 64, and small patches that tell it from others.

A print holds about 6 kB an image, whatever the image's size. The patches lie where local contrast
is strongest, and each is turned to a pose of its own, so that the same patch is found again in an
image that was mirrored, rotated by quarter turns, cropped or stretched.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from hub_model.errors import UsageError
from training.bar import hidden
from training.linkage.detail import COARSE, COARSE_FLOOR, local_contrast
from training.linkage.patches import describe

SIDE = 64  # of a thumb
_SURVEY = 128  # side at which the head is looked for
_BRIGHT = 0.2  # share of the robust maximum above which a pixel counts as head
_LINE = 0.05  # a row or column belongs to the head when this share of it is bright
_GAP = 3  # dark lines that do not break a head in two
_LEAST = 0.25  # a box with a shorter side than this is not believed
FURTHER = 52 / SIDE  # how much smaller `shrunk` shows an image
AFAR = 0.8125  # how much smaller `from_afar` looks at an image
_CHUNK = 128  # images described at once
THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True, eq=False)
class Prints:
    """Fingerprints of N images, in their order.

    Args:
        thumbs: `(N, 64, 64)` uint8, the head's box of each image, stretched to a square.
        boxes: `(N, 4)` float32, that box: top, bottom, left, right as shares of the image, 0-1.
        sizes: `(N, 2)` int32, height and width of each image in pixels.
        spots: `(N, P, 2)` float32, row and column of each patch's middle in the thumb, from its
            middle.
        poses: `(N, P)` uint8, the symmetry that turned each patch to its pose.
        words: `(N, P, 64)` int8, each patch as a vector of length 127, all 0 where there is none.
    """

    thumbs: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    sizes: NDArray[np.int32]
    spots: NDArray[np.float32]
    poses: NDArray[np.uint8]
    words: NDArray[np.int8]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.thumbs)

    def take(self, chosen: NDArray[np.int64]) -> Prints:
        """Some of them."""
        return Prints(*(getattr(self, field.name)[chosen] for field in fields(self)))


def fingerprints(images: Iterable[NDArray[np.uint8]], *, progress: bool = False) -> Prints:
    """The prints of images, read once, a few hundred in memory at a time.

    Args:
        images: `(H, W)` uint8 each, of any size of at least 1 x 1.
        progress: show a bar.

    Returns:
        One print an image, in order.

    Raises:
        UsageError: an image is no plane of 8 bits.
    """
    counted = tqdm(images, "fingerprints", unit="image", disable=hidden(show=progress))
    parts = list(_in_threads(_chunks(counted)))
    return join(parts or [_of([])])


def join(parts: Sequence[Prints]) -> Prints:
    """Several sets one after the other, for links across them."""
    return Prints(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Prints))
    )


def _chunks(images: Iterable[NDArray[np.uint8]]) -> Iterator[list[NDArray[np.uint8]]]:
    iterator = iter(images)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def _in_threads(chunks: Iterator[list[NDArray[np.uint8]]]) -> Iterator[Prints]:
    """Prints of each chunk, in order; Pillow and numpy let go of the interpreter's lock."""
    waiting: deque[Future[Prints]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        for chunk in chunks:
            waiting.append(pool.submit(_of, chunk))
            if len(waiting) > THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _of(images: Sequence[NDArray[np.uint8]]) -> Prints:
    count = len(images)
    thumbs = np.zeros((count, SIDE, SIDE), np.uint8)
    boxes = np.zeros((count, 4), np.float32)
    sizes = np.zeros((count, 2), np.int32)
    for number, pixels in enumerate(images):
        if pixels.ndim != 2 or pixels.dtype != np.uint8 or not pixels.size:
            raise UsageError(
                f"image {number} of a chunk is {pixels.dtype} of shape {pixels.shape}: "
                "linkage takes planes of 8 bits"
            )
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        box = _head(picture)
        height, width = pixels.shape
        inside = (box[2] * width, box[0] * height, box[3] * width, box[1] * height)
        thumbs[number] = np.asarray(
            picture.resize((SIDE, SIDE), Image.Resampling.BOX, box=inside), np.uint8
        )
        boxes[number], sizes[number] = box, pixels.shape
    return Prints(thumbs, boxes, sizes, *describe(local_contrast(thumbs, COARSE, COARSE_FLOOR)))


def from_afar(prints: Prints) -> Prints:
    """The same images with patches that are larger on the head, for what was cropped out of a head.

    Patches are compared at one size: where a fifth of a head was cut off, they show too little.
    """
    side = round(SIDE * AFAR)
    thumbs = np.zeros((len(prints), side, side), np.uint8)
    for number, thumb in enumerate(prints.thumbs):
        small = Image.fromarray(thumb).resize((side, side), Image.Resampling.BOX)
        thumbs[number] = np.asarray(small)
    spots, poses, words = describe(local_contrast(thumbs, COARSE, COARSE_FLOOR))
    return replace(prints, spots=spots / np.float32(AFAR), poses=poses, words=words)


def _head(picture: Image.Image) -> tuple[float, float, float, float]:
    """Top, bottom, left and right of what is bright, as shares; the whole where none is found."""
    survey = np.asarray(picture.resize((_SURVEY, _SURVEY), Image.Resampling.BOX))
    low, high = np.percentile(survey, (0.5, 99.5))
    bright = survey > low + _BRIGHT * (high - low)
    rows, columns = _run(bright.mean(axis=1) > _LINE), _run(bright.mean(axis=0) > _LINE)
    if min(rows[1] - rows[0], columns[1] - columns[0]) < _LEAST * _SURVEY:
        return 0, 1, 0, 1
    return rows[0] / _SURVEY, rows[1] / _SURVEY, columns[0] / _SURVEY, columns[1] / _SURVEY


def _run(lines: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and end of the longest run of lines: a frame drawn around a head is a short one."""
    starts = np.flatnonzero(np.diff(lines, prepend=False, append=False))
    runs = starts.reshape(-1, 2)
    if not len(runs):
        return 0, 0
    apart = np.flatnonzero(runs[1:, 0] - runs[:-1, 1] > _GAP)
    first = runs[np.concatenate([[0], apart + 1]), 0]
    last = runs[np.concatenate([apart, [len(runs) - 1]]), 1]
    longest = int(np.argmax(last - first))
    return int(first[longest]), int(last[longest])
