"""The eight symmetries agree on arrays, on points, on boxes and with each other."""

from __future__ import annotations

import numpy as np
import pytest

from training.linkage import symmetry

PATTERN = np.arange(12).reshape(3, 4)
SQUARE = np.arange(9).reshape(3, 3)


def test_names_are_those_of_numpy_and_pillow():
    done = {
        name: symmetry.apply(number, PATTERN).tolist() for number, name in enumerate(symmetry.NAMES)
    }
    assert done == {
        "identity": PATTERN.tolist(),
        "mirror": np.fliplr(PATTERN).tolist(),
        "flip": np.flipud(PATTERN).tolist(),
        "rotate90": np.rot90(PATTERN).tolist(),
        "rotate180": np.rot90(PATTERN, 2).tolist(),
        "rotate270": np.rot90(PATTERN, 3).tolist(),
        "transpose": PATTERN.T.tolist(),
        "antitranspose": np.rot90(PATTERN, 2).T.tolist(),
    }


@pytest.mark.parametrize("first", range(8))
def test_a_symmetry_and_its_inverse_are_nothing_and_products_are_right(first):
    once = symmetry.apply(first, PATTERN)
    back = int(symmetry.inverse(np.array(first)))
    assert (symmetry.apply(back, once) == PATTERN).all()
    for second in range(8):
        both = int(symmetry.compose(second, first))
        twice = symmetry.apply(second, once)
        assert (symmetry.apply(both, PATTERN) == twice).all()


@pytest.mark.parametrize("number", range(8))
def test_points_and_boxes_go_where_the_pixels_go(number):
    turned = symmetry.apply(number, SQUARE)
    row, column = symmetry.move(np.array([number]), np.array([-1.0]), np.array([0.0]))
    assert turned[int(row[0]) + 1, int(column[0]) + 1] == SQUARE[0, 1]
    image = np.zeros((10, 20), np.uint8)
    image[1:3, 4:10] = 1
    box = np.array([[0.1, 0.3, 0.2, 0.5]], np.float32)
    there = symmetry.apply(number, image)
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    found = np.array([rows[0], rows[-1] + 1, columns[0], columns[-1] + 1], float)
    found /= np.repeat(there.shape, 2)
    assert symmetry.boxes(np.array([number]), box)[0] == pytest.approx(found, abs=1e-6)


def test_each_image_gets_its_own_symmetry():
    images = np.stack([SQUARE, SQUARE, SQUARE])
    done = symmetry.apply_each(np.array([0, 6, 1]), images)
    assert (done == np.stack([SQUARE, np.rot90(SQUARE), np.fliplr(SQUARE)])).all()
