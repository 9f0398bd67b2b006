"""Hostile files: each is refused in little time and memory, in a process that measures itself."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.reading.samples import archive, dicom, huge_png, nifti, ramp, raster

MAX_SECONDS = 2.0  # of processor time: others may be using the machine
MAX_MIB = 300  # above what the process needs once it is imported
MAX_IMPORT_MIB = 150

# VmHWM and not getrusage: that one starts with the peak of the process that forked this one.
PROGRAM = """
import json, sys, time
from hub_model.errors import InputRejected
from hub_model.reading import read_case

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))

before, start = peak(), time.process_time()
try:
    read_case(sys.argv[1])
    code, message = "read", ""
except InputRejected as refusal:
    code, message = refusal.code, str(refusal)
print(json.dumps([code, message, time.process_time() - start, peak() - before, before]))
"""


def bomb(size: int) -> bytes:
    """A ZIP whose one entry inflates to `size` zeros."""
    return archive({"a.png": bytes(size)})


def lying_bomb(size: int) -> bytes:
    """The same, but its directory and its entry declare 1000 bytes."""
    data = bytearray(bomb(size))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(signature) + offset
        data[place : place + 4] = (1000).to_bytes(4, "little")
    return bytes(data)


def crowded_zip(count: int) -> bytes:
    """A directory of `count` entries without any content."""
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    directory = entry * count
    shown = min(count, 0xFFFF)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, shown, shown, len(directory), 4, 0)
    start = b"PK\x03\x04"
    return start + directory + end


def deflated_dicom() -> bytes:
    """A DICOM file of 100 kB that inflates to 100 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = bytes(2**20)
    body = b"".join(packer.compress(block) for _ in range(100))
    start = dicom(None, syntax=DeflatedExplicitVRLittleEndian)[:132]
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", 22) + b"1.2.840.10008.1.2.1.99"
    return start + meta + body + packer.flush()


def tiny_elements(count: int) -> bytes:
    """A DICOM file of `count` elements of 8 bytes, in a sequence that no length ends."""
    head = dicom(None)
    sequence = struct.pack("<HH2sHI", 0x0018, 0x9999, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    element = b"".join(struct.pack("<HH2sH", 0x0020, n, b"SH", 0) for n in range(4096))
    return head + sequence + item + element * (count // 4096)


def nested_sequences(depth: int) -> bytes:
    """A DICOM file of sequences inside each other."""
    opening = struct.pack("<HH2sHI", 0x0028, 0x3010, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return dicom(None) + (opening + item) * depth


HOSTILE = {
    "zip bomb": (lambda: bomb(200 * 2**20), "zip_ratio"),
    "zip bomb that lies": (lambda: lying_bomb(100 * 2**20), "bad_archive"),
    "zip of a million entries": (lambda: crowded_zip(1_000_000), "too_many_files"),
    "nested zip": (lambda: archive({"b.zip": bomb(10 * 2**20)}), "zip_nested"),
    "entry named ../": (lambda: archive({"../a.png": raster(ramp())}), "zip_path"),
    "gzip bomb": (lambda: gzip.compress(bytes(100 * 2**20)), "not_an_image"),
    "gzip bomb with a NIfTI header": (
        lambda: gzip.compress(
            nifti(np.zeros((2, 2, 2), np.int16), dim=[3, 2000, 2000, 2000, 1, 1, 1, 1])
            + bytes(100 * 2**20)
        ),
        "file_too_large",
    ),
    "deflated DICOM bomb": (deflated_dicom, "file_too_large"),
    "truncated DICOM": (lambda: dicom(ramp(500, 500))[:-1000], "truncated"),
    "DICOM of a million frames": (
        lambda: dicom(ramp(), NumberOfFrames=1_000_000),
        "too_many_frames",
    ),
    "DICOM of 65535 x 65535 pixels": (
        lambda: dicom(ramp(), Rows=65535, Columns=65535),
        "too_many_pixels",
    ),
    "DICOM of a million elements": (lambda: tiny_elements(1_000_000), "header_too_large"),
    "DICOM of nested sequences": (lambda: nested_sequences(100_000), "bad_dicom"),
    "PNG of 10^9 pixels": (lambda: huge_png(31623), "too_many_pixels"),
    "PNG of 10^8 pixels": (lambda: huge_png(10_000), "too_many_pixels"),
    "empty file": (lambda: b"", "empty_file"),
    "text named .dcm": (lambda: b"Dear colleague, please find attached. " * 100, "not_an_image"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads its peak memory from /proc")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_little_time_and_memory(tmp_path, name):
    make, expected = HOSTILE[name]
    path = tmp_path / "upload.dcm"
    path.write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True
    )
    code, message, seconds, mebibytes, imported = json.loads(done.stdout)
    assert (code, message) == (expected, message)
    assert seconds < MAX_SECONDS
    assert mebibytes < MAX_MIB
    assert imported < MAX_IMPORT_MIB
    assert ": " in message, "a refusal says what was found and what to do"
    assert str(tmp_path) not in message + done.stderr
    assert "Traceback" not in done.stderr
