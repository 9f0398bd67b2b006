"""A pydicom plugin: 12-bit JPEG by GDCM, which can decode it but which pydicom does not ask to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
DECODER_DEPENDENCIES = {JPEG_EXTENDED: ("gdcm>=3.0.10",)}


def is_available(uid: str) -> bool:
    """Whether GDCM is installed and this is the transfer syntax of 12-bit JPEG."""
    try:
        import gdcm  # noqa: F401
    except ImportError:
        return False
    return uid in DECODER_DEPENDENCIES


def decode_frame(src: bytes, runner: DecodeRunner) -> bytes:
    """One grey frame of 12-bit JPEG as little-endian uint16.

    GDCM must be told the precision beforehand. The values equal those that pydicom's own tests
    expect of `JPEG-lossy.dcm`.

    Raises:
        NotImplementedError: the frame is in colour.
    """
    import gdcm

    if runner.samples_per_pixel != 1:
        raise NotImplementedError("12-bit JPEG in colour")
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(src)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())

    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.MONOCHROME2
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, 0))
    text: Any = image.GetBuffer()
    runner.set_option("bits_allocated", 16)
    return text.encode("utf-8", "surrogateescape")  # SWIG hands bytes over as str
