"""Compressed DICOM: every codec decodes, no damaged frame ends the process, gaps are named."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import warnings
from contextlib import suppress

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_decoder
from pydicom.uid import MPEG2MPML, HTJ2KLossless, JPEGLosslessSV1

from hub_model.errors import InputRejected
from hub_model.reading import Limits, isolated, read_bytes
from tests.reading.samples import dicom, pydicom_file, ramp


def reframed(name: str, change) -> bytes:
    """A file of pydicom's with its first frame replaced by `change` of it."""
    dataset = pydicom.dcmread(io.BytesIO(pydicom_file(name)))
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    dataset.PixelData = encapsulate([change(frame)])
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    "name", ["MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm"]
)
def test_a_lossless_codec_gives_the_pixels_of_the_uncompressed_file(name):
    expected = read_bytes(pydicom_file("MR_small.dcm")).slices[0].pixels
    np.testing.assert_array_equal(read_bytes(pydicom_file(name)).slices[0].pixels, expected)


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_12_bit_jpeg_gives_the_values_that_pydicoms_tests_expect(name):
    found = read_bytes(pydicom_file(name)).slices[0].pixels
    assert (found[420, 140], found[230, 120]) == (244, 95)


@pytest.mark.parametrize(
    "name",
    ["JPEG2000.dcm", "JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm"],
)
def test_a_lossy_codec_gives_what_gdcm_gives(name):
    dataset = pydicom.dcmread(io.BytesIO(pydicom_file(name)))
    decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    expected, _ = decoder.as_array(dataset, decoding_plugin="gdcm")
    np.testing.assert_array_equal(read_bytes(pydicom_file(name)).slices[0].pixels, expected)


# 32 x 32 grey values 64 * row + 3 * column, encoded without loss by OpenJPH 0.26.3.
HIGH_THROUGHPUT = (
    "/0//UQApQAAAAAAgAAAAIAAAAAAAAAAAAAAAIAAAACAAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUE"
    "BEAB/1wAEyCIkJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAALEAAf+TwAAm"
    "NfsFB3QAwAASwAATAOwAh3QAIvkDB3QAwAATQAATgNb+AAJ0AJCE5ACjVADAABPAABVgqqqgp8J1AEYaMWLkwEIB"
    "7LYAwAAVcAAFpiRJkufAp6enQngAHj08PDw8PDz+/Yxge/Yxgey6AMAALQgABb4AAAAA+f8p6enp6enp4nwAft/3"
    "fd/3fd/3fd/3/3hgQge/YQge/YQge/YQgeyzAf/Z"
)


def test_high_throughput_jpeg_2000_gives_the_values_that_were_encoded():
    expected = np.add.outer(np.arange(32) * 64, np.arange(32) * 3).astype(np.uint16)
    frames = encapsulate([base64.b64decode(HIGH_THROUGHPUT)])
    data = dicom(expected, syntax=HTJ2KLossless, PixelData=frames)
    np.testing.assert_array_equal(
        read_bytes(data).slices[0].pixels, read_bytes(dicom(expected)).slices[0].pixels
    )


def test_jpeg_lossless_in_colour_equals_the_uncompressed_picture():
    found = read_bytes(pydicom_file("SC_rgb_jpeg_gdcm.dcm")).slices[0]
    expected = read_bytes(pydicom_file("SC_rgb_rle.dcm")).slices[0]
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert found.colour == expected.colour


def test_a_compressed_multi_frame_file_gives_all_its_frames():
    case = read_bytes(pydicom_file("examples_ybr_color.dcm"))
    assert len(case.slices) == 30
    assert len({piece.pixels.tobytes() for piece in case.slices}) > 20


@pytest.mark.parametrize(
    "name", ["SC_rgb_jpeg_gdcm.dcm", "JPEG-lossy.dcm", "MR_small_jpeg_ls_lossless.dcm"]
)
def test_a_frame_with_altered_bytes_is_refused_or_read_but_ends_nothing(name):
    random = np.random.default_rng(0)

    def alter(frame: bytes) -> bytes:
        changed = np.frombuffer(frame, np.uint8).copy()
        places = random.integers(40, len(frame) - 2, 20)
        changed[places] = random.integers(0, 256, 20)
        return changed.tobytes()

    for _ in range(6):
        with suppress(InputRejected):
            assert read_bytes(reframed(name, alter)).slices
    assert read_bytes(pydicom_file(name)).slices  # the next is decoded all the same


def test_a_decoder_that_dies_is_replaced(monkeypatch):
    data = pydicom_file("SC_rgb_jpeg_gdcm.dcm")
    isolated.close_all()
    with monkeypatch.context() as patch:
        patch.setattr(isolated, "MAX_SECONDS", 0.0)  # killed while it starts
        with pytest.raises(InputRejected) as refusal:
            read_bytes(data)
    assert refusal.value.code == "truncated"
    assert read_bytes(data).slices


@pytest.mark.parametrize("name", ["MR_small_jpeg_ls_lossless.dcm", "JPEG2000.dcm"])
def test_a_truncated_frame_is_refused(name):
    with pytest.raises(InputRejected) as refusal:
        read_bytes(reframed(name, lambda frame: frame[: len(frame) // 2]))
    assert refusal.value.code == "truncated"


def test_a_frame_larger_than_its_header_says_is_refused_before_it_is_decoded():
    def widen(frame: bytes) -> bytes:  # image width in the SIZ segment
        return frame[:8] + (60_000).to_bytes(4, "big") + frame[12:]

    with pytest.raises(InputRejected, match=r"60000 pixels .* declares 64 x 64"):
        read_bytes(reframed("MR_small_jp2klossless.dcm", widen))


def test_a_missing_frame_is_refused():
    dataset = pydicom.dcmread(io.BytesIO(pydicom_file("SC_rgb_rle_2frame.dcm")))
    dataset.NumberOfFrames = 3
    stream = io.BytesIO()
    dataset.save_as(stream)
    with pytest.raises(InputRejected) as refusal:
        read_bytes(stream.getvalue())
    assert refusal.value.code == "truncated"


def test_an_rle_frame_beyond_its_limit_is_refused():
    with pytest.raises(InputRejected, match="limit 1000") as refusal:
        read_bytes(pydicom_file("MR_small_RLE.dcm"), limits=Limits(rle_frame_bytes=1000))
    assert refusal.value.limit == 1000


def compressed(syntax: str) -> bytes:
    """A file that claims this transfer syntax; its frame is never looked at."""
    return dicom(ramp(), syntax=syntax, PixelData=encapsulate([bytes(100)]))


def test_video_is_refused_by_its_name():
    with pytest.raises(InputRejected, match="MPEG2 Main Profile") as refusal:
        read_bytes(compressed(MPEG2MPML))
    assert refusal.value.code == "unsupported"


def test_an_unknown_syntax_is_not_repeated():
    with pytest.raises(InputRejected, match="unknown to the standard") as refusal:
        read_bytes(compressed("1.2.3.4.5"))
    assert "1.2.3.4.5" not in str(refusal.value)


@pytest.mark.parametrize(
    ("absent", "syntax", "package"),
    [
        ("gdcm", JPEGLosslessSV1, "python-gdcm"),
        ("pylibjpeg", HTJ2KLossless, "pylibjpeg-openjpeg"),
    ],
)
def test_a_missing_codec_is_named_with_its_syntax_and_package(tmp_path, absent, syntax, package):
    (tmp_path / "file").write_bytes(compressed(syntax))
    program = (
        "import sys, importlib.machinery\n"
        f"sys.modules[{absent!r}] = None\n"
        "from hub_model.reading import read_case\n"
        "from hub_model.errors import InputRejected\n"
        "try: read_case(sys.argv[1])\n"
        "except InputRejected as refusal: print(refusal.code, refusal)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "file")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("missing_codec ")
    assert f"({syntax}) needs a decoder" in done.stdout
    assert package in done.stdout
