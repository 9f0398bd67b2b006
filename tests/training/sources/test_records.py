"""What every record rests on: the hash of pixels, and a build that lists what does not decode."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hub_model.errors import InputRejected, UsageError
from tests.training.sources.layouts import png, put
from training.dataset import build
from training.sources import pixel_hash
from training.sources.phantom_strangers import KINDS, strangers
from training.sources.stream import stream


def test_pixel_hash_tells_pixels_shape_and_depth_apart_but_not_encodings():
    grey = Image.fromarray(np.arange(8, dtype=np.uint8).reshape(2, 4))

    def file(image: Image.Image, kind: str, **options) -> bytes:
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    assert pixel_hash(file(grey, "PNG")) == pixel_hash(file(grey, "BMP"))
    turned = grey.transpose(Image.Transpose.TRANSPOSE)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16))
    assert pixel_hash(file(turned, "PNG")) != pixel_hash(file(grey, "PNG"))
    assert pixel_hash(file(deep, "PNG")) != pixel_hash(file(grey, "PNG"))
    assert pixel_hash(file(grey.convert("RGB"), "PNG")) == pixel_hash(file(grey, "PNG"))
    with pytest.raises(InputRejected):
        pixel_hash(b"no image at")


def test_a_torn_file_reaches_the_build_which_lists_it(tmp_path):
    put(tmp_path / "in" / "yes" / "torn.png", png(5)[:40])
    put(tmp_path / "in" / "yes" / "whole.png", png(5))
    put(tmp_path / "in" / "no" / "whole.png", png(6))
    found = stream("br35h_halves", folder=tmp_path / "in")
    report = build(
        (replace(record, label=record.finding) for record in found),
        label_names=["none", "tumor"],
        shares={"train": 1.0},
        seed=0,
        out=tmp_path / "built",
        progress=False,
    )
    assert report.unreadable == ("br35h_halves/yes/torn.png (bad_raster)",)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_strangers_are_drawn_again_from_their_seed_and_claim_nothing(kind):
    first = list(strangers(kind, 4, seed=2))
    assert [r.image for r in strangers(kind, 3, seed=2)] == [r.image for r in first[:3]]
    assert len({pixel_hash(r.image) for r in first}) == 4
    assert {(r.label, r.finding, r.source) for r in first} == {(None, None, f"phantom-{kind}")}


def test_strangers_of_an_unknown_kind_are_refused():
    with pytest.raises(UsageError, match=r"choose from .*'body', 'knee', 'noise', 'screenshot'"):
        next(strangers("cat", 1, seed=0))
