"""What a file is, without a look at the head in it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from hub_model.reading import read_bytes
from training.audit.files import POINTS, describe, rim
from training.linkage.collection import eight_bit
from training.sources.phantom_files import dicom_files
from training.sources.phantom_heads import make_head
from training.sources.phantom_texture import as_jpeg, as_png


def described(data):
    return describe(data, read_bytes(data).slices[0])


def test_size_mode_and_format_are_those_of_the_file():
    found = described(as_png(np.full((30, 20, 3), 7, np.uint8)))
    assert (found.width, found.height, found.mode, found.format) == (20, 30, "RGB", "PNG")
    assert (found.levels, found.contrast, found.colour, found.quantisation) == (1, 0.0, 0.0, 0.0)


def test_a_coarser_jpeg_has_a_larger_quantisation_and_fewer_bytes():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    fine, coarse = described(as_jpeg(noise, 95)), described(as_jpeg(noise, 40))
    assert 0 < fine.quantisation < coarse.quantisation <= 255
    assert coarse.size < fine.size


def test_colours_are_measured():
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert described(as_png(red)).colour == 1.0


def test_a_file_that_pillow_cannot_open_is_what_the_reader_calls_it():
    found = described(next(dicom_files(make_head(0, 0), n_slices=2)))
    assert (found.format, found.mode) == ("DICOM", "")
    assert found.levels > 100


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (300, 200)])
def test_the_rim_has_one_length_and_range_for_every_size(shape):
    found = rim(np.full(shape, 255, np.uint8))
    assert found.shape == (4 * POINTS + 4,)
    assert found[-1] == 0  # no pixel is black
    assert np.delete(found, -3)[:-1] == pytest.approx(1)


def test_the_rim_sees_the_outermost_ring_and_nothing_inside():
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 256, (2, 40, 40), np.uint8)
    one[[0, -1]] = one[:, [0, -1]] = 0
    other[[0, -1]] = other[:, [0, -1]] = 0
    assert np.array_equal(rim(one), rim(other))
    other[0, 0] = 255
    assert not np.array_equal(rim(one), rim(other))


def test_deep_grey_values_are_stretched_and_flat_ones_do_not_divide_by_zero():
    assert eight_bit(np.array([[100, 1100]], np.uint16)).tolist() == [[0, 255]]
    assert eight_bit(np.full((2, 2), 3.5, np.float32)).tolist() == [[0, 0], [0, 0]]
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(file, "PNG")
    assert described(file.getvalue()).levels == 1
