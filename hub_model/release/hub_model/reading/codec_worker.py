"""The program that decodes frames with GDCM and CharLS; `isolated` starts it as another process.

Both libraries are written in C++ and do not survive every damaged frame: in 40 batches of 40 JPEG
frames with a few altered bytes GDCM ended its process 11 times, and a JPEG-LS frame of 64 x 64
pixels that lacked its end kept CharLS busy for 4 s. Run as a file, it imports nothing of this
package.

On stdin: a line of JSON (`Request`), then the frame. On stdout: a line of JSON with the length of
the pixels and what was found out about them, then the pixels. It ends with its stdin.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, BinaryIO, TypedDict

MAX_MEMORY = 4 * 2**30  # bytes of address space; a frame of 25 million pixels needs 0.3 GiB
JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")


class Request(TypedDict):
    """One frame to decode: `length` bytes that follow, and what DICOM says about its pixels."""

    length: int
    syntax: str
    rows: int
    columns: int
    samples: int
    photometric: str
    planar: int
    bits_allocated: int
    bits_stored: int
    signed: int


class Reply(TypedDict):
    """The pixels that follow, or `length` -1 and the kind of error."""

    length: int
    error: str
    planar: int
    bits_allocated: int


def main() -> None:
    """Answer requests until stdin ends."""
    _limit_memory()
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library that prints must not answer
    while line := source.readline():
        request: Request = json.loads(line)
        frame = source.read(request["length"])
        _answer(sink, request, frame)


def _answer(sink: BinaryIO, request: Request, frame: bytes) -> None:
    planar, bits = request["planar"], request["bits_allocated"]
    pixels, error = b"", ""
    try:
        if request["syntax"] in JPEG_LS:
            pixels, planar, bits = _charls(frame)
        else:
            pixels = _gdcm(frame, request)
    except Exception as failure:  # the outermost handler of this program: its kind is the answer
        error = type(failure).__name__
    length = -1 if error else len(pixels)
    reply = Reply(length=length, error=error, planar=planar, bits_allocated=bits)
    sink.write(json.dumps(reply).encode() + b"\n" + pixels)
    sink.flush()


def _charls(frame: bytes) -> tuple[bytes, int, int]:
    """Pixels, planar configuration and bits allocated of a JPEG-LS frame."""
    import jpeg_ls  # type: ignore[import-untyped]

    pixels, info = jpeg_ls.decode_pixel_data(frame)
    planar = int(info["components"] > 1 and info["interleave_mode"] == 0)
    return bytes(pixels), planar, 8 if info["bits_per_sample"] <= 8 else 16


def _gdcm(frame: bytes, request: Request) -> bytes:
    """Pixels of a JPEG frame. 12-bit JPEG too, as long as GDCM is told the precision."""
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())

    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((request["columns"], request["rows"], 1))
    image.SetDataElement(element)
    photometric = gdcm.PhotometricInterpretation.GetPIType(request["photometric"])
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(photometric))
    if request["samples"] > 1:
        image.SetPlanarConfiguration(request["planar"])
    syntax = gdcm.TransferSyntax.GetTSType(request["syntax"])
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    stored = request["bits_stored"]
    image.SetPixelFormat(
        gdcm.PixelFormat(
            request["samples"], request["bits_allocated"], stored, stored - 1, request["signed"]
        )
    )
    text: Any = image.GetBuffer()
    return text.encode("utf-8", "surrogateescape")  # SWIG hands bytes over as str


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


if __name__ == "__main__":
    main()
