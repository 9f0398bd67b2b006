"""Raster files: what becomes of modes, depths, orientations and damage."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import generate_frames

from hub_model.errors import InputRejected
from hub_model.reading import Limits, read_bytes
from tests.reading.samples import huge_png, pydicom_file, ramp, raster


def only(data: bytes):
    case = read_bytes(data)
    assert case.warnings == ()
    assert len(case.slices) == 1
    return case.slices[0]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_an_8_bit_grey_image_keeps_its_pixels(kind):
    piece = only(raster(ramp(), kind))
    assert piece.pixels.dtype == np.uint8
    np.testing.assert_array_equal(piece.pixels, ramp())
    assert (piece.kind, piece.colour) == ("raster", 0.0)
    assert (piece.position, piece.spacing, piece.place) == (None, None, None)


def test_webp_and_jpeg_are_read_as_pillow_decodes_them():
    for kind in ("WEBP", "JPEG"):
        data = raster(np.stack([ramp()] * 3, -1), kind, quality=90)
        expected = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
        np.testing.assert_array_equal(only(data).pixels, expected)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000"])
def test_a_16_bit_grey_image_keeps_its_depth(kind):
    pixels = ramp(dtype=np.uint16) * 256 + 3
    piece = only(raster(pixels, kind))
    assert piece.pixels.dtype == np.uint16
    np.testing.assert_array_equal(piece.pixels, pixels)


def test_a_float_tiff_stays_float():
    pixels = ramp().astype(np.float32) - 100.5
    piece = only(raster(pixels, "TIFF"))
    assert piece.pixels.dtype == np.float32
    np.testing.assert_array_equal(piece.pixels, pixels)


def test_a_float_tiff_with_a_value_that_is_no_number_is_refused():
    pixels = ramp().astype(np.float32)
    pixels[3, 3] = np.nan
    with pytest.raises(InputRejected, match="not finite") as refusal:
        read_bytes(raster(pixels, "TIFF"))
    assert refusal.value.code == "bad_values"


def test_colour_is_the_mean_spread_of_the_channels_and_grey_is_luma():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0] = (255, 0, 0)
    pixels[1, 1] = (10, 20, 61)
    piece = only(raster(pixels))
    assert piece.colour == pytest.approx((255 + 51) / 4 / 255)
    np.testing.assert_array_equal(piece.pixels, np.asarray(Image.fromarray(pixels).convert("L")))


def test_a_grey_image_in_three_channels_has_no_colour_and_its_own_values():
    piece = only(raster(np.stack([ramp()] * 3, -1)))
    assert piece.colour == 0.0
    np.testing.assert_array_equal(piece.pixels, ramp())


def test_alpha_is_laid_on_black():
    pixels = np.full((2, 2, 4), 200, np.uint8)
    pixels[..., 3] = [[0, 255], [128, 255]]
    piece = only(raster(pixels))
    assert piece.pixels[0].tolist() == [0, 200]
    assert abs(int(piece.pixels[1, 0]) - 100) <= 1
    assert piece.colour == 0.0


def test_a_transparent_grey_level_of_a_png_becomes_black():
    piece = only(raster(np.array([[9, 50]], np.uint8), transparency=50))
    assert piece.pixels.tolist() == [[9, 0]]


def test_a_palette_is_resolved():
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    image.putpalette([10, 10, 10, 255, 0, 0] + [0] * 750)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    piece = only(stream.getvalue())
    assert piece.pixels.tolist() == [[10, 76]]
    assert piece.colour == pytest.approx(0.5)


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270 degrees to see it upright
    piece = only(raster(ramp(), "PNG", exif=exif))
    np.testing.assert_array_equal(piece.pixels, np.rot90(ramp(), k=-1))


def test_pages_of_a_tiff_are_slices_in_order():
    pages = [Image.fromarray(ramp() + index) for index in range(3)]
    stream = io.BytesIO()
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:])
    case = read_bytes(stream.getvalue())
    assert [int(piece.pixels[0, 0]) for piece in case.slices] == [0, 1, 2]
    with pytest.raises(InputRejected, match="limit 2") as refusal:
        read_bytes(stream.getvalue(), limits=Limits(frames=2))
    assert refusal.value.code == "too_many_frames"


def test_an_animation_is_refused():
    frames = [Image.fromarray(ramp()), Image.fromarray(ramp() + 1)]
    stream = io.BytesIO()
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])
    with pytest.raises(InputRejected, match="animated"):
        read_bytes(stream.getvalue())


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_a_truncated_image_is_refused(kind):
    data = raster(ramp(64, 64), kind)
    with pytest.raises(InputRejected) as refusal:
        read_bytes(data[: len(data) * 2 // 3])
    assert refusal.value.code in ("bad_raster", "truncated")


def test_pixels_are_counted_before_they_are_decoded():
    with pytest.raises(InputRejected, match="400 x 400 = 160000 pixels, limit 150000") as refusal:
        read_bytes(huge_png(400), limits=Limits(pixels=150_000))
    assert (refusal.value.limit, refusal.value.actual) == (150_000, 160_000)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        # stored values that pydicom's own tests expect of these two files
        ("MR_small_jpeg_ls_lossless.dcm", {(0, 31): 422, (31, 0): 366, (-1, -1): 862}),
        ("JPEG-lossy.dcm", {(420, 140): 244, (230, 120): 95}),
    ],
)
def test_a_bare_jpeg_that_only_dicom_codecs_know_is_read(name, pixels):
    dataset = pydicom.dcmread(io.BytesIO(pydicom_file(name)))
    piece = only(next(generate_frames(dataset.PixelData, number_of_frames=1)))
    assert piece.pixels.dtype == np.uint16
    assert piece.pixels.shape == (dataset.Rows, dataset.Columns)
    assert {place: int(piece.pixels[place]) for place in pixels} == pixels
