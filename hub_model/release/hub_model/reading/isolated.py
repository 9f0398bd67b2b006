"""Decoding in a process that may die: a pydicom plugin for the codecs of `codec_worker`.

A worker is started with the first frame, kept for the next and replaced when it dies. Its stderr is
dropped: the codecs write about what they read.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hub_model.reading.codec_worker import JPEG_LS, Reply, Request

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

# A frame of 512 x 512 takes 10 ms; one of the 25 million pixels allowed takes 1 s.
MAX_SECONDS = 10.0

_GDCM = (
    "1.2.840.10008.1.2.4.51",  # JPEG extended, 8 and 12 bits
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
)
# The names of the next three are pydicom's to choose: it asks its plugins for them.
DECODER_DEPENDENCIES = dict.fromkeys(_GDCM, ("gdcm",)) | dict.fromkeys(JPEG_LS, ("pyjpegls",))


def is_available(uid: str) -> bool:
    """Whether the package that decodes this transfer syntax is installed."""
    if uid in JPEG_LS:
        return find_spec("jpeg_ls") is not None
    return uid in _GDCM and find_spec("gdcm") is not None


def decode_frame(src: bytes, runner: DecodeRunner) -> bytes:
    """Pixels of one frame, decoded in another process.

    Raises:
        RuntimeError: the codec refused the frame, died of it, or took longer than `MAX_SECONDS`.
    """
    colour = runner.samples_per_pixel > 1
    request = Request(
        length=len(src),
        syntax=str(runner.transfer_syntax),
        rows=runner.rows,
        columns=runner.columns,
        samples=runner.samples_per_pixel,
        photometric=str(runner.photometric_interpretation),
        planar=runner.planar_configuration if colour else 0,
        bits_allocated=runner.bits_allocated,
        bits_stored=runner.bits_stored,
        signed=runner.pixel_representation,
    )
    reply, pixels = _ask(request, src)
    if colour:
        runner.set_option("planar_configuration", reply["planar"])
    runner.set_option("bits_allocated", reply["bits_allocated"])
    return pixels


class _Worker:
    """One process; it is used by one thread at a time."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("codec_worker.py")
        self._process = subprocess.Popen(  # noqa: S603  our own program, no shell
            [sys.executable, "-P", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, request: Request, frame: bytes) -> tuple[Reply, bytes]:
        """The reply and the pixels; the process is killed when it takes too long."""
        sink, source = self._process.stdin, self._process.stdout
        if sink is None or source is None:
            raise RuntimeError("the decoder has no pipes")
        alarm = threading.Timer(MAX_SECONDS, self._process.kill)
        alarm.start()
        try:
            sink.write(json.dumps(request).encode() + b"\n" + frame)
            sink.flush()
            reply: Reply = json.loads(source.readline())
            pixels = source.read(max(0, reply["length"]))
        finally:
            alarm.cancel()
        if len(pixels) < reply["length"]:
            raise EOFError("the decoder ended while it answered")
        return reply, pixels

    def close(self) -> None:
        """End the process, whatever state it is in."""
        self._process.kill()
        self._process.communicate()


_idle: list[_Worker] = []  # append and pop are atomic: no lock is needed


def _ask(request: Request, frame: bytes) -> tuple[Reply, bytes]:
    try:
        worker = _idle.pop()
    except IndexError:
        worker = _Worker()
    try:
        reply, pixels = worker.ask(request, frame)
    except (OSError, ValueError, EOFError):  # ValueError: an empty reply is no JSON
        worker.close()
        raise RuntimeError("the decoder died of this frame or took too long") from None
    _idle.append(worker)
    if reply["length"] < 0:
        raise RuntimeError(f"the decoder refused this frame ({reply['error']})")
    return reply, pixels


def close_all() -> None:
    """End all workers that are not at work; the next frame starts a new one."""
    while _idle:
        _idle.pop().close()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # two processes must not share a pipe
