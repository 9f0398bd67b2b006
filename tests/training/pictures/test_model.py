"""The files beside the pictures come back as they were written, or are refused."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from hub_model.errors import UsageError
from training.pictures.model import CurvesFile, ExamplesFile, GalleryFile, read_json

FILES = (
    ("curves.json", CurvesFile),
    ("gallery/gallery.json", GalleryFile),
    ("examples/examples.json", ExamplesFile),
)


@pytest.mark.parametrize(("name", "model"), FILES)
def test_a_file_is_read_as_it_was_written(drawn, name, model):
    found = read_json(model, drawn / name)
    assert json.loads(found.model_dump_json()) == json.loads((drawn / name).read_text())


@pytest.mark.parametrize(("name", "model"), FILES)
def test_a_key_that_is_not_known_is_refused_by_name(tmp_path, drawn, name, model):
    changed = json.loads((drawn / name).read_text()) | {"surprise": 1}
    path = tmp_path / "x.json"
    path.write_text(json.dumps(changed))
    with pytest.raises(UsageError, match=r"x\.json does not read, surprise"):
        read_json(model, path)


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        ("model, draw", "torch datasets sklearn scipy"),
        ("curves, fold_curves", "torch datasets"),
    ],
)
def test_curves_are_taken_and_drawn_without_heavy_libraries(modules, unwanted):
    code = f"from training.pictures import {modules}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(unwanted.split()) & set(done.stdout.split())
