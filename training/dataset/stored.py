"""What of an image is kept in a dataset: its own bytes wherever everybody can read them."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from PIL import Image, UnidentifiedImageError
from pydicom.uid import CTImageStorage, generate_uid

from hub_model.case import Slice
from hub_model.reading import read_bytes
from hub_model.reading.content import Content, content_of
from hub_model.reading.dicom_file import parse
from hub_model.reading.limits import DEFAULT_LIMITS, Budget


def stored(image: bytes) -> tuple[bytes, str]:
    """The bytes to embed, and the suffix of their name.

    A raster file stays as it is, to the byte. DICOM, NIfTI and JPEG kinds that only DICOM codecs
    know become a file with the very same grey values: who loads a dataset reads images with Pillow,
    which knows none of these, and a DICOM header can name a person.

    A CT slice stays a DICOM file, as nothing else says what Hounsfield units its values are: its
    pixels as they were stored, and of the header what they mean and no more.

    Args:
        image: a whole file that `hub_model.reading` reads; of several frames the first counts.

    Returns:
        PNG for grey values of 8 or 16 bits, TIFF for floats, DICOM for Hounsfield units, or the
        file itself; and its suffix, told by the content.
    """
    if content_of(image) is Content.RASTER:
        try:
            with Image.open(io.BytesIO(image)) as opened:
                return image, f".{str(opened.format).lower()}"
        except UnidentifiedImageError:
            return _written(image)
    return _written(image)


def _written(image: bytes) -> tuple[bytes, str]:
    piece: Slice = read_bytes(image).slices[0]
    pixels = piece.pixels
    if piece.units is not None and content_of(image) is Content.DICOM:
        return _bare(image), ".dcm"
    kind = "TIFF" if pixels.dtype == np.float32 else "PNG"
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, kind)
    return file.getvalue(), f".{kind.lower()}"


# What says where a slice lies and which series it is of; the rest of what `parse` keeps is pixels
# and what their values mean.
_PLACE = (
    "SeriesInstanceUID", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient",
)  # fmt: skip


def _bare(image: bytes) -> bytes:
    """The same slice under a header that names nobody; equal bytes for equal slices."""
    dataset = parse(image, Budget(DEFAULT_LIMITS))
    for keyword in _PLACE:
        if keyword in dataset:
            delattr(dataset, keyword)
    own = hashlib.sha256(dataset.PixelData).hexdigest()
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["neuroguard", own])
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", CTImageStorage)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
