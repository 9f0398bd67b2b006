"""A network that never met a source learnt nothing from it, nor from copies of it lgg."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from hub_model.errors import UsageError
from tests.training.learning.tiny import images, recipe
from training import network_config
from training.learning import by_source
from training.learning.trained import WEIGHTS

RECIPE = recipe(
    "train.head.epochs=0", "data.also=[{source: lgg}]", "crossval={folds: 3, sources: [lgg]}"
)


def two_sources(n):
    """Every fourth group is of another source; of the first of them one image came home as well."""
    data = images(n)
    groups = np.array([f"g{row // 2}" for row in range(n)])
    sources = np.where(np.arange(n) // 2 % 4 == 0, "lgg", "home")
    sources[1] = "home"  # its group shows the other source
    return replace(data, groups=groups, sources=sources)


def run(data, folder, effective=RECIPE):
    config = network_config.model_config(effective)
    by_source.run(effective, config, data, replace(images(12, seed=1), sources=None), folder)
    return load_file(folder / "lgg" / WEIGHTS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("by_source")
    return folder, run(two_sources(48), folder)


def test_what_is_judged_and_what_is_learnt_share_no_group():
    data = two_sources(48)
    judged, learnt = by_source.judged(data, "lgg"), by_source.without(data, "lgg")
    assert judged.sum() == 11
    assert not set(data.groups[judged]) & set(data.groups[learnt])
    assert not learnt[1]
    assert learnt.sum() == 48 - 12


def test_other_pixels_in_the_source_and_its_copies_change_no_weight(finished, tmp_path):
    data = two_sources(48)
    hidden = ~by_source.without(data, "lgg")
    other = data.images.copy()
    other[hidden] = 255 - other[hidden]
    found = run(replace(data, images=other), tmp_path)
    assert all(np.array_equal(found[name], value) for name, value in finished[1].items())
    shown = data.images.copy()
    shown[~hidden] = 255 - shown[~hidden]
    changed = run(replace(data, images=shown), tmp_path / "shown")
    assert any(not np.array_equal(changed[name], value) for name, value in finished[1].items())


def test_a_whole_network_is_not_made_again_and_one_of_other_images_is_refused(finished):
    folder, _ = finished
    file = folder / "lgg" / WEIGHTS
    before = file.stat().st_mtime_ns
    run(two_sources(48), folder)
    assert file.stat().st_mtime_ns == before
    with pytest.raises(UsageError, match="lgg belongs to a training with other images"):
        run(two_sources(40), folder)


def test_a_source_that_no_image_is_of_is_refused_with_those_that_are_there(tmp_path):
    data = two_sources(48)
    renamed = replace(data, sources=np.where(data.sources == "home", "home", "abroad"))
    with pytest.raises(UsageError, match="no image is of it: they are of abroad, home"):
        run(renamed, tmp_path)
    with pytest.raises(UsageError, match="do not say what source they are of"):
        run(replace(data, sources=None), tmp_path)
