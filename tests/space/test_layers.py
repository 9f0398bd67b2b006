"""What lies over a slice lies there as it did when both were one picture, and is slid."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from hub_model.outputs.pictures import layer_png, overlay_png
from hub_model.predictor import SliceMap
from space import layers, pictures
from space.layers import Layered

RAMP = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
GREY = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))


def laid(layer: bytes) -> np.ndarray:
    """`GREY` under a layer, as a browser lays it."""
    under, over = Image.fromarray(GREY).convert("RGBA"), Image.open(io.BytesIO(layer))
    return np.asarray(Image.alpha_composite(under, over.convert("RGBA")).convert("RGB"), np.float32)


def test_a_map_over_its_slice_is_the_picture_of_both() -> None:
    whole = np.asarray(pictures.overlay(GREY, RAMP), np.float32)
    assert np.abs(laid(pictures.layer(RAMP)) - whole).max() <= 3
    assert np.array_equal(laid(pictures.layer(0 * RAMP))[..., 0], GREY)


def test_a_mask_over_its_slice_is_the_picture_of_both() -> None:
    mask = RAMP > 0.5
    whole = np.asarray(Image.open(io.BytesIO(overlay_png(GREY, mask))), np.float32)
    assert np.abs(laid(layer_png(mask)) - whole).max() <= 1


def test_a_map_apart_is_a_fraction_of_both_in_one() -> None:
    apart, whole = (
        pictures.pictures([GREY], [SliceMap(0, RAMP)], apart=one)[0].mapped or ""
        for one in (True, False)
    )
    assert len(apart) < len(whole) / 2
    png = base64.b64decode(apart.partition(",")[2])
    assert Image.open(io.BytesIO(png)).info["transparency"][0] == 0


@pytest.mark.parametrize(("count", "sliders"), [(1, ["opacity"]), (3, ["opacity", "slice"])])
def test_sliders_are_labelled_and_the_first_slice_is_in_sight(
    count: int, sliders: list[str]
) -> None:
    slices = [Layered(f"<Slice> {number}", "data:,", "data:,") for number in range(count)]
    html = layers.html(slices, "the map")

    assert [name for name in ("opacity", "slice") if f'data-slides="{name}"' in html] == sliders
    assert html.count("<label") == html.count("aria-valuetext") == len(sliders)
    assert html.count("class='ng-on'") == 1
    assert f'max="{count}"' in html or count == 1
    assert "<Slice>" not in html
