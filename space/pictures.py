"""Pictures of a case as `data:` addresses: no upload is written to a disk to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hub_model.outputs.pictures import png
from hub_model.predictor import SliceMap
from space.addresses import PNG, address

MAX_SHOWN = 12  # slices; two PNGs of 224 x 224 each make about 1.5 MB of page
STRONGEST = 0.65  # opacity of the map where it is 1, so that the anatomy stays visible
STEPS = 64  # of a map that is laid over a slice; a tenth of the bytes of true colour
WEAK_COLOUR = np.array((214, 64, 0), np.float32)
STRONG_COLOUR = np.array((255, 214, 64), np.float32)  # lighter too: readable without hue


@dataclass(frozen=True, slots=True)
class Picture:
    """One slice: as the model was shown it, and with its map where there is one.

    Args:
        index: of the slice in the case.
        seen: `data:` address of the prepared slice.
        mapped: `data:` address of the same with the map on it, or of the map alone, or None.
    """

    index: int
    seen: str
    mapped: str | None


def pictures(
    seen: Sequence[NDArray[np.uint8]],
    maps: Sequence[SliceMap],
    limit: int = MAX_SHOWN,
    *,
    apart: bool = False,
) -> list[Picture]:
    """At most `limit` slices of a case, evenly spread; of those with a map if there are any.

    Args:
        seen: `(size, size)` uint8 of each slice.
        maps: of the accepted class, or empty.
        limit: 1 or more.
        apart: the map alone and transparent, to be laid over the slice, in place of both in one.
    """
    by_index = {found.index: found.activation for found in maps}
    candidates = sorted(by_index) or list(range(len(seen)))
    return [
        Picture(
            index,
            address(PNG, png(Image.fromarray(seen[index]))),
            _mapped(seen[index], by_index[index], apart=apart) if index in by_index else None,
        )
        for index in spread(candidates, limit)
    ]


def spread(candidates: Sequence[int], limit: int) -> list[int]:
    """At most `limit` of them, evenly spread, the first and the last among them."""
    count = min(limit, len(candidates))
    return [candidates[round(i * (len(candidates) - 1) / max(1, count - 1))] for i in range(count)]


def overlay(image: NDArray[np.uint8], activation: NDArray[np.floating]) -> Image.Image:
    """A slice with its map laid on it.

    Args:
        image: `(size, size)` uint8.
        activation: `(size, size)`, 0-1; opacity and brightness of the colour follow it.
    """
    strength = np.asarray(activation, np.float32)[..., None]
    colour = WEAK_COLOUR + strength * (STRONG_COLOUR - WEAK_COLOUR)
    opacity = STRONGEST * strength
    mixed = (1 - opacity) * image[..., None] + opacity * colour
    return Image.fromarray(np.rint(np.clip(mixed, 0, 255)).astype(np.uint8))


def layer(activation: NDArray[np.floating]) -> bytes:
    """A map as a PNG that makes `overlay` when it is laid over the slice; its steps are not seen.

    Args:
        activation: `(size, size)`, 0-1.
    """
    steps = np.linspace(0, 1, STEPS, dtype=np.float32)
    colours = WEAK_COLOUR + steps[:, None] * (STRONG_COLOUR - WEAK_COLOUR)
    image = Image.fromarray(np.rint(np.clip(activation, 0, 1) * (STEPS - 1)).astype(np.uint8), "P")
    image.putpalette(np.rint(colours).astype(np.uint8).tobytes())
    return png(image, np.rint(255 * STRONGEST * steps).astype(np.uint8).tobytes())


def _mapped(image: NDArray[np.uint8], activation: NDArray[np.floating], *, apart: bool) -> str:
    return address(PNG, layer(activation) if apart else png(overlay(image, activation)))
