"""What of an image is kept in a dataset: its own bytes wherever everybody can read them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from hub_model.reading import read_bytes
from hub_model.reading.content import Content, content_of


def stored(image: bytes) -> tuple[bytes, str]:
    """The bytes to embed, and the suffix of their name.

    A raster file stays as it is, to the byte. DICOM, NIfTI and JPEG kinds that only DICOM codecs
    know become a file with the very same grey values: who loads a dataset reads images with Pillow,
    which knows none of these, and a DICOM header can name a person.

    Args:
        image: a whole file that `hub_model.reading` reads; of several frames the first counts.

    Returns:
        PNG for grey values of 8 or 16 bits and TIFF for floats, or the file itself; and its suffix,
        told by the content.
    """
    if content_of(image) is Content.RASTER:
        try:
            with Image.open(io.BytesIO(image)) as opened:
                return image, f".{str(opened.format).lower()}"
        except UnidentifiedImageError:
            return _written(image)
    return _written(image)


def _written(image: bytes) -> tuple[bytes, str]:
    pixels = read_bytes(image).slices[0].pixels
    kind = "TIFF" if pixels.dtype == np.float32 else "PNG"
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, kind)
    return file.getvalue(), f".{kind.lower()}"
