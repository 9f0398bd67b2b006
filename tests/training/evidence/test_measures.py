"""A network that looks at the lesion and one that looks at the border are told apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from hub_model.engine import Kind, TorchEngine
from hub_model.engine.base import Passed
from hub_model.engine.by_torch import normalised
from hub_model.network import NetworkOutput
from tests.training.evidence.drawn import LABELS, RECIPE
from training.evidence import alike
from training.evidence.measures import Subject, measure
from training.inputs import Inputs, Masks

GAIN = 60.0
SIDE = 96


class Bright(nn.Module):
    """Says tumor where a smooth bright spot is seen, the more the brighter."""

    def forward(self, images: torch.Tensor) -> NetworkOutput:
        smooth = nn.functional.avg_pool2d(images, 4)
        return answer(torch.relu(smooth - 0.9))


class Border(nn.Module):
    """Says tumor where the picture's border is not black: it looks at no head at all."""

    def forward(self, images: torch.Tensor) -> NetworkOutput:
        rim = torch.ones_like(images)
        rim[:, :, 3:-3, 3:-3] = 0
        return answer(nn.functional.avg_pool2d(torch.relu(images + 1.9) * rim, 4) * 3)


def answer(evidence: torch.Tensor) -> NetworkOutput:
    """The classifier weighs the one feature for the first tumor class."""
    strength = GAIN * evidence.flatten(1).amax(dim=1, keepdim=True)
    logits = torch.zeros(len(evidence), len(LABELS))
    logits = torch.cat([strength - 3, logits[:, 1:] - 9], dim=1)
    logits = logits.index_fill(1, torch.tensor([LABELS.index("notumor")]), 0.0)
    return NetworkOutput(logits, strength, strength, evidence)


@pytest.fixture(scope="module")
def heads():
    """Discs of a slope of grey, every second one with a bright spot and its mask."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[:SIDE, :SIDE]
    disc = np.hypot(down - SIDE / 2, across - SIDE / 2) < 0.42 * SIDE
    images = np.zeros((16, SIDE, SIDE), np.uint8)
    masks = np.zeros((8, SIDE, SIDE), np.uint8)
    for row in range(16):
        images[row] = np.where(disc, 50 + across + rng.normal(0, 4, disc.shape), 0)
        if row % 2 == 0:
            middle = SIDE / 2 + rng.uniform(-14, 14, 2)
            spot = np.hypot(down - middle[0], across - middle[1]) < 7
            images[row][spot] = 250
            masks[row // 2] = 255 * spot
    present = np.arange(16) % 2 == 0
    return Inputs(
        images,
        np.where(present, 0, LABELS.index("notumor")),
        present,
        np.array([f"g{row}" for row in range(16)]),
        ((),) * 16,
        Masks(masks, np.where(present, np.arange(16) // 2, -1)),
    )


def subject(network):
    weight = np.zeros((len(LABELS), 1), np.float32)
    weight[0] = 1
    spec = RECIPE.preprocess

    def forward(images: np.ndarray) -> Passed:
        with torch.inference_mode():
            found = network(normalised(images, spec))
        maps = found.feature_map.numpy()
        return Passed(
            found.logits.numpy(), found.embedding.numpy(), found.middle.numpy(), maps, None
        )

    ready = TorchEngine(
        Kind.TORCH, "drawn", forward, spec, weight, 1, draws=False, network=network, decoder=None
    )
    return Subject(ready, RECIPE.labels, RECIPE.finding, 1.0)


@dataclass(frozen=True)
class Found:
    values: dict
    table: list


@pytest.fixture(scope="module")
def bright(heads):
    figures, table = measure(subject(Bright()), heads, "drawn")
    return Found({name.removeprefix("evidence."): one for name, one in figures.items()}, table)


@pytest.fixture(scope="module")
def border(heads):
    figures, table = measure(subject(Border()), heads, "drawn")
    return Found({name.removeprefix("evidence."): one for name, one in figures.items()}, table)


def test_activation_and_gradient_lie_in_the_lesion_of_a_network_that_looks_there(bright, border):
    area = bright.values["area_inside"].value
    for name in ("activation_inside", "gradient_inside"):
        assert bright.values[name].value > 3 * area
        assert border.values[name].value < area


def test_a_pasted_lesion_is_seen_by_the_one_and_not_by_the_other(bright, border):
    assert bright.values["pasted.after"].value > bright.values["pasted.before"].value + 0.2
    assert border.values["pasted.after"].value == pytest.approx(
        border.values["pasted.before"].value, abs=1e-3
    )


def test_figures_are_over_groups_and_name_their_split(bright):
    for figure in bright.values.values():
        assert figure.sample.split == "drawn"
        assert figure.sample.n_groups == figure.sample.n_images > 0


def test_images_without_masks_still_have_the_figures_of_images_made_alike(heads):
    figures, _ = measure(subject(Bright()), replace(heads, masks=None), "drawn heads")
    assert {name.split(".")[1] for name in figures} == {"alike"}


@pytest.mark.parametrize("way", alike.WAYS.values(), ids=alike.WAYS)
def test_images_made_alike_stay_images_and_the_one_that_came_in_is_left(heads, way):
    image = np.array(heads.images[0])
    before = image.copy()
    found = way(image)
    assert (found.dtype, found.shape) == (np.uint8, image.shape)
    assert np.array_equal(image, before)
    assert np.corrcoef(found.ravel(), before.ravel())[0, 1] > 0.7


def test_a_border_that_tells_the_class_tells_nothing_once_it_is_made_alike(heads):
    """Every image with a lesion gets a white corner, as one source may have had."""
    images = np.array(heads.images)
    images[heads.present, :2, :12] = 255
    figures, table = measure(
        subject(Border()), replace(heads, images=images, masks=None), "drawn heads"
    )
    assert figures["evidence.alike.as_it_is"].value == 1
    assert figures["evidence.alike.border"].value == pytest.approx(heads.present.mean(), abs=0.51)
    assert figures["evidence.alike.border"].value <= 0.5
    assert {row["images"] for row in table} == {"as_it_is", *alike.WAYS}
