"""What every source yields, whatever its layout: one `Record` an image; how pixels are hashed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from hub_model.errors import NeuroguardError

NO_FINDING = "none"  # Record.finding of an image that its source calls free


class SourceError(NeuroguardError):
    """A source cannot be fetched or is not laid out as its table entry says."""

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
        official_split: "train", "validation", "test" or "fold1" to "fold5" as the source itself
            divides; None if it does not.
        mask: PNG of 8 bits, 0 or 255, over the pixels of `image`: where the finding is. None where
            the source draws none; an image known to be free may have an empty one.
        sequence: of an MR image, e.g. "T1", "T1C", "T2", "FLAIR"; None where it is not stated.
        spacing: mm between the rows and between the columns of `image`, as the source states it;
            None where it does not.
    """

    image: bytes
    label: str | None
    finding: str | None
    group: str | None
    source: str
    path: str
    official_split: str | None = None
    mask: bytes | None = None
    sequence: str | None = None
    spacing: tuple[float, float] | None = None


def pixel_hash(image: bytes) -> str:
    """Sha256 of grey values, their shape and type: equal for every encoding of the same pixels.

    The grey values are those that serving would read from the same bytes, so an image that serving
    would refuse is refused here, before anything is trained on it.

    Args:
        image: a whole image file; of several frames the first counts.

    Returns:
        64 hex digits.

    Raises:
        InputRejected: as `hub_model.reading.read_bytes`.
    """
    from hub_model.reading import read_bytes

    pixels = read_bytes(image).slices[0].pixels
    header = f"{pixels.dtype.name} {pixels.shape[0]}x{pixels.shape[1]} ".encode()
    return hashlib.sha256(header + pixels.tobytes()).hexdigest()
