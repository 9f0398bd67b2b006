"""Windows of Hounsfield units: one byte holds them all, padding and header change nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model import engine
from hub_model.case import AIR, PADDING, Slice
from hub_model.contract import HuWindow, PreprocessSpec, Reason
from hub_model.network import Network
from hub_model.preprocess import normalise, prepare
from hub_model.quality import unfit
from hub_model.windows import channels, picture

BRAIN = HuWindow(name="brain", centre=40, width=80)
SUBDURAL = HuWindow(name="subdural", centre=80, width=200)
BONE = HuWindow(name="bone", centre=500, width=2000)
SIZE = 64
CT = PreprocessSpec(
    size=SIZE,
    channels=3,
    crop="skull",
    crop_threshold=0.1,
    crop_margin=0.02,
    window="hu",
    window_low=0,
    window_high=100,
    fit="letterbox",
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    windows=(BRAIN,),
    skull_percentile=98,
    floor_percentile=1,
)
THREE = CT.model_copy(update={"windows": (BRAIN, SUBDURAL, BONE)})
MR = PreprocessSpec.model_validate(
    CT.model_dump(exclude={"windows", "skull_percentile", "floor_percentile"})
    | {"crop": "head", "window": "percentile"}
)


def head(side=128, at=(64, 60), radii=(40, 32), padding=None):
    """A ring of bone around brain, on air; with corners that no scanner saw, if asked."""
    y, x = np.mgrid[:side, :side]
    radius = np.hypot((y - at[0]) / radii[0], (x - at[1]) / radii[1])
    units = np.full((side, side), -1000, np.int16)
    units[radius < 1] = 1200
    units[radius < 0.9] = 30
    units[(y - at[0] + 10) ** 2 + (x - at[1]) ** 2 < 36] = 75
    if padding is not None:
        units[np.hypot(y - side / 2, x - side / 2) > side / 2] = padding
    return units


def slice_of(units):
    return Slice(np.zeros(units.shape, np.float32), "dicom", modality="CT", units=units)


def window(units, one):
    low = one.centre - one.width / 2
    return np.clip((np.asarray(units, np.float64) - low) / one.width, 0, 1)


def test_one_window_is_what_a_viewer_shows():
    units = np.arange(-1024, 3000, dtype=np.int16)[None]
    assert picture(units, [BRAIN])[0, 1024 + 40] == 128
    np.testing.assert_array_equal(
        picture(units, [BRAIN])[0], np.rint(255 * window(units[0], BRAIN))
    )


def test_three_windows_come_back_out_of_one_byte_to_a_hounsfield_unit():
    units = np.arange(-1024, 3000, dtype=np.int16)[None]
    grey = picture(units, THREE.windows)[None, None].astype(np.float32) / 255
    found = channels(grey, THREE, np.concatenate)
    assert found.shape == (1, 3, 1, units.shape[1])
    inside = (units[0] >= 0) & (units[0] <= 80)
    for number, one in enumerate(THREE.windows):
        gap = np.abs(found[0, number, 0] - window(units[0], one)) * one.width
        assert gap[inside].max() <= 1
    bone = np.abs(found[0, 2, 0] - window(units[0], BONE)) * BONE.width
    assert bone.max() <= 15


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-900, 2000), st.integers(1, 2000)), min_size=3, max_size=3))
def test_any_three_windows_rise_from_black_to_white(edges):
    some = tuple(HuWindow(name=str(n), centre=c, width=w) for n, (c, w) in enumerate(edges))
    spec = THREE.model_copy(update={"windows": some})
    line = np.linspace(0, 1, 256, dtype=np.float32).reshape(1, 1, 1, 256)
    found = channels(line, spec, np.concatenate)
    assert found[..., 0] == pytest.approx(0, abs=1e-4)
    assert found[..., -1] == pytest.approx(1, abs=1e-3)
    assert (np.diff(found, axis=-1) >= -1e-4).all()


def test_the_engine_feeds_the_network_the_same_windows():
    import timm

    torch.manual_seed(0)
    network = Network(timm.create_model("resnet10t", in_chans=3, num_classes=2)).eval()
    images = np.stack([prepare(slice_of(head()), THREE).image, np.zeros((SIZE, SIZE), np.uint8)])
    with torch.inference_mode():
        by_hand = network(torch.from_numpy(normalise(images, THREE))).logits.numpy()
    found = engine.run(engine.from_network(network, THREE), images, maps=False).logits
    assert np.abs(found - by_hand).max() <= 1e-5


def test_the_crop_is_the_box_of_the_skull():
    ready = prepare(slice_of(head()), CT)
    wanted = np.array([64 - 40, 64 + 40, 60 - 32, 60 + 32])
    assert np.abs(np.array(ready.box) - wanted).max() <= 6


@pytest.mark.parametrize("padding", [PADDING, AIR])
def test_corners_that_no_scanner_saw_change_nothing(padding):
    plain, padded = prepare(slice_of(head()), CT), prepare(slice_of(head(padding=padding)), CT)
    assert np.abs(np.subtract(plain.box, padded.box)).max() <= 2
    assert np.abs(plain.image.astype(int) - padded.image).mean() <= 3


def test_a_slice_without_bone_is_not_cropped():
    speck = np.full((100, 100), -1000, np.int16)
    speck[40:44, 40:44] = 900
    assert prepare(slice_of(speck), CT).box == (0, 100, 0, 100)
    assert prepare(slice_of(np.full((9, 9), PADDING, np.int16)), CT).image.max() == 0


def test_what_lies_at_or_below_the_floor_becomes_air():
    wide = HuWindow(name="wide", centre=0, width=2048)
    spec = CT.model_copy(
        update={
            "windows": (wide,),
            "floor_percentile": 20.0,
            "channels": 1,
            "skull_percentile": None,
            "crop": "none",
            "fit": "stretch",
        }
    )
    units = np.full((SIZE, SIZE), 500, np.int16)
    units[: SIZE // 2] = -600
    assert prepare(slice_of(units), spec).image[0, 0] == 0
    assert prepare(slice_of(units), spec.model_copy(update={"floor_percentile": None})).image[0, 0]


def test_the_letterbox_keeps_the_aspect():
    image = prepare(slice_of(head(radii=(50, 25))), CT).image
    columns = np.flatnonzero(image.max(axis=0))
    assert (columns[-1] - columns[0] + 1) / SIZE == pytest.approx(0.5, abs=0.06)


def test_a_slice_without_units_is_black_and_the_reason_says_why():
    grey = Slice(np.full((80, 80), 200, np.uint8), "raster")
    assert prepare(grey, CT).image.max() == 0
    assert unfit(grey, CT, "CT") == (Reason.NO_HOUNSFIELD_UNITS,)


@pytest.mark.parametrize(
    ("piece", "spec", "model", "reasons"),
    [
        (Slice(np.zeros((9, 9), np.float32), "dicom", modality="MR"), CT, "CT", "other_modality"),
        (slice_of(head()), MR, "MR", "other_modality"),
        (slice_of(head()), CT, "CT", None),
        (Slice(np.zeros((9, 9), np.float32), "dicom", modality="MR"), MR, "MR", None),
        (Slice(np.zeros((9, 9), np.uint8), "raster"), MR, "MR", None),
        (Slice(np.zeros((9, 9), np.uint8), "dicom", modality="OT"), MR, "MR", None),
        (slice_of(head()), MR, "OT", None),
    ],
)
def test_ct_and_mr_are_told_apart_where_the_file_says_what_it_is(piece, spec, model, reasons):
    assert unfit(piece, spec, model) == (() if reasons is None else (Reason(reasons),))


def test_a_spec_without_units_is_written_as_it_always_was():
    assert {"windows", "skull_percentile", "floor_percentile"}.isdisjoint(MR.model_dump())
    assert "windows" not in MR.model_dump_json()
    for spec in (CT, THREE, MR):
        assert PreprocessSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"windows": []}, "needs a window"),
        ({"window": "percentile"}, "go with 'hu' alone"),
        ({"windows": [BRAIN.model_dump(), BONE.model_dump()]}, "one window, or one a channel"),
        ({"skull_percentile": None}, "'skull' needs a percentile"),
        ({"crop": "head"}, "'skull' needs a percentile"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        PreprocessSpec.model_validate(CT.model_dump() | changes)


def test_windows_overlap_in_the_order_of_their_edges():
    """What is read off the byte rises with the units wherever a window looks."""
    units = np.arange(-500, 1501, 10, dtype=np.int16)[None]
    shades = picture(units, THREE.windows)[0].tolist()
    assert all(low <= high for low, high in pairwise(shades))
