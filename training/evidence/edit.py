"""Some images of a batch with a lesion pasted in or covered, and what is then true of them.

What the blending leaves behind must not tell the class either. So a share of the images is edited
without a change of truth: tumor-free tissue pasted into tumor-free images, and images covered
beside their lesion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evidence import head
from training.evidence.cover import cover
from training.evidence.paste import VISIBLE, Piece, changed, cut, even_place, paste
from training.inputs import HALF, UNKNOWN, Inputs
from training.recipe.evidence_spec import CoverSpec, PasteSpec
from training.recipe.read import RecipeError

Plane = NDArray[np.float32]

SMALLEST = 0.002  # of the image: masks below this show nothing that could be seen
LARGEST = 0.08  # of the image: larger lesions fit into no other head
ATTEMPTS = 3  # donors that are tried before an image is left as it is


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Images and what is true of them.

    Args:
        images: `(N, S, S)` uint8.
        labels: `(N,)` class index, or `UNKNOWN`.
        present: `(N,)` bool, whether the finding is there.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    present: NDArray[np.bool_]

    def rows(self, wanted: NDArray[np.int64]) -> Batch:
        """Some of them, in that order."""
        return Batch(self.images[wanted], self.labels[wanted], self.present[wanted])


class Editor:
    """Pastes and covers lesions in batches of one set.

    Args:
        data: what is learnt from.
        labels: names of the classes.
        paste: how often lesions are pasted, and how.
        cover: the same for covering.

    Raises:
        RecipeError: something is to be pasted or covered, and no image has a mask.
    """

    def __init__(
        self, data: Inputs, labels: Sequence[str], paste: PasteSpec, cover: CoverSpec
    ) -> None:
        self._data, self._paste, self._cover = data, paste, cover
        wanted = paste.probability + paste.sham + cover.probability + cover.sham
        self._area = np.zeros(len(data))
        if wanted and (data.masks is None or not (data.masks.known & data.present).any()):
            raise RecipeError(
                "train.augment pastes or covers lesions, and no image with one has a mask: name "
                "data.masks, or a source with masks in data.also or data.finding_only"
            )
        if data.masks is not None and wanted:
            pixels = np.array([float((one >= HALF).mean()) for one in data.masks.drawn])
            known = data.masks.known
            self._area[known] = pixels[data.masks.row[known]]
        seen = data.present & (self._area >= SMALLEST)
        self._donors = np.flatnonzero(seen & (self._area <= LARGEST))
        self._free = np.flatnonzero(~data.present & data.valid)
        whole = np.isin(data.labels, [labels.index(name) for name in cover.classes])
        if not cover.classes:
            whole[:] = True
        self._coverable = seen & whole & (self._area <= cover.largest)

    @property
    def idle(self) -> bool:
        """Whether batches stay as they are."""
        return not (
            self._paste.probability or self._paste.sham or self._cover.probability
            or self._cover.sham
        )  # fmt: skip

    def __call__(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """The batch of those rows.

        Args:
            rows: `(N,)` numbers of images of the set.
            rng: source of all randomness.
        """
        data = self._data
        batch = Batch(data.images[rows], data.labels[rows].copy(), data.present[rows].copy())
        if self.idle:
            return batch
        images = np.array(batch.images)  # a copy: what is on disk stays
        chances = rng.random(len(rows))
        for place, (row, chance) in enumerate(zip(rows.tolist(), chances.tolist(), strict=True)):
            edited = None
            if not data.present[row]:
                spec = self._paste
                if chance < spec.probability:
                    edited, donor = self._with_lesion(row, rng)
                    if edited is not None:
                        batch.present[place] = True
                        known = spec.type_of == "donor"
                        batch.labels[place] = data.labels[donor] if known else UNKNOWN
                elif chance < spec.probability + spec.sham:
                    edited = self._with_tissue(row, rng)
            elif self._coverable[row]:
                if chance < self._cover.probability:
                    edited = self._without_lesion(row, rng)
                    if edited is not None:
                        batch.present[place], batch.labels[place] = False, UNKNOWN
                elif chance < self._cover.probability + self._cover.sham:
                    edited = self._covered_beside(row, rng)
            if edited is not None:
                images[place] = np.rint(edited * 255).astype(np.uint8)
        return Batch(images, batch.labels, batch.present)

    def _grey(self, row: int) -> Plane:
        return self._data.images[row].astype(np.float32) / 255

    def _shape(self, row: int) -> Plane:
        """`(S, S)` 0-1 of an image with a mask."""
        masks = self._data.masks
        if masks is None:
            raise ValueError(f"image {row} has no mask")
        found: Plane = masks.drawn[masks.row[row]].astype(np.float32) / 255
        return found

    def _with_lesion(self, row: int, rng: np.random.Generator) -> tuple[Plane | None, int]:
        """The image with another's lesion in it, and whose it is."""
        donor = -1
        for _ in range(ATTEMPTS if len(self._donors) else 0):
            donor = int(rng.choice(self._donors))
            piece = cut(self._grey(donor), self._shape(donor))
            if piece is not None:
                piece = changed(piece, self._paste, rng)
                found = paste(self._grey(row), piece, self._paste, rng, visible=VISIBLE)
                if found is not None:
                    return found, donor
        return None, donor

    def _with_tissue(self, row: int, rng: np.random.Generator) -> Plane | None:
        """The image with tumor-free tissue in the shape of a lesion."""
        for _ in range(ATTEMPTS if len(self._donors) else 0):
            shape = cut(self._shape(like := int(rng.choice(self._donors))), self._shape(like))
            other = self._grey(int(rng.choice(self._free)))
            moved = None if shape is None else _somewhere(other, shape, rng)
            piece = None if moved is None else cut(other, moved)
            if piece is not None:
                piece = changed(piece, self._paste, rng)
                found = paste(self._grey(row), piece, self._paste, rng, visible=0)
                if found is not None:
                    return found
        return None

    def _without_lesion(self, row: int, rng: np.random.Generator) -> Plane | None:
        return cover(self._grey(row), self._shape(row) >= 0.5, self._cover.margin, rng)

    def _covered_beside(self, row: int, rng: np.random.Generator) -> Plane | None:
        """The image covered where its lesion is not."""
        image, mask = self._grey(row), self._shape(row) >= 0.5
        shape = cut(image, mask.astype(np.float32))
        if shape is None:
            return None
        for _ in range(ATTEMPTS):
            moved = _somewhere(image, shape, rng)
            if moved is not None and not (mask & (moved >= 0.5)).any():
                return cover(image, (moved >= 0.5) & ~mask, self._cover.margin, rng, keep=mask)
        return None


def _somewhere(image: Plane, shape: Piece, rng: np.random.Generator) -> Plane | None:
    """`(S, S)` the shape on even tissue somewhere in the head; None where it has no room."""
    high, wide = shape.shape.shape
    place = even_place(image, head.depth(image), shape.shape, 0.1 * len(image), rng)
    if place is None:
        return None
    top, left = place
    found = np.zeros_like(image)
    found[top : top + high, left : left + wide] = shape.shape
    return found
