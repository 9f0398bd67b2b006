"""A gallery shows what the network is surest of, and nothing of an answer that was refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hub_model import engine, explain
from hub_model.calibration import probabilities
from hub_model.contract import Verdict
from hub_model.errors import UsageError
from tests.training.pictures.small import PER_CLASS, TEMPERATURE
from training.pictures import gallery
from training.pictures.gallery import GAP, beside, most_confident, overlay
from training.pictures.model import GalleryFile, read_json
from training.pictures.write import Material


@pytest.fixture
def index(drawn) -> GalleryFile:
    return read_json(GalleryFile, drawn / "gallery" / "gallery.json")


def run(material: Material, folder, **changes):
    material = replace(material, **changes)
    recipe = material.recipe
    return gallery.write(
        folder,
        material.ready,
        material.test,
        probabilities(material.test.logits, material.temperature),
        material.decisions,
        recipe.labels,
        recipe.finding,
        per_class=recipe.evaluate.top_per_class,
        phantom=recipe.phantom,
    )


def test_a_refused_image_stands_alone_without_class_probability_or_map(drawn, material, index):
    size = material.recipe.preprocess.size
    refused = [one for one in index.pictures if not one.verdict.accepted]
    assert {one.verdict for one in refused} >= {Verdict.ABSTAIN_OOD}
    for one in refused:
        assert one.said is one.probability is one.mapped is None
        with Image.open(drawn / "gallery" / one.file) as picture:
            assert (picture.size, picture.mode) == ((size, size), "L")
            assert np.array_equal(np.asarray(picture), material.test.inputs.images[one.row])


def test_an_answered_image_stands_beside_the_map_of_the_class_that_was_said(drawn, material, index):
    answered = [one for one in index.pictures if one.verdict.accepted]
    assert answered
    for one in answered:
        decision = material.decisions[one.row]
        assert one.said == (decision.label or "tumor")
        assert one.probability == decision.probabilities[one.said]
        assert one.mapped == decision.label or decision.label is None
        image = np.asarray(material.test.inputs.images[one.row])
        features = engine.run(material.ready, image[None], maps=True).feature_map[0]
        label = material.recipe.labels.index(one.mapped)
        weight = material.ready.classifier_weight
        activation = explain.activation_map(features, weight, label, len(image))
        with Image.open(drawn / "gallery" / one.file) as picture:
            difference = np.asarray(picture).astype(int) - beside(image, overlay(image, activation))
            assert np.abs(difference).max() <= 1  # a batch rounds otherwise than an image alone


def test_lists_hold_the_surest_of_their_class_and_one_image_a_group(material, index):
    probs = probabilities(material.test.logits, TEMPERATURE)
    top, labels = probs.argmax(axis=1), material.test.labels
    lists: dict[tuple[str, str], list] = {}
    for one in index.pictures:
        lists.setdefault((one.answer, one.true), []).append(one)
        assert (top[one.row] == labels[one.row]) == (one.answer == "right")
        assert material.recipe.labels[labels[one.row]] == one.true
    assert len(lists) == 8
    for (answer, true), shown in lists.items():
        assert [one.file for one in shown] == [
            f"{answer}_{true}_{place}.png" for place in range(1, len(shown) + 1)
        ]
        assert 1 <= len(shown) <= PER_CLASS
        assert max(Counter(one.group for one in shown).values()) == 1
        sure = [probs[one.row].max() for one in shown]
        assert sure == sorted(sure, reverse=True)
        own = (labels == material.recipe.labels.index(true)) & (
            (top == labels) == (answer == "right")
        )
        assert sure[0] == probs[own].max()
    counted = sum(index.right.values()), sum(index.wrong.values())
    assert counted == ((top == labels).sum(), (top != labels).sum())


def test_ties_go_to_the_lower_row_and_a_group_counts_once():
    confidence = np.array([0.5, 0.9, 0.9, 0.9, 0.7, 0.9])
    groups = np.array(["a", "b", "b", "c", "d", "e"])
    rows = np.array([5, 4, 3, 2, 1])
    assert most_confident(confidence, groups, rows, 3) == [1, 3, 5]
    assert most_confident(confidence, groups, rows, 9) == [1, 3, 5, 4]
    assert most_confident(confidence, groups, rows, 0) == []


def test_the_network_sees_the_answered_pictures_and_no_other(tmp_path, monkeypatch, material):
    seen = []
    real = engine.run

    def counting(ready, images, *, maps):
        seen.append(len(images))
        return real(ready, images, maps=maps)

    monkeypatch.setattr(engine, "run", counting)
    index = run(material, tmp_path)
    assert seen == [sum(one.verdict.accepted for one in index.pictures)]


def test_the_same_material_gives_the_same_files(tmp_path, drawn, material):
    run(material, tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert first == {path.name: path.read_bytes() for path in (drawn / "gallery").iterdir()}


def test_a_gallery_of_nothing_is_an_index_without_pictures(tmp_path, material):
    spec = material.recipe.evaluate.model_copy(update={"top_per_class": 0})
    recipe = material.recipe.model_copy(update={"evaluate": spec})
    assert run(material, tmp_path, recipe=recipe).pictures == ()
    assert [path.name for path in tmp_path.iterdir()] == ["gallery.json"]


def test_decisions_on_other_images_are_refused(tmp_path, material):
    with pytest.raises(UsageError, match="decisions on"):
        run(material, tmp_path, decisions=material.decisions[1:])


def test_where_nothing_speaks_for_the_class_the_picture_stays_as_it_was():
    image = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    assert np.array_equal(overlay(image, np.zeros((8, 8))), beside(image, image)[:, 8 + GAP :])
