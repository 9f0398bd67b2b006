"""Untrusted files into a `Case` of `Slice`s: limits, raster images, DICOM, NIfTI, archives."""

from hub_model.reading.limits import Limits
from hub_model.reading.upload import contents, read_bytes, read_case

__all__ = ["Limits", "contents", "read_bytes", "read_case"]
