"""Planes of a DICOM file: what it holds, how its frames are shown and where they lie.

Imports pydicom: `upload` imports this module when it meets the first DICOM file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from hub_model.case import Hounsfield, Place, Slice, Vector
from hub_model.errors import InputRejected
from hub_model.reading.codestream import declared
from hub_model.reading.decoders import decoder_for, silence_pydicom
from hub_model.reading.dicom_file import parse
from hub_model.reading.dicom_pixels import GREY, colour_values, grey_values, palette_values
from hub_model.reading.hounsfield import hounsfield
from hub_model.reading.limits import Budget, Limits
from hub_model.reading.refusals import refused_as
from hub_model.reading.series import Plane

# Cosines of row and column, the plane's normal, origin and spacing, each None where not stated.
Lying = tuple[list[float] | None, Vector | None, list[float] | None, tuple[float, float] | None]
RLE = "1.2.840.10008.1.2.5"

# Modalities without pixels, and with pixels that are no picture: masks, dose, registration grids.
_NO_PIXELS = ("SR", "KO", "PR", "DOC", "RTPLAN", "RTSTRUCT", "RTRECORD", "PLAN", "ECG", "FID")
_NO_PICTURES = ("SEG", "RTDOSE", "REG", "RWV", "SMR")
# Functional groups of enhanced files whose elements hold for a frame (PS3.3 C.7.6.16).
_GROUPS = (
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
)
_DAMAGED = "a DICOM file whose elements contradict each other: send it as the scanner wrote it"
_TRUNCATED = "pixel data that are truncated or damaged: send the whole file"


def read_dicom(data: bytes, budget: Budget) -> tuple[tuple[Plane, ...], tuple[str, ...]]:
    """The frames of a DICOM file with what is needed to order them, and notes for the warnings.

    Args:
        data: the whole file, with or without preamble.
        budget: what may still be read; taken from what the header declares, before decoding.

    Raises:
        InputRejected: ``"not_a_picture"``, ``"bad_dicom"``, ``"truncated"``, ``"missing_codec"``,
            ``"unsupported"``, ``"ct_without_rescale"``, ``"bad_values"`` or a passed limit.
    """
    silence_pydicom()
    dataset = parse(data, budget)
    with refused_as("bad_dicom", _DAMAGED):
        _refuse_without_picture(dataset)
        count = int(dataset.get("NumberOfFrames") or 1)
        budget.planes(count, int(dataset.Rows), int(dataset.Columns))
        planes: list[Plane] = []
        notes: set[str] = set()
        for frame, (stored, properties) in enumerate(_frames(dataset, count, budget.limits)):
            header = header_of_frame(dataset, frame)
            pixels, colour, said = _shown(stored, properties, header)
            units = hounsfield(stored, header)
            planes.append(_placed(pixels, colour, units, header, frame, budget))
            notes.update(said)
    return tuple(planes), tuple(sorted(notes))


def _refuse_without_picture(dataset: Dataset) -> None:
    modality = str(dataset.get("Modality", ""))
    if "PixelData" not in dataset or modality in _NO_PICTURES:
        named = f" of modality {modality}" if modality in _NO_PIXELS + _NO_PICTURES else ""
        raise InputRejected(
            "not_a_picture",
            f"a DICOM file{named} without a picture (a report, mask, dose, plan or directory): "
            "send the images of a series",
        )
    syntax = dataset.file_meta.TransferSyntaxUID
    if dataset["PixelData"].is_undefined_length and not syntax.is_encapsulated:
        raise InputRejected(
            "bad_dicom",
            "compressed pixels whose transfer syntax (0002,0010) is missing or says uncompressed: "
            "send the file with its meta information",
        )


def _frames(
    dataset: Dataset, count: int, limits: Limits
) -> Iterator[tuple[NDArray[Any], dict[str, Any]]]:
    """Decoded frames, one at a time, with the properties that decoding gave them."""
    syntax = dataset.file_meta.TransferSyntaxUID
    decoder, plugin = decoder_for(syntax)
    if syntax.is_encapsulated:
        size = int(dataset.Rows), int(dataset.Columns), int(dataset.SamplesPerPixel)
        with refused_as("truncated", _TRUNCATED):
            _refuse_contradicting_frames(dataset, count, size, limits.rle_frame_bytes)
    # By index: without, pydicom fails to correct the sign of compressed frames (read-only buffer)
    # and goes on behind the number of frames declared.
    frames = decoder.iter_array(dataset, indices=range(count), decoding_plugin=plugin)
    while True:
        with refused_as("truncated", _TRUNCATED):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def _refuse_contradicting_frames(
    dataset: Dataset, count: int, expected: tuple[int, int, int], rle_limit: int
) -> None:
    """Compare every compressed frame's own size with the header's, before a codec allocates it."""
    syntax = dataset.file_meta.TransferSyntaxUID
    table, lengths = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    frames = generate_frames(
        dataset.PixelData,
        number_of_frames=count,
        extended_offsets=(table, lengths) if table and lengths else None,
    )
    for frame in islice(frames, count):
        if syntax == RLE:
            if len(frame) > rle_limit:
                raise InputRejected(
                    "unsupported",
                    f"an RLE frame of {len(frame)} bytes, limit {rle_limit}: send the "
                    "series uncompressed or as JPEG-LS",
                    limit=rle_limit,
                    actual=len(frame),
                )
            continue
        stream = declared(frame)
        found = (stream.rows, stream.columns, stream.samples)
        if found != expected:
            raise InputRejected(
                "bad_dicom",
                "a compressed frame of {} x {} pixels and {} samples in a file that declares "
                "{} x {} and {}: send it as the scanner wrote it".format(*found, *expected),
            )


def header_of_frame(dataset: Dataset, frame: int) -> Dataset:
    """The elements that hold for one frame: the file's, then the shared, then the frame's own."""
    header = Dataset()
    header.file_meta = dataset.file_meta
    implicit, little = dataset.original_encoding
    header.set_original_encoding(implicit, little)
    header.update({element.tag: element for element in dataset if element.tag.group < 0x5200})
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    own = dataset.get("PerFrameFunctionalGroupsSequence") or []
    for groups in (*shared[:1], *own[frame : frame + 1]):
        for name in _GROUPS:
            for item in groups.get(name) or []:
                header.update(item)
    for element in [element for element in header if element.is_empty]:
        del header[element.tag]
    return header


def _shown(
    stored: NDArray[Any], properties: dict[str, Any], header: Dataset
) -> tuple[NDArray[np.float32], float, tuple[str, ...]]:
    photometric = properties["photometric_interpretation"]
    if photometric in GREY and stored.ndim == 2:
        pixels, notes = grey_values(stored, header)
        return pixels, 0.0, notes
    if photometric == "PALETTE COLOR" and stored.ndim == 2:
        return *palette_values(stored, header), ()
    if photometric == "RGB" and stored.ndim == 3:
        return *colour_values(stored, properties["bits_stored"]), ()
    raise InputRejected(
        "unsupported",
        "a photometric interpretation (0028,0004) other than MONOCHROME1, MONOCHROME2, PALETTE "
        "COLOR, RGB and YBR: send the series as grey images",
    )


def _placed(
    pixels: NDArray[np.float32],
    colour: float,
    units: Hounsfield | None,
    header: Dataset,
    frame: int,
    budget: Budget,
) -> Plane:
    lying = _lying(header)
    _, normal, origin, spacing = lying
    position = None
    if normal is not None and origin is not None:
        position = float(np.dot(normal, origin))
    piece = Slice(
        pixels,
        "dicom",
        colour,
        position,
        spacing,
        _place(*lying),
        str(header.get("Modality", "")),
        units,
    )
    instance = header.get("InstanceNumber")
    return Plane(
        slice=budget.kept(piece),
        series=str(header.get("SeriesInstanceUID", "")),
        normal=normal,
        instance=None if instance is None else int(instance),
        frame=frame,
    )


def place_of(header: Dataset) -> Place | None:
    """Where the pixels of a plane lie, or None where its header does not say (PS3.3 C.7.6.2.1.1).

    Args:
        header: elements that hold for one frame. DICOM's x runs to the patient's left and its y to
            the back; both are turned round.
    """
    return _place(*_lying(header))


def _lying(header: Dataset) -> Lying:
    """Cosines, normal, origin and spacing, None where the header does not say."""
    cosines = _numbers(header.get("ImageOrientationPatient"), 6)
    origin = _numbers(header.get("ImagePositionPatient"), 3)
    return cosines, _normal(cosines), origin, _spacing(header)


def _place(
    cosines: list[float] | None,
    normal: Vector | None,
    origin: list[float] | None,
    spacing: tuple[float, float] | None,
) -> Place | None:
    if cosines is None or normal is None or origin is None or spacing is None:
        return None
    return Place(
        origin=_turned(origin),
        down=_turned(_of_length(cosines[3:], spacing[0])),
        across=_turned(_of_length(cosines[:3], spacing[1])),
    )


def _of_length(direction: Sequence[float], length: float) -> list[float]:
    """Cosines are rounded where they are written; the spacing says how long a step is."""
    scale = length / float(np.linalg.norm(direction))
    return [scale * part for part in direction]


def _turned(vector: Sequence[float]) -> Vector:
    x, y, z = vector
    return -x, -y, z


def _spacing(header: Dataset) -> tuple[float, float] | None:
    spacing = _numbers(header.get("PixelSpacing"), 2)
    return (spacing[0], spacing[1]) if spacing and min(spacing) > 0 else None


def _normal(cosines: Sequence[float] | None) -> Vector | None:
    """Unit normal of the plane that a row's and a column's direction span (PS3.3 C.7.6.2.1.1)."""
    if cosines is None:
        return None
    (ax, ay, az), (bx, by, bz) = cosines[:3], cosines[3:]
    cross = (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
    length = float(np.linalg.norm(cross))
    if not 0.9 < length < 1.1:  # two unit vectors at a right angle give 1
        return None
    x, y, z = (value / length for value in cross)
    return x, y, z


def _numbers(value: Any, count: int) -> list[float] | None:
    """That many finite numbers, or None where the element is missing or says something else."""
    if value is None or isinstance(value, str | bytes) or not hasattr(value, "__len__"):
        return None
    if len(value) != count:
        return None
    try:
        numbers = [float(number) for number in value]
    except (TypeError, ValueError):
        return None
    return numbers if all(map(isfinite, numbers)) else None
