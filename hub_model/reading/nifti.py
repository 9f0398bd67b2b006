"""Slices of a NIfTI volume, laid out as radiologists look at them; `nifti_cut` says how.

The volume is never held as a whole.
"""

from __future__ import annotations

import gzip
import io
import math
import os
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from hub_model.case import Slice
from hub_model.errors import InputRejected
from hub_model.reading.content import is_nifti
from hub_model.reading.limits import Budget
from hub_model.reading.nifti_cut import Cut, cut_of
from hub_model.reading.nifti_voxels import Voxels
from hub_model.reading.refusals import refused_as
from hub_model.reading.series import Plane
from hub_model.reading.unread import inflated

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header

_HEADER_BYTES = 544  # NIfTI-2's 540, rounded up as its data offset is
_UNITS_MM = {"mm": 1.0, "meter": 1000.0, "micron": 0.001}
_DAMAGED = "a NIfTI file that is truncated or damaged: send the whole file"


def read_nifti(file: IO[bytes], budget: Budget) -> tuple[tuple[Plane, ...], tuple[str, ...]]:
    """The slices of a volume in the order of their positions, and notes for the warnings.

    Args:
        file: a single-file NIfTI-1 or NIfTI-2, plain or in gzip, to be read in any order.
        budget: what may still be read; no more is inflated than the header declares.

    Returns:
        Planes with `(H, W)` float32 pixels after slope and intercept. Position and spacing are in
        mm, None where the header names no unit.

    Raises:
        InputRejected: ``"bad_nifti"``, ``"not_an_image"`` (gzip of something else),
            ``"bad_geometry"``, ``"bad_values"``, ``"unsupported"`` or a passed limit.
    """
    from nibabel.orientations import OrientationError
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    with refused_as("bad_nifti", _DAMAGED, HeaderDataError, OrientationError, WrapStructError):
        sent = file.seek(0, os.SEEK_END)
        stream, head = _opened(file)
        header = _header(head)
        if stream is file:
            return _read(file, header, _declared_bytes(header, None, budget), budget)
        size = _declared_bytes(header, sent, budget)
        budget.inflated(size)
        with inflated(head, stream, size) as unpacked:
            return _read(unpacked, header, size, budget)


def _read(
    file: IO[bytes], header: Nifti1Header, size: int, budget: Budget
) -> tuple[tuple[Plane, ...], tuple[str, ...]]:
    """The same of an unpacked file whose first volume ends after `size` bytes."""
    if (found := file.seek(0, os.SEEK_END)) < size:
        raise InputRejected(
            "truncated", f"{found} of {size} bytes of a NIfTI volume: send the whole file"
        )
    cut = cut_of_header(header)
    budget.planes(cut.shape[cut.axis], cut.shape[cut.rows], cut.shape[cut.columns])
    offset, dtype = int(header.get_data_offset()), header.get_data_dtype()
    voxels = Voxels(file, offset, dtype, _shape(header))
    replaced, smallest = voxels.no_numbers()
    notes = []
    if volumes := math.prod(header.get_data_shape()[3:]) - 1:
        notes.append(f"only the first of {volumes + 1} volumes of a file was read")
    if not int(header["sform_code"]) and not int(header["qform_code"]):
        notes.append("a NIfTI header states no orientation, so left and right are not known")
    if replaced:
        notes.append(f"{replaced} voxels that were no numbers became the smallest value")
    slices = voxels.slices(cut, smallest if replaced else None)
    return _planes(slices, cut, header, budget), tuple(notes)


def header_of(data: bytes) -> Nifti1Header:
    """The header of a file that `read_nifti` has taken, from its beginning.

    Raises:
        InputRejected: ``"bad_nifti"`` or ``"not_an_image"``.
    """
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    with refused_as("bad_nifti", _DAMAGED, HeaderDataError, WrapStructError):
        return _header(_opened(io.BytesIO(data))[1])


def _opened(file: IO[bytes]) -> tuple[IO[bytes], bytes]:
    """The file, or a stream of what is in it, and the bytes of the header, which are read of it."""
    file.seek(0)
    stream, head = file, file.read(_HEADER_BYTES)
    if not is_nifti(head):
        file.seek(0)
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb"))
        head = stream.read(_HEADER_BYTES)
    if not is_nifti(head):
        raise InputRejected(
            "not_an_image", "a gzip file of something else than NIfTI: send it unpacked"
        )
    return stream, head


def _header(head: bytes) -> Nifti1Header:
    """The header alone; extensions behind it may hold anything, a DICOM header too."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    kind = Nifti2Header if head[4:8] == b"n+2\0" else Nifti1Header
    return kind(head[: kind.sizeof_hdr], check=False)


def _shape(header: Nifti1Header) -> tuple[int, int, int]:
    """Voxels along the three axes of space; a single plane is a volume of one."""
    shape = [int(size) for size in header.get_data_shape()[:3]]
    if len(shape) < 2 or min(header.get_data_shape()) < 1:
        raise InputRejected(
            "bad_nifti", f"a NIfTI volume of shape {shape}: two or three axes are needed"
        )
    return shape[0], shape[1], shape[2] if len(shape) == 3 else 1


def _declared_bytes(header: Nifti1Header, packed: int | None, budget: Budget) -> int:
    """Bytes up to the end of the first volume, which is where reading ends.

    Args:
        header: the file's header.
        packed: bytes of the gzip file, or None for a plain one.
        budget: its limits hold for what the header declares.
    """
    shape = _shape(header)
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf":
        raise InputRejected(
            "unsupported", f"NIfTI voxels of type {dtype}: send grey values (integers or floats)"
        )
    size = int(header.get_data_offset()) + math.prod(shape) * dtype.itemsize
    limit = budget.limits.total_bytes
    if packed is not None:
        limit = min(limit, budget.limits.inflated_bytes(packed))
    if size > limit:
        raise InputRejected(
            "file_too_large",
            f"a NIfTI volume of {size} bytes, limit {limit} for a file of this size: send one "
            "volume in a smaller voxel type",
            limit=limit,
            actual=size,
        )
    return size


def _planes(
    slices: Iterable[NDArray[Any]], cut: Cut, header: Nifti1Header, budget: Budget
) -> tuple[Plane, ...]:
    unit = _UNITS_MM.get(header.get_xyzt_units()[0])
    slope, intercept = header.get_slope_inter()
    series = object()  # a second volume is a second series
    planes = []
    for index, pixels in enumerate(slices):
        piece = Slice(
            _scaled(pixels, slope, intercept),
            "nifti",
            position=None if unit is None else float(np.dot(cut.normal, cut.corner(index))) * unit,
            spacing=None
            if unit is None
            else (float(cut.sizes[cut.rows]) * unit, float(cut.sizes[cut.columns]) * unit),
            place=None if unit is None else cut.place(index, unit),
        )
        planes.append(Plane(budget.kept(piece), series, cut.normal, instance=index, frame=index))
    return tuple(planes)


def cut_of_header(header: Nifti1Header) -> Cut:
    """How the volume of a header is cut.

    Raises:
        InputRejected: ``"bad_geometry"``: its affine spans no space.
        OrientationError: nibabel finds no orientation in it.
    """
    affine = np.asarray(header.get_best_affine(), np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise InputRejected(
            "bad_geometry", "a NIfTI affine that spans no space: repair the header's sform or qform"
        )
    return cut_of(affine, _shape(header))


def _scaled(
    plane: NDArray[Any], slope: float | None, intercept: float | None
) -> NDArray[np.float32]:
    with np.errstate(all="ignore"):
        pixels: NDArray[np.float32] = np.ascontiguousarray(plane, np.float32)
        if slope is not None and intercept is not None:
            pixels = pixels * np.float32(slope) + np.float32(intercept)
    if not np.isfinite(pixels).all():
        raise InputRejected(
            "bad_values", "NIfTI voxels that no float32 can hold: send values in a smaller range"
        )
    return pixels
