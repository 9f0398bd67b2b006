"""What a file is, told by its first bytes and never by its name."""

from __future__ import annotations

import struct
from enum import StrEnum

# Enough for every signature below; DICOM's stands behind a preamble of 128 bytes, NIfTI-1's at 344.
HEAD_BYTES = 352

JPEG = b"\xff\xd8"  # JPEG-LS too
JPEG2000 = b"\xff\x4f\xff\x51"
JP2 = b"\x00\x00\x00\x0cjP  "  # JPEG 2000 in its container
_NIFTI1, _NIFTI2 = 348, 540  # sizes of the two headers, which are their first field
# Value representations that the elements of groups 0002 and 0008 have.
_EXPLICIT_VR = frozenset(b"AE AS AT CS DA DT IS LO LT OB OW PN SH SQ ST TM UI UL UN US UT".split())
_MAX_FIRST_VALUE = 256  # bytes; the first element of a headerless DICOM is a charset, length or UID


class Content(StrEnum):
    """The kinds of file that can be read."""

    RASTER = "raster"
    DICOM = "dicom"
    NIFTI = "nifti"
    GZIP = "gzip"
    ZIP = "zip"


_SIGNATURES = (
    (128, b"DICM", Content.DICOM),  # first: the preamble may be a TIFF header (PS3.10 7.1)
    (0, b"\x89PNG\r\n\x1a\n", Content.RASTER),
    (0, JPEG, Content.RASTER),
    (0, JPEG2000, Content.RASTER),
    (0, JP2, Content.RASTER),
    (0, b"II*\x00", Content.RASTER),  # TIFF
    (0, b"MM\x00*", Content.RASTER),
    (0, b"BM", Content.RASTER),
    (8, b"WEBP", Content.RASTER),
    (0, b"PK\x03\x04", Content.ZIP),
    (0, b"PK\x05\x06", Content.ZIP),  # one without entries
    (0, b"\x1f\x8b\x08", Content.GZIP),
)


def content_of(data: bytes) -> Content | None:
    r"""The kind of file that starts with these bytes, or None for one that cannot be read.

    Args:
        data: a file, or at least its first `HEAD_BYTES`.

    Example:
        >>> content_of(b"\x89PNG\r\n\x1a\n....")
        <Content.RASTER: 'raster'>
        >>> content_of(b"Dear colleague, please find attached") is None
        True
    """
    for offset, signature, content in _SIGNATURES:
        if data.startswith(signature, offset):
            return content
    if is_nifti(data):
        return Content.NIFTI
    return Content.DICOM if bare_dicom_encoding(data) is not None else None


def is_nifti(data: bytes) -> bool:
    """Whether a single-file NIfTI-1 or NIfTI-2 header starts here, in either byte order."""
    if len(data) < _NIFTI1:
        return False
    sizes = {*struct.unpack_from("<i", data), *struct.unpack_from(">i", data)}
    return (_NIFTI1 in sizes and data[344:348] == b"n+1\0") or (
        _NIFTI2 in sizes and data[4:8] == b"n+2\0"
    )


def bare_dicom_encoding(data: bytes) -> tuple[bool, bool] | None:
    """How a DICOM file without a preamble is encoded, judged strictly by its first element.

    Returns:
        `(implicit VR, little endian)`, or None where the first element is not one of group 0002 or
        0008 with a known value representation and a short, even length.
    """
    if len(data) < 16:
        return None
    for order, little in (("<", True), (">", False)):
        group, element, length = struct.unpack_from(f"{order}HHI", data)
        if group not in (0x0002, 0x0008) or element > 0x1200:
            continue
        if data[4:6] in _EXPLICIT_VR:
            (length,) = struct.unpack_from(f"{order}H", data, 6)
            implicit = False
        else:
            implicit = True
        if length % 2 == 0 and 0 < length <= min(_MAX_FIRST_VALUE, len(data)):
            return implicit, little
    return None
