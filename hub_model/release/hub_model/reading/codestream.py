"""What JPEG, JPEG-LS and JPEG 2000 codestreams declare, and decoding those that Pillow cannot.

A codec allocates what the codestream declares, whatever the DICOM header around it says: both are
compared before any codec sees the bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from hub_model.errors import InputRejected
from hub_model.reading.content import JPEG, JPEG2000
from hub_model.reading.refusals import refused_as

_SOF_LOSSLESS, _SOF_LS = 0xC3, 0xF7
_NOT_SOF = (0xC4, 0xC8, 0xCC)  # Huffman tables, an extension, arithmetic conditioning
_BARE = (0x00, 0x01, *range(0xD0, 0xDA))  # markers without a length
_FILL = 0xFF
_EOI, _TAIL = b"\xff\xd9", 16  # the end of an image, which padding may follow
# Transfer syntaxes of the frames that Pillow has no decoder for.
_EXTENDED = "1.2.840.10008.1.2.4.51"
_LOSSLESS = "1.2.840.10008.1.2.4.57"
_JPEG_LS = "1.2.840.10008.1.2.4.81"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a codestream says of itself.

    Args:
        rows: height in pixels.
        columns: width in pixels.
        precision: bits of a sample.
        samples: samples of a pixel.
        marker: low byte of the JPEG frame marker, 0xF7 for JPEG-LS; None for JPEG 2000.
    """

    rows: int
    columns: int
    precision: int
    samples: int
    marker: int | None

    @property
    def syntax(self) -> str | None:
        """The DICOM transfer syntax to decode it with, or None where Pillow does."""
        if self.marker is None:
            return None
        if self.marker == _SOF_LS:
            return _JPEG_LS
        if self.marker == _SOF_LOSSLESS:
            return _LOSSLESS
        return _EXTENDED if self.precision > 8 else None


def declared(data: bytes) -> Declared:
    """Size and precision stated in the header of a JPEG, JPEG-LS or JPEG 2000 codestream.

    Raises:
        InputRejected: ``"truncated"`` where no complete header is found.
    """
    with refused_as("truncated", "a JPEG without a complete header: send the whole file"):
        header = _jpeg(data) if data.startswith(JPEG) else _jpeg2000(data)
    if header.marker == _SOF_LS and _EOI not in data[-_TAIL:]:  # its decoder would search for long
        raise InputRejected("truncated", "a JPEG-LS without its end: send the whole file")
    return header


def _jpeg(data: bytes) -> Declared:
    """The first frame header, found as libjpeg finds it: segments and stray bytes are skipped."""
    offset = 2
    while True:
        offset = data.index(_FILL, offset)
        marker = data[offset + 1]
        if marker == _FILL:
            offset += 1
        elif marker in _BARE:
            offset += 2
        elif marker == _SOF_LS or (0xC0 <= marker <= 0xCF and marker not in _NOT_SOF):
            precision, rows, columns, samples = struct.unpack_from(">BHHB", data, offset + 4)
            return Declared(rows, columns, precision, samples, marker)
        else:
            (length,) = struct.unpack_from(">H", data, offset + 2)
            offset += 2 + length


def _jpeg2000(data: bytes) -> Declared:
    """The SIZ segment, which is the first of a codestream; a JP2 container is stepped through."""
    offset = 0
    while not data.startswith(JPEG2000, offset):
        length, box = struct.unpack_from(">I4s", data, offset)
        if box == b"jp2c":
            offset += 8 if length != 1 else 16
        else:
            offset += max(8, length)
    right, bottom, left, top = struct.unpack_from(">4I", data, offset + 8)
    samples, precision = struct.unpack_from(">HB", data, offset + 40)
    return Declared(bottom - top, right - left, (precision & 0x7F) + 1, samples, None)


def decode(data: bytes, header: Declared) -> NDArray[Any]:
    """Pixels of a codestream that Pillow cannot decode: JPEG-LS, lossless and 12-bit JPEG.

    Args:
        data: the whole file.
        header: what `declared` found; its size has been checked.

    Returns:
        `(rows, columns)` or `(rows, columns, samples)`, uint8 or uint16.

    Raises:
        InputRejected: ``"missing_codec"`` or ``"bad_raster"``.
    """
    from pydicom.encaps import encapsulate

    from hub_model.reading.decoders import decoder_for, silence_pydicom

    silence_pydicom()
    decoder, plugin = decoder_for(str(header.syntax))
    with refused_as("bad_raster", "a JPEG that cannot be decoded: send the whole, undamaged file"):
        pixels, _ = decoder.as_array(
            encapsulate([data]),
            rows=header.rows,
            columns=header.columns,
            samples_per_pixel=header.samples,
            photometric_interpretation="MONOCHROME2" if header.samples == 1 else "RGB",
            planar_configuration=0,
            number_of_frames=1,
            bits_allocated=8 if header.precision <= 8 else 16,
            bits_stored=header.precision,
            pixel_representation=0,
            pixel_keyword="PixelData",
            raw=True,
            decoding_plugin=plugin,
        )
    return pixels
