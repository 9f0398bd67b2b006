"""From the stored values of one DICOM frame to grey values as a viewer would show them.

Order (PS3.4 N.2): modality LUT, VOI LUT or window, inversion of MONOCHROME1. The first two are
pydicom's functions. They map value by value, so they are asked once for every value between the
smallest and the largest of a frame, and the frame is looked up in that table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

from hub_model.errors import InputRejected
from hub_model.reading.raster import grey_and_colour

GREY = ("MONOCHROME1", "MONOCHROME2")
BAD_WINDOW = "a window of no width was left out"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # a picture of a picture: its values need no unit


def grey_values(
    stored: NDArray[Any], header: Dataset
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """One grey frame after modality LUT, VOI LUT or first window, and inversion of MONOCHROME1.

    Args:
        stored: `(H, W)` integers as stored.
        header: the elements that hold for this frame; unusable windows are removed from it.

    Returns:
        `(H, W)` float32, finite, brighter = more signal; padding takes the smallest value of the
        rest. And notes for the case's warnings.

    Raises:
        InputRejected: ``"ct_without_rescale"`` or ``"bad_values"``.
    """
    _refuse_ct_without_rescale(header)
    notes = (BAD_WINDOW,) if _drop_bad_window(header) else ()
    low, high = int(stored.min()), int(stored.max())
    if high - low < stored.size:
        table = _display(np.arange(low, high + 1, dtype=np.int64), header)
        shown = table.take(np.subtract(stored, low, dtype=np.intp))
    else:
        shown = _display(stored.astype(np.int64), header)
    padding = padding_of(stored, header)
    rest = shown if padding is None else shown[~padding]
    if header.PhotometricInterpretation == "MONOCHROME1" and rest.size:
        shown = (rest.min() + rest.max()) - shown
        rest = shown if padding is None else shown[~padding]
    if padding is not None:
        shown[padding] = rest.min() if rest.size else 0
    return shown, notes


def colour_values(stored: NDArray[Any], bits: int) -> tuple[NDArray[np.float32], float]:
    """Luma of one RGB frame and how coloured it is, as for a raster file.

    Args:
        stored: `(H, W, 3)` unsigned integers, red, green, blue.
        bits: bits in use; all but the highest 8 are dropped.

    Returns:
        `(H, W)` float32 of 0-255, and the mean spread between the channels, 0-1.
    """
    shown = np.ascontiguousarray(stored >> max(0, bits - 8)).astype(np.uint8)
    grey, colour = grey_and_colour(Image.fromarray(shown))
    return grey.astype(np.float32), colour


def palette_values(stored: NDArray[Any], header: Dataset) -> tuple[NDArray[np.float32], float]:
    """Luma of one PALETTE COLOR frame and how coloured it is."""
    coloured = apply_color_lut(stored, header)[..., :3]
    return colour_values(coloured, 8 * coloured.dtype.itemsize)


def _display(values: NDArray[np.int64], header: Dataset) -> NDArray[np.float32]:
    """Modality LUT, then VOI LUT or first window, of every value."""
    shown = apply_modality_lut(values, header)
    if table := header.get("VOILUTSequence"):
        entries, first, depth = table[0].LUTDescriptor
        if depth == 8:  # pydicom counts the entries of an 8-bit table in 8 bits: 4096 would wrap
            table[0].LUTDescriptor = [entries, first, 16]
        shown = np.clip(np.rint(shown), first, first + (entries or 2**16) - 1)
    with np.errstate(all="ignore"):
        result: NDArray[np.float32] = np.asarray(apply_voi_lut(shown, header)).astype(np.float32)
    if not np.isfinite(result).all():
        raise InputRejected(
            "bad_values",
            "rescale or window make values that are not finite: send the file as the scanner "
            "wrote it",
        )
    return result


def padding_of(stored: NDArray[Any], header: Dataset) -> NDArray[np.bool_] | None:
    """Where the frame is padding, or None where nothing is.

    Writers confuse the sign of the padding value, so it is compared in the frame's own type.
    """
    value = header.get("PixelPaddingValue")
    if value is None:
        return None
    limit = header.get("PixelPaddingRangeLimit")
    ends = np.array([value, value if limit is None else limit], np.int64).astype(stored.dtype)
    mask: NDArray[np.bool_] = (stored >= ends.min()) & (stored <= ends.max())
    return mask if mask.any() else None


def _drop_bad_window(header: Dataset) -> bool:
    """Remove a window that no function is defined for (PS3.3 C.11.2.1.2); True if there was one."""
    width = header.get("WindowWidth")
    if width is None or header.get("WindowCenter") is None:
        return False
    first = float(width if isinstance(width, float | int) else width[0])
    linear = str(header.get("VOILUTFunction", "LINEAR")).upper() == "LINEAR"
    if first >= 1 or (first > 0 and not linear):
        return False
    del header.WindowWidth, header.WindowCenter
    return True


def _refuse_ct_without_rescale(header: Dataset) -> None:
    if header.get("Modality") != "CT" or str(header.get("SOPClassUID", "")).startswith(
        SECONDARY_CAPTURE
    ):
        return
    if "RescaleSlope" in header and "RescaleIntercept" in header:
        return
    if "ModalityLUTSequence" not in header:
        raise InputRejected(
            "ct_without_rescale",
            "a CT image without rescale slope (0028,1053) and intercept (0028,1052): its "
            "Hounsfield units are unknown, send the original series",
        )
