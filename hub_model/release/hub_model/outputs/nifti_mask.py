"""Masks as a NIfTI volume in the space of what they were drawn on."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hub_model.errors import InputRejected, UsageError
from hub_model.reading.nifti import cut_of_header, header_of
from hub_model.volumes.grid import NO_GRID_TEXT, Grid, NoGrid

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image

SCANNER = 1  # code of an affine in the scanner's axes


def like(source: bytes, masks: Sequence[NDArray[np.bool_]]) -> bytes:
    """The masks of a NIfTI file's slices as a volume with that file's shape and affines.

    Only the geometry is taken over. Free text of a header may say whose it is, so that none of it
    is copied.

    Args:
        source: the single-file NIfTI-1 or NIfTI-2, plain or in gzip, that `reading` has read.
        masks: one `(H, W)` for each of its slices, in their order.

    Returns:
        A NIfTI-1 of uint8 0 and 1, in gzip.

    Raises:
        InputRejected: ``"not_the_source"``: the masks are not those of this file.
    """
    from nibabel.nifti1 import Nifti1Image

    header = header_of(source)
    cut = cut_of_header(header)
    wanted = (cut.shape[cut.axis], cut.shape[cut.rows], cut.shape[cut.columns])
    found = (len(masks), *masks[0].shape) if masks else (0, 0, 0)
    if found != wanted or len({mask.shape for mask in masks}) != 1:
        raise InputRejected(
            "not_the_source",
            f"masks of {found} slices, rows and columns for a NIfTI volume of {wanted}: give the "
            "file that the slices were read from",
        )
    volume = cut.volume(np.stack(masks).astype(np.uint8))
    image = Nifti1Image(
        volume.reshape(header.get_data_shape()[:3]), np.asarray(header.get_best_affine(), float)
    )
    for name in ("qform", "sform"):
        affine, code = getattr(header, f"get_{name}")(coded=True)
        getattr(image, f"set_{name}")(affine, int(code))
    image.header.set_xyzt_units(header.get_xyzt_units()[0])
    return _packed(image)


def of_grid(grid: Grid | NoGrid, masks: Sequence[NDArray[np.bool_]]) -> bytes:
    """The masks of a series as a volume, `(row, column, slice)` in the scanner's axes.

    Args:
        grid: `volumes.grid_of` the slices.
        masks: one `(H, W)` a slice.

    Returns:
        A NIfTI-1 of uint8 0 and 1 in mm, in gzip.

    Raises:
        InputRejected: ``"no_grid"``: one affine cannot describe these slices.
        UsageError: the masks are not of the grid's shape.
    """
    from nibabel.nifti1 import Nifti1Image

    if isinstance(grid, NoGrid):
        raise InputRejected(
            "no_grid", f"{NO_GRID_TEXT[grid]} Ask for a DICOM segmentation or for pictures instead."
        )
    if len(masks) != grid.count or {mask.shape for mask in masks} != {grid.shape}:
        raise UsageError(
            f"{len(masks)} masks for a grid of {grid.count} slices of {grid.shape}: give one mask "
            "a slice, over its own pixels"
        )
    image = Nifti1Image(np.stack(masks, axis=-1).astype(np.uint8), grid.affine)
    image.set_sform(grid.affine, SCANNER)
    image.set_qform(grid.affine, SCANNER, strip_shears=True)
    image.header.set_xyzt_units("mm")
    return _packed(image)


def _packed(image: Nifti1Image) -> bytes:
    return gzip.compress(image.to_bytes(), mtime=0)  # the same bytes for the same masks
