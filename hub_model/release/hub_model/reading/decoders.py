"""The pixel decoder of a DICOM transfer syntax, or a refusal that names the package to install.

Imports pydicom: only functions that are about to read DICOM import this module.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import suppress
from typing import NamedTuple

from pydicom.pixels import get_decoder
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import UID

from hub_model.errors import InputRejected
from hub_model.reading import isolated


class Codec(NamedTuple):
    """One pydicom plugin and the packages it needs."""

    plugin: str
    packages: str


_JPEG = "1.2.840.10008.1.2.4."
_ISOLATED = "isolated"
# One plugin a syntax. Left to itself, pydicom tries all it finds, with GDCM first, in this process.
CODECS = {
    f"{_JPEG}50": Codec("pillow", "pillow"),
    f"{_JPEG}51": Codec(_ISOLATED, "python-gdcm"),
    f"{_JPEG}57": Codec(_ISOLATED, "python-gdcm"),
    f"{_JPEG}70": Codec(_ISOLATED, "python-gdcm"),
    f"{_JPEG}80": Codec(_ISOLATED, "pyjpegls"),
    f"{_JPEG}81": Codec(_ISOLATED, "pyjpegls"),
    f"{_JPEG}90": Codec("pillow", "pillow"),
    f"{_JPEG}91": Codec("pillow", "pillow"),
    f"{_JPEG}201": Codec("pylibjpeg", "pylibjpeg pylibjpeg-openjpeg"),
    f"{_JPEG}202": Codec("pylibjpeg", "pylibjpeg pylibjpeg-openjpeg"),
    f"{_JPEG}203": Codec("pylibjpeg", "pylibjpeg pylibjpeg-openjpeg"),
    "1.2.840.10008.1.2.5": Codec("pydicom", "pydicom"),  # RLE
}


def decoder_for(syntax: str) -> tuple[Decoder, str]:
    """Pydicom's decoder of a transfer syntax, and the plugin that it must be told to use.

    Args:
        syntax: UID of a transfer syntax that the standard knows.

    Raises:
        InputRejected: ``"missing_codec"`` where a package is missing, ``"unsupported"`` where none
            would help, as for video.
    """
    name = f"{UID(syntax).name} ({syntax})"
    with suppress(NotImplementedError):
        decoder = get_decoder(syntax)
        if not decoder.is_encapsulated:
            return decoder, ""
        codec = CODECS[syntax]
        if codec.plugin in decoder.available_plugins:
            return decoder, codec.plugin
        raise InputRejected(
            "missing_codec",
            f"transfer syntax (0002,0010) {name} needs a decoder: pip install {codec.packages}",
        )
    raise InputRejected(
        "unsupported",
        f"transfer syntax (0002,0010) {name} cannot be decoded: send the series uncompressed or as "
        "JPEG, JPEG-LS, JPEG 2000 or RLE",
    )


def silence_pydicom() -> None:
    """Keep pydicom from logging or printing the element values that its warnings quote.

    Called before every use: the filter is process-wide (`warnings.catch_warnings` would not be safe
    in threads), and setting it again costs microseconds.
    """
    logger = logging.getLogger("pydicom")
    if logger.level <= logging.CRITICAL:  # setting it empties the caches of every logger
        logger.setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"pydicom\.")


# Here and not when one is first needed: pydicom's registry is not safe in threads. It refuses a
# name that it has: then another copy of this package (one from a bundle) was imported before.
for _syntax in isolated.DECODER_DEPENDENCIES:
    with suppress(ValueError):
        get_decoder(_syntax).add_plugin(
            _ISOLATED, (isolated.__name__, isolated.decode_frame.__name__)
        )
