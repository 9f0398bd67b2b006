"""From the stored values of a CT frame to Hounsfield units, before any window.

What a viewer shows of a CT slice depends on the window that somebody chose for it; its Hounsfield
units do not. Padding is marked and not squeezed among them: scanners write -2000, -3024 or whatever
else is below air where they did not see, whether or not the header says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut

from hub_model.case import AIR, PADDING, Hounsfield
from hub_model.errors import InputRejected
from hub_model.reading.dicom_pixels import GREY, SECONDARY_CAPTURE, padding_of

HIGHEST = np.iinfo(np.int16).max


def hounsfield(stored: NDArray[Any], header: Dataset) -> Hounsfield | None:
    """The units of one frame, or None where it is no CT image or does not state them.

    Args:
        stored: `(H, W)` integers as stored, signed or unsigned.
        header: the elements that hold for this frame, rescale among them.

    Returns:
        `(H, W)` int16, rounded: `case.AIR` and above, or `case.PADDING` where the header calls a
        pixel padding or its value lies below air.

    Raises:
        InputRejected: ``"bad_values"``: the rescale makes units that are not finite.
    """
    if not _states_units(header) or stored.ndim != 2:
        return None
    with np.errstate(all="ignore"):
        units = np.asarray(apply_modality_lut(stored, header), np.float64)
    if not np.isfinite(units).all():
        raise InputRejected(
            "bad_values",
            "a rescale (0028,1052), (0028,1053) makes Hounsfield units that are not finite: send "
            "the file as the scanner wrote it",
        )
    found = np.clip(np.rint(units), PADDING, HIGHEST).astype(np.int16)
    found[found < AIR] = PADDING
    padding = padding_of(stored, header)
    if padding is not None:
        found[padding] = PADDING
    return found


def _states_units(header: Dataset) -> bool:
    """PS3.3 C.8.2.1.1.2: a CT image is in HU unless its Rescale Type says otherwise."""
    return (
        header.get("Modality") == "CT"
        and header.get("PhotometricInterpretation") in GREY
        and not str(header.get("SOPClassUID", "")).startswith(SECONDARY_CAPTURE)
        and str(header.get("RescaleType", "") or "HU").strip().upper() == "HU"
    )
