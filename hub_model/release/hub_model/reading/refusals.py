"""Turning what a decoder raises into an `InputRejected`, and many refusals into one sentence.

Decoders quote what they read ("Invalid value for VR PN: ..."), so their words are dropped: only the
kind of their error goes on, and the chain of causes is cut.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from struct import error as StructError
from zipfile import BadZipFile

from hub_model.errors import InputRejected

# What Pillow, pydicom, its codecs, nibabel, zipfile and zlib raise on bytes that are not what they
# claim to be; found by fuzzing. MemoryError: a codec that believed a size. RuntimeError: all codecs
# failed, or a sequence nested 1000 deep (RecursionError). Warning: where warnings are errors.
DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BadZipFile,
    BufferError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    StructError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    zlib.error,
)

# One short phrase a code, for counting the files of a case that could not be read.
PHRASES = {
    "bad_archive": "damaged archive",
    "bad_dicom": "damaged DICOM file",
    "bad_geometry": "unusable position or orientation",
    "bad_nifti": "damaged NIfTI file",
    "bad_raster": "truncated or damaged image",
    "bad_values": "unusable pixel values",
    "ct_without_rescale": "CT without rescale",
    "empty_file": "empty file",
    "empty_plane": "no pixels",
    "file_too_large": "file too large",
    "header_too_large": "header too large",
    "missing_codec": "missing decoder",
    "not_a_picture": "DICOM without a picture",
    "not_an_image": "not an image",
    "too_many_frames": "too many frames",
    "too_many_pixels": "plane too large",
    "truncated": "truncated pixel data",
    "unreadable_file": "unreadable file",
    "unsupported": "unsupported encoding",
}


@contextmanager
def refused_as(code: str, message: str, *also: type[Exception]) -> Iterator[None]:
    """Whatever a decoder raises inside becomes an `InputRejected` with this code and message.

    Args:
        code: the refusal's code.
        message: what was found, what was expected, what to do; the kind of error is put behind it.
        also: errors of one decoder alone that derive from none of `DECODER_ERRORS`.
    """
    caught: tuple[type[Exception], ...] = (*DECODER_ERRORS, *also)
    try:
        yield
    except InputRejected:
        raise
    except caught as error:
        raise InputRejected(code, f"{message} ({type(error).__name__})") from None


def summary(refusals: Iterable[InputRejected], total: int) -> str:
    """One sentence that counts refusals by reason and names no file.

    Args:
        refusals: at least one refusal of a single file.
        total: how many files there were.
    """
    counts = Counter(PHRASES.get(refusal.code, refusal.code) for refusal in refusals)
    reasons = ", ".join(f"{phrase} ({count})" for phrase, count in counts.most_common())
    return f"{counts.total()} of {total} files could not be read: {reasons}"
