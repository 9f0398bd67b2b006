"""What every source yields, whatever its layout: one `Record` an image; how pixels are hashed."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from hub_model.errors import NeuroguardError

NO_FINDING = "none"  # Record.finding of an image that its source calls free


class SourceError(NeuroguardError):
    """A source cannot be fetched or is not laid out as its table entry says."""

    exit_code = 3


class UnreadableImage(NeuroguardError):
    """The bytes of one image do not decode; a build counts and lists these."""

    exit_code = 3


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One image as its source gives it.

    Args:
        image: the file's own bytes, never re-encoded.
        label: the type its source states, e.g. ``"glioma"``; None where the source states none.
        finding: what was found, e.g. ``"tumor"``, or `NO_FINDING`; None where the source does not
            say (pictures that are no heads).
        group: patient or look-alike group; None where nothing is known of it, and the build then
            takes the hash of the pixels, so that only exact copies stay together.
        source: name of the source in the table.
        path: posix path inside the source.
        official_split: "train", "validation" or "test" as the source itself divides; None if it
            does not.
    """

    image: bytes
    label: str | None
    finding: str | None
    group: str | None
    source: str
    path: str
    official_split: str | None = None


def pixel_hash(image: bytes) -> str:
    """Sha256 of decoded pixels, their shape and mode: equal for every encoding of the same pixels.

    Args:
        image: an encoded raster image; of several frames the first counts.

    Returns:
        64 hex digits.

    Raises:
        UnreadableImage: the bytes are no image, or not a whole one.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image)) as opened:
            opened.load()
            header = f"{opened.mode} {opened.height}x{opened.width} ".encode()
            return hashlib.sha256(header + opened.tobytes()).hexdigest()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableImage(
            f"{len(image)} bytes do not decode as an image ({type(error).__name__}): "
            "replace the file or leave it out"
        ) from error
