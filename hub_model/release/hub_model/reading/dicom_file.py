"""From the bytes of a DICOM file to the few elements that a picture needs.

Only the elements in `WANTED` are kept: names, dates and numbers of a patient are stepped over and
never become objects. The header is parsed from a slice of bounded length, so that no length field
and no nesting can make it larger.
"""

from __future__ import annotations

import io
import zlib

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from hub_model.errors import InputRejected
from hub_model.reading.content import bare_dicom_encoding
from hub_model.reading.limits import Budget
from hub_model.reading.refusals import DECODER_ERRORS, refused_as

# What it is and which series it belongs to; where it lies; how its pixels are stored; what their
# values mean and how they are shown.
WANTED = """
    SOPClassUID Modality SeriesInstanceUID InstanceNumber

    ImagePositionPatient ImageOrientationPatient PixelSpacing
    SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence

    SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames Rows Columns
    BitsAllocated BitsStored HighBit PixelRepresentation PixelPaddingValue PixelPaddingRangeLimit

    RescaleIntercept RescaleSlope RescaleType ModalityLUTSequence
    WindowCenter WindowWidth VOILUTFunction VOILUTSequence
    RedPaletteColorLookupTableDescriptor RedPaletteColorLookupTableData
    GreenPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableData
    BluePaletteColorLookupTableDescriptor BluePaletteColorLookupTableData
    SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData
    SegmentedBluePaletteColorLookupTableData
"""

_TAGS: list[BaseTag | int] = [int(tag_for_keyword(word) or 0) for word in WANTED.split()]
_PIXEL_DATA = 0x7FE00010
_PIXEL_TAGS: list[BaseTag | int] = [0x7FE00001, 0x7FE00002, _PIXEL_DATA]  # and its offset tables
_PREAMBLE = 132  # bytes, with the signature
_DAMAGED = "a DICOM file that is truncated or damaged: send the whole file as the scanner wrote it"


def parse(data: bytes, budget: Budget) -> Dataset:
    """The elements of a DICOM file that a picture needs, and its transfer syntax in `file_meta`.

    Args:
        data: the whole file, with or without preamble.
        budget: what may still be read; a deflated file counts once more as it is inflated.

    Raises:
        InputRejected: ``"bad_dicom"``, ``"truncated"``, ``"header_too_large"``, a passed limit.
    """
    with refused_as("bad_dicom", _DAMAGED):
        meta, start = _meta(data, budget.limits.header_bytes)
        syntax = UID(meta.get("TransferSyntaxUID") or _guessed(data[start:]))
        if not syntax.is_transfer_syntax or syntax.is_private:  # and what it is, is not ours to say
            raise InputRejected(
                "unsupported",
                "a transfer syntax (0002,0010) unknown to the standard: send the series "
                "uncompressed or as JPEG, JPEG-LS, JPEG 2000 or RLE",
            )
        if syntax == DeflatedExplicitVRLittleEndian:
            data, start, syntax = _inflated(data[start:], budget), 0, ExplicitVRLittleEndian
        dataset = _dataset(data, start, syntax, budget.limits.header_bytes)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def _meta(data: bytes, limit: int) -> tuple[Dataset, int]:
    """Group 0002, always explicit little endian, and where the elements behind it start."""
    start = _PREAMBLE if data[_PREAMBLE - 4 : _PREAMBLE] == b"DICM" else 0
    if data[start : start + 2] != b"\x02\x00":
        return Dataset(), start
    stream = io.BytesIO(data[start : start + limit])
    meta = read_dataset(
        stream,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _vr, _length: tag >> 16 != 2,
        specific_tags=[0x00020010],
    )
    return meta, start + stream.tell()


def _guessed(body: bytes) -> UID:
    """The transfer syntax of a file that does not state it, from its first element."""
    encoding = bare_dicom_encoding(body)
    if encoding is None:
        raise InputRejected("bad_dicom", _DAMAGED)
    implicit, little = encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _inflated(body: bytes, budget: Budget) -> bytes:
    limit = min(budget.limits.file_bytes, budget.limits.inflated_bytes(len(body)))
    inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(body, limit + 1)
    if len(inflated) > limit:
        raise InputRejected(
            "file_too_large",
            f"a deflated DICOM file inflates to more than {limit} bytes: send it uncompressed",
            limit=limit,
            actual=len(inflated),
        )
    budget.inflated(len(inflated))
    return inflated


def _dataset(data: bytes, start: int, syntax: UID, limit: int) -> Dataset:
    """Elements up to the pixels from a slice of bounded length, then the pixels alone."""
    stream = io.BytesIO(data[start : start + limit])
    met: set[int] = set()

    def at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        if tag >> 16 >= 0x7FE0:
            met.add(int(tag))
        return bool(met)

    dataset = Dataset()
    try:
        dataset = read_dataset(
            stream,
            is_implicit_VR=syntax.is_implicit_VR,
            is_little_endian=syntax.is_little_endian,
            stop_when=at_pixels,
            specific_tags=_TAGS,
        )
    except DECODER_ERRORS:
        if stream.tell() < limit:  # else it was the end of the slice that it stumbled over
            raise
    if not met:
        if len(data) - start > limit:
            raise InputRejected(
                "header_too_large",
                f"the elements before the pixels are more than {limit} bytes: send the file "
                "without private data",
                limit=limit,
                actual=len(data) - start,
            )
        return dataset

    def behind_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        met.add(int(tag))
        return tag > _PIXEL_DATA

    implicit, little = dataset.original_encoding
    position = start + stream.tell()
    stream = io.BytesIO(data)
    stream.seek(position)
    pixels = read_dataset(
        stream,
        is_implicit_VR=implicit,
        is_little_endian=little,
        stop_when=behind_pixels,
        specific_tags=_PIXEL_TAGS,
        at_top_level=False,  # or one length in 100 is taken for a value representation
    )
    dataset.update(pixels)
    if _PIXEL_DATA in met and "PixelData" not in dataset:
        raise InputRejected("truncated", _DAMAGED)
    return dataset
