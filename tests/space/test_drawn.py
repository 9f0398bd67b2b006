"""The drawings that the page offers: what phantoms draw, small, and judged as uploads are.

`NEUROGUARD_DRAWINGS=1 pytest tests/space/test_drawn.py` renews them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hub_model.reading import read_bytes
from space import drawn, pinned
from tests.space.conftest import SEED
from training.sources.phantom import draw
from training.sources.phantom_heads import make_head
from training.sources.phantom_strangers import strangers
from training.sources.phantom_texture import as_jpeg

QUALITY = 85
MAX_BYTES = 20_000


def drawings() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    head = make_head(1, SEED, "meningioma")
    yield "head", draw(head, head.mass.level).pixels
    (knee,) = list(strangers("knee", 1, SEED))[:1]
    yield "knee", read_bytes(knee.image).slices[0].pixels.round().astype(np.uint8)


def test_they_are_what_phantoms_draw_and_small() -> None:
    for name, pixels in drawings():
        path = drawn.FOLDER / f"{name}.jpg"
        if os.environ.get("NEUROGUARD_DRAWINGS"):
            path.write_bytes(as_jpeg(pixels, QUALITY))
        found = read_bytes(path.read_bytes()).slices[0].pixels

        assert path.stat().st_size < MAX_BYTES
        assert np.abs(found - pixels.astype(np.float32)).mean() < 8
    assert {path.stem for path in drawn.FOLDER.iterdir()} == drawn.NAMES.keys()


def test_a_copy_is_given_away_and_the_drawing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in drawn.NAMES:
        copy = Path(drawn.copy_of(name))
        assert copy.parent == tmp_path
        copy.unlink()
        assert (drawn.FOLDER / f"{name}.jpg").is_file()


def test_they_go_with_a_staged_space(tmp_path: Path) -> None:
    folder = pinned.stage(tmp_path / "space", "alice/model", "0" * 40, ["config.json"])
    assert {path.stem for path in (folder / "space/drawings").iterdir()} == drawn.NAMES.keys()
