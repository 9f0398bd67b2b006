"""The values that travel: a slice as it was read, where it lies, and the case it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hub_model.spool import Spooled

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
Hounsfield = NDArray[np.int16]
Vector = tuple[float, float, float]
Kind = Literal["raster", "dicom", "nifti"]

AIR = -1024  # HU; nothing that a CT measures lies below
PADDING = -32768  # in a plane of HU: a pixel that the scanner did not see


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pixels of a plane lie in the patient, and nothing of who that is.

    The centre of pixel `(row, column)` is `origin + row * down + column * across`, in mm, in the
    axes of NIfTI: x to the patient's right, y to the front, z towards the head.

    Args:
        origin: centre of the first pixel.
        down: the step from a row to the next.
        across: the step from a column to the next.
    """

    origin: Vector
    down: Vector
    across: Vector


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """One plane of grey values, brighter = more signal, as a viewer would show it.

    Args:
        plane: `(H, W)` uint8, uint16 or float32, or where in a file it lies; see `pixels`.
        kind: what it was read from.
        colour: mean spread between the colour channels, 0-1; 0 for grey files.
        position: mm along the slice normal, or None where the file does not say.
        spacing: mm between rows and between columns, or None where the file does not say.
        place: where the pixels lie in the patient, or None where the file does not say.
        modality: DICOM modality that the file states, e.g. "MR"; "" where it states none.
        units: `(H, W)` int16 of a CT slice, or where in a file they lie; see `hounsfield`.
    """

    plane: Pixels | Spooled
    kind: Kind
    colour: float = 0.0
    position: float | None = None
    spacing: tuple[float, float] | None = None
    place: Place | None = None
    modality: str = ""
    units: Hounsfield | Spooled | None = None

    @property
    def pixels(self) -> Pixels:
        """`(H, W)` grey values; of a large case read from a file, so ask once.

        DICOM: after modality LUT, VOI LUT and the inversion of MONOCHROME1, in that order (PS3.4
        N.2). NIfTI: after slope and intercept.
        """
        return self.plane.read() if isinstance(self.plane, Spooled) else self.plane

    @property
    def hounsfield(self) -> Hounsfield | None:
        """`(H, W)` of a CT slice before any window: `AIR` and above, or `PADDING`.

        Read as `pixels` is. None, as `units` is, where the file does not say what its values mean.
        """
        return self.units.read() if isinstance(self.units, Spooled) else self.units

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.plane.shape
        return int(rows), int(columns)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Slices of one examination in reading order, and what was wrong with the rest of the upload.

    Args:
        slices: at least one slice.
        warnings: sentences about files that could not be used; never a file name or identity.
    """

    slices: tuple[Slice, ...]
    warnings: tuple[str, ...] = field(default=())
