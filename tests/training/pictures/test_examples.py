"""Examples show what preparation did to stored images of every class."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from hub_model.errors import UsageError
from training import inputs, preparing
from training.pictures import examples
from training.pictures.examples import BOX, PER_CLASS, boxed
from training.pictures.gallery import GAP
from training.pictures.model import ExamplesFile, read_json


@pytest.fixture
def index(drawn) -> ExamplesFile:
    return read_json(ExamplesFile, drawn / "examples" / "examples.json")


def test_every_class_has_examples_of_different_groups(material, index):
    counts = Counter(one.label for one in index.pictures)
    assert set(counts) == set(material.recipe.labels)
    assert max(counts.values()) <= PER_CLASS
    groups = Counter((one.label, one.group) for one in index.pictures)
    assert max(groups.values()) == 1
    assert len(index.pictures) == len({one.file for one in index.pictures})


def test_the_right_half_is_the_prepared_image_of_that_row(drawn, material, index):
    ready = inputs.read(material.prepared, "train")
    size = material.recipe.preprocess.size
    for one in index.pictures:
        with Image.open(drawn / "examples" / one.file) as picture:
            pixels = np.asarray(picture)
        assert pixels.shape == (size, 2 * size + GAP, 3)
        assert np.array_equal(pixels[:, size + GAP :, 0], ready.images[one.row])
        assert ready.groups[one.row] == one.group
        assert min(one.width, one.height) > 1


def test_a_box_stands_around_what_the_crop_keeps(material):
    pixels = np.zeros((64, 64), np.uint8)
    pixels[16:48, 8:40] = 200
    spec = material.recipe.preprocess.model_copy(update={"size": 64, "crop_margin": 0.0})
    shown = boxed(_slice(pixels), spec)
    box = np.argwhere((shown == BOX).all(axis=2))
    assert box.min(axis=0).tolist() == [16, 8]
    assert box.max(axis=0).tolist() == [47, 39]


def test_a_wide_image_lies_in_the_middle_of_its_square(material):
    spec = material.recipe.preprocess
    shown = boxed(_slice(np.full((10, 40), 255, np.uint8)), spec)
    assert shown.shape == (spec.size, spec.size, 3)
    assert not shown[: spec.size // 3].any()
    assert not shown[-spec.size // 3 :].any()
    assert shown[spec.size // 2].any()


def _slice(pixels):
    from hub_model.case import Slice

    return Slice(pixels, "raster")


def test_images_prepared_from_another_dataset_are_refused(tmp_path, material):
    ready = inputs.read(material.prepared, "train")
    rows = [
        {"image": _png(image), "label": 1, "finding": "tumor", "group": "g"}
        for image in ready.images[:3]
    ]
    recipe = material.recipe
    preparing.write(tmp_path / "p", "train", rows, 3, recipe.preprocess, recipe.quality)
    with pytest.raises(UsageError, match="are not those of the dataset"):
        examples.write(
            tmp_path / "out",
            material.dataset,
            tmp_path / "p",
            recipe.labels,
            recipe.preprocess,
            phantom=True,
        )
    assert not (tmp_path / "out").exists()


def _png(image) -> bytes:
    import io

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
