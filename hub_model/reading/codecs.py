"""The pixel decoder of a DICOM transfer syntax, or a refusal that names the package to install.

Imports pydicom: only functions that are about to read DICOM import this module.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import suppress

from pydicom.pixels import get_decoder
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import UID, JPEGExtended12Bit, JPEGLSLossless, JPEGLSNearLossless

from hub_model.errors import InputRejected
from hub_model.reading import jpeg12

_JPEG = "1.2.840.10008.1.2.4."
PACKAGES = {
    f"{_JPEG}50": "pillow",
    f"{_JPEG}51": "python-gdcm",
    f"{_JPEG}57": "python-gdcm",
    f"{_JPEG}70": "python-gdcm",
    f"{_JPEG}80": "pyjpegls",
    f"{_JPEG}81": "pyjpegls",
    f"{_JPEG}90": "pillow",
    f"{_JPEG}91": "pillow",
    f"{_JPEG}201": "pylibjpeg pylibjpeg-openjpeg",
    f"{_JPEG}202": "pylibjpeg pylibjpeg-openjpeg",
    f"{_JPEG}203": "pylibjpeg pylibjpeg-openjpeg",
}
_PLUGIN = "gdcm12"


def decoder_for(syntax: str) -> Decoder:
    """Pydicom's decoder of a transfer syntax.

    Args:
        syntax: transfer syntax UID.

    Raises:
        InputRejected: ``"missing_codec"`` where a package is missing, ``"unsupported"`` where none
            would help (video, private syntaxes).
    """
    uid = UID(syntax)
    # A name that the standard knows, or nothing: what else stands there is not ours to repeat.
    name = f"{uid.name} ({uid})" if uid.name != uid else "unknown to the standard"
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise InputRejected(
            "unsupported",
            f"transfer syntax (0002,0010) {name} cannot be decoded: send the series uncompressed "
            "or as JPEG, JPEG-LS, JPEG 2000 or RLE",
        ) from None
    if not decoder.is_available:
        raise InputRejected(
            "missing_codec",
            f"transfer syntax (0002,0010) {name} needs a decoder: pip install {PACKAGES[syntax]}",
        )
    return decoder


def preferred_plugin(decoder: Decoder, bits: int) -> str:
    """The plugin to use where pydicom's own order is not the best; "" leaves the choice to it.

    Args:
        decoder: of the transfer syntax.
        bits: bits stored of a sample.

    Returns:
        ``"pyjpegls"`` for JPEG-LS, in half of GDCM's time; ours for 12-bit JPEG, which the others
        would try and fail at, with a line on stderr each.
    """
    name = ""
    if decoder.UID in (JPEGLSLossless, JPEGLSNearLossless):
        name = "pyjpegls"
    elif decoder.UID in jpeg12.DECODER_DEPENDENCIES and bits > 8:
        name = _PLUGIN
    return name if name in decoder.available_plugins else ""


def silence_pydicom() -> None:
    """Keep pydicom from logging or printing the element values that its warnings quote.

    Called before every use: the filter is process-wide (`warnings.catch_warnings` would not be safe
    in threads), and setting it again costs microseconds.
    """
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"pydicom\.")


# Here and not when it is first needed: pydicom's registry is not safe in threads. It refuses a name
# that it has: then another copy of this package (one from a bundle) was imported before.
with suppress(ValueError):
    get_decoder(JPEGExtended12Bit).add_plugin(
        _PLUGIN, (jpeg12.__name__, jpeg12.decode_frame.__name__)
    )
