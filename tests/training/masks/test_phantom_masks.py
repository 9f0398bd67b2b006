"""The whole line with masks on drawn heads: from drawings to a bundle that outlines new ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hub_model import GuardedClassifier, contract
from hub_model.case import Case
from hub_model.contract import MetricsFile
from hub_model.preprocess import prepare
from tests.conftest import SMALL_PHANTOM
from training import pipeline, preparing, recipe
from training.inputs import HALF
from training.sources.files import mask_png
from training.sources.phantom import draw
from training.sources.phantom_heads import FREE, make_head
from training.sources.phantom_strangers import strangers
from training.sources.phantom_texture import as_png

pytestmark = pytest.mark.slow
SEED = 4321  # of patients that no training has drawn
WITH_MASKS = (
    *SMALL_PHANTOM,
    "preprocess.size=64",
    "model.decoder={kind: unet, channels: [32, 16, 16, 8, 8]}",
    "train.masks={warmup: {epochs: 2, lr: 4.0e-3}}",
)


@pytest.fixture(scope="module")
def bundle(request, tmp_path_factory):
    """That of a run of the phantom with masks; kept beside the phantom's own where that is."""
    kept: Path | None = request.config.getoption("--phantom-run")
    folder = tmp_path_factory.mktemp("runs") / "phantom"
    folder = folder if kept is None else kept.with_name(f"{kept.name}-masks")
    pipeline.run(recipe.load("phantom", WITH_MASKS), folder, pipeline.Wish(skip=("audit",)))
    return folder / "export" / "bundle"


@pytest.fixture(scope="module")
def classifier(bundle):
    return GuardedClassifier.from_folder(bundle)


def patients(n):
    """Label, slice and true mask `(H, W)` of new patients, one slice each."""
    for index in range(n):
        head = make_head(index, SEED)
        drawing = draw(head, head.levels[1])
        image = as_png(drawing.pixels.astype(np.uint8))
        yield head.label, preparing.slice_of(image), drawing.mask


def test_masks_of_new_patients_lie_where_their_masses_were_drawn(classifier):
    ours = classifier.bundle.config.neuroguard
    dice, shown = [], 0
    for label, piece, mask in patients(32):
        found = classifier.explain(Case((piece,)))
        assert bool(found.masks) == (found.decision.finding == "tumor")
        if not found.masks:
            continue
        shown += 1
        ready = prepare(piece, ours.preprocess)
        placed = preparing.placed_mask(mask_png(mask), ready, ours.preprocess)
        true = np.zeros(ready.image.shape, bool) if placed is None else placed >= HALF
        drawn = found.masks[0].probability >= ours.masks.threshold
        dice.append(0 if label == FREE else 2 * (drawn & true).sum() / (drawn.sum() + true.sum()))
    assert shown >= 12
    assert np.mean(dice) > 0.6


def test_strangers_get_no_mask(classifier):
    for record in strangers("knee", 8, SEED):
        found = classifier.explain(Case((preparing.slice_of(record.image),)))
        assert found.decision.verdict.accepted or not found.masks


def test_the_run_says_how_well_masks_are_drawn_and_on_what_that_was_measured(bundle):
    metrics = MetricsFile.model_validate_json((bundle / contract.METRICS).read_bytes())
    figures = {k: v for k, v in metrics.figures.items() if k.startswith("masks.")}
    tumors = [f"masks.dice.{name}" for name in ("glioma", "meningioma", "pituitary")]
    wanted = {"masks.dice", "masks.iou", "masks.dice_by_group", "masks.false_positive", *tumors}
    wanted |= {"masks.hausdorff95", "masks.surface_dice"}  # drawn heads have a size in mm
    assert wanted | {f"{name}_as_served" for name in ("masks.dice", "masks.false_positive")} <= (
        figures.keys()
    )
    assert figures["masks.dice"].value > 0.6
    assert figures["masks.dice"].low <= figures["masks.dice"].value <= figures["masks.dice"].high
    served, whole = figures["masks.false_positive_as_served"], figures["masks.false_positive"]
    assert served.value <= whole.value
    assert figures["masks.dice"].sample.n_groups < metrics.figures["test.accuracy"].sample.n_groups


def test_the_threshold_was_chosen_on_groups_that_the_test_has_none_of(bundle, classifier):
    masks = classifier.bundle.config.neuroguard.masks
    assert masks.chosen_on.split == "threshold, by masks"
    assert 0 < masks.threshold < 1
    assert masks.chosen_on.n_groups > 5


def test_the_cleaning_was_chosen_on_the_same_groups_and_says_what_else_there_was(
    bundle, classifier
):
    masks = classifier.bundle.config.neuroguard.masks
    assert masks.cleaned_on.split == "threshold"
    assert masks.cleaned_on.n_groups >= masks.chosen_on.n_groups
    metrics = MetricsFile.model_validate_json((bundle / contract.METRICS).read_bytes())
    rows = metrics.tables["mask_cleaning"]
    (best,) = [row for row in rows if row["chosen"]]
    assert best["score"] == max(row["score"] for row in rows)
    assert (best["smallest_object"], best["fill_holes"]) == (
        masks.smallest_object, masks.fill_holes,
    )  # fmt: skip
