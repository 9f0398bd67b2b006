"""Files made of nothing but arrays: rasters, DICOM, NIfTI, archives, as bytes."""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from struct import pack
from typing import Any

import nibabel
import numpy as np
import pydicom.data
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

AXIAL = [1, 0, 0, 0, 1, 0]
SAGITTAL = [0, 1, 0, 0, 0, -1]
CORONAL = [1, 0, 0, 0, 0, -1]
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
SERIES = generate_uid(entropy_srcs=["one series of the tests"])


def ramp(height: int = 16, width: int = 24, dtype: Any = np.uint8) -> NDArray[Any]:
    """Grey values that all differ from their neighbours and from their mirror image."""
    return (np.arange(height * width).reshape(height, width) * 7 % 251).astype(dtype)


def raster(pixels: NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    """An encoded image."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def dicom(pixels: NDArray[Any] | None, **elements: Any) -> bytes:
    """A DICOM file of `(H, W)`, `(N, H, W)` or `(H, W, 3)` pixels; `elements` replace its own.

    An element of None is left out; `syntax` is the transfer syntax.
    """
    syntax = elements.pop("syntax", ExplicitVRLittleEndian)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MR_IMAGE
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset("", {}, preamble=bytes(128), file_meta=meta)
    values: dict[str, Any] = {
        "SOPClassUID": MR_IMAGE,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "SeriesInstanceUID": SERIES,
        "Modality": "MR",
        "PatientName": "Secret^Name",
        "PatientID": "SECRET-ID",
    }
    if pixels is not None:
        colour = pixels.ndim == 3 and pixels.shape[-1] == 3
        shape = pixels.shape[:2] if colour else pixels.shape[-2:]
        values |= {
            "Rows": shape[0],
            "Columns": shape[1],
            "SamplesPerPixel": 3 if colour else 1,
            "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
            "PlanarConfiguration": 0 if colour else None,
            "NumberOfFrames": len(pixels) if pixels.ndim == 3 and not colour else None,
            "BitsAllocated": 8 * pixels.dtype.itemsize,
            "BitsStored": 8 * pixels.dtype.itemsize,
            "HighBit": 8 * pixels.dtype.itemsize - 1,
            "PixelRepresentation": int(pixels.dtype.kind == "i"),
            "PixelData": pixels.tobytes() + b"\0" * (pixels.nbytes % 2),
        }
    for keyword, value in {**values, **elements}.items():
        if value is not None:
            setattr(dataset, keyword, value)
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values out of the standard are what some tests need
        dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def stack(count: int = 5, orientation: Sequence[float] = AXIAL, **elements: Any) -> list[bytes]:
    """Files of one series, in the order of their positions; slice `i` is filled with `i`."""
    normal = np.cross(orientation[:3], orientation[3:])
    return [
        dicom(
            np.full((8, 8), index, np.uint16),
            **{
                "ImageOrientationPatient": list(orientation),
                "ImagePositionPatient": [float(value) for value in normal * 4.0 * index],
                "PixelSpacing": [0.5, 0.75],
                "InstanceNumber": count - index,
                **elements,
            },
        )
        for index in range(count)
    ]


def item(**elements: Any) -> Items:
    """A sequence of one item."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return Items([dataset])


def nifti(volume: NDArray[Any], affine: NDArray[np.float64] | None = None, **header: Any) -> bytes:
    """A single-file NIfTI-1 in mm; `header` overwrites fields of the header as it stands there."""
    image = nibabel.Nifti1Image(volume, np.eye(4) if affine is None else affine)
    image.header.set_xyzt_units("mm")
    data = bytearray(image.to_bytes())
    fields = np.ndarray((), nibabel.nifti1.header_dtype, buffer=data)
    for field, value in header.items():
        fields[field] = value
    return bytes(data)


def archive(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of these names and contents."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return stream.getvalue()


def huge_png(side: int) -> bytes:
    """A PNG that declares `side` x `side` pixels and holds none of them."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))

    header = pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def pydicom_file(name: str) -> bytes:
    """One of the files that pydicom carries for its own tests."""
    path = pydicom.data.get_testdata_file(name, download=False)
    assert isinstance(path, str), f"pydicom does not carry {name}"
    return Path(path).read_bytes()


def without_meta(data: bytes) -> bytes:
    """A DICOM file without its preamble and its group 0002."""
    return data[144 + int.from_bytes(data[140:144], "little") :]


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """These files below a folder, which is returned."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
