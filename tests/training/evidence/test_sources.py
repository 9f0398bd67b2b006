"""Which images of several sources a recipe learns from, divides and leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.sources.layouts import tiff
from training.dataset.splits import side
from training.evidence.joined import join
from training.recipe import RecipeError, load
from training.records import Records
from training.sources import patients, pixel_hash
from training.sources.phantom import draw, phantom_records
from training.sources.phantom_heads import make_head

PHANTOM = ("data.patients=8",)
LGG = "TCGA_AA_{}_20000101"


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Three patients in the layout of LGG; the first two are heads of the phantom as well."""
    root = tmp_path_factory.mktemp("lgg")
    for patient, index in enumerate((0, 2, 50)):
        head = make_head(index, 0)
        found = draw(head, head.levels[0])
        plane = found.pixels.astype(np.uint8)
        name = LGG.format(patient)
        planes = np.stack([plane // 2, plane, np.maximum(plane, 3)], axis=-1)
        tiff(root / "kaggle_3m" / name / f"{name}_1.tif", planes)
        mask = np.where(found.mask, 255, 0).astype(np.uint8)
        tiff(root / "kaggle_3m" / name / f"{name}_1_mask.tif", mask)
    return {"lgg": root}


def records(places, *overrides):
    found = Records(load("phantom", (*PHANTOM, *overrides)), places)
    return Records(found.recipe, places, joined=join(found.of_all_sources()))


def of(found, source):
    return [one for one in found if one.source == source]


def test_a_divided_source_takes_the_groups_of_the_heads_it_shares(places):
    found = records(places, "data.also=[{source: lgg}]")
    images = of(found.learnt(), "lgg")
    assert {one.group for one in images} == {"patient-0000", "patient-0002", f"lgg-{LGG.format(2)}"}
    assert {one.label for one in images} == {"glioma", "notumor"}
    assert {one.sequence for one in images} == {"T1", "FLAIR", "T1C"}
    assert all(one.mask for one in images)
    assert len(of(found.learnt(), "phantom")) == len(list(phantom_records(8, 0)))


@pytest.mark.parametrize(
    "key", ["data.also=[{source: lgg, role: train}]", "data.finding_only=[lgg]"]
)
@pytest.mark.parametrize("seed", [0, 1, 2, 5])
def test_what_is_learnt_beside_the_splits_shares_no_head_with_one_outside_training(
    places, key, seed
):
    found = records(places, key, f"data.split_seed={seed}")
    data = found.recipe.data
    kept = {one.group for one in (*found.also(), *found.finding_only())}
    shared = {"patient-0000", "patient-0002"}
    training = {group for group in shared if side(group, data.shares, seed) == "train"}
    assert kept == {f"lgg-{LGG.format(2)}", *training}
    assert not of(found.learnt(), "lgg")


def test_a_left_out_source_loses_what_is_learnt_from_and_takes_nothing_away(places):
    found = records(places, "data.left_out=[{source: lgg}]")
    assert {one.group for one in found.left_out("lgg")} == {f"lgg-{LGG.format(2)}"}
    assert len(list(found.learnt())) == len(list(phantom_records(8, 0)))


def test_every_source_keeps_the_role_that_the_recipe_gives_it(places):
    named = ("data.finding_only=[br35h]", "data.also=[{source: lgg}]")
    recipe = load("phantom", (*PHANTOM, *named, "data.left_out=[{source: navoneel}]"))

    class Nowhere(Records):
        def _stream(self, name):
            return iter([next(phantom_records(1, 0))])

    found = Nowhere(recipe).of_all_sources()
    assert [next(source)[1] for source in found] == ["divided", "train", "divided", "left_out"]


def test_a_divided_source_without_classes_is_refused(places):
    root = places["lgg"].parent / "navoneel"
    for name in ("yes", "no"):
        (root / "brain_tumor_dataset" / name).mkdir(parents=True, exist_ok=True)
        first = next(phantom_records(1, 0))
        (root / "brain_tumor_dataset" / name / "1.png").write_bytes(first.image)
    wanted = load("phantom", (*PHANTOM, "data.also=[{source: navoneel}]"))
    found = Records(wanted, {"navoneel": root})
    with pytest.raises(RecipeError, match=r"divides navoneel.*give it role train"):
        list(found.learnt())


def test_a_source_plays_one_part():
    with pytest.raises(RecipeError, match=r"\['lgg'\] are named more than once"):
        load("phantom", ("data.also=[{source: lgg}]", "data.left_out=[{source: lgg}]"))


def test_an_origin_without_a_patient_map_is_refused():
    found = Records(load("phantom", (*PHANTOM, "data.left_out=[{source: lgg, origin: x}]")))
    with pytest.raises(RecipeError, match="no patient map is shipped for phantom"):
        list(found.learnt())


def test_images_are_told_by_their_pixels_not_their_names(places):
    found = records(places, "data.also=[{source: lgg}]")
    hashes = {pixel_hash(one.image) for one in of(found.learnt(), "lgg")}
    assert len(hashes) == 9


def test_an_image_that_was_taken_over_is_of_the_source_that_it_first_came_from():
    known = patients.read("masoudnickparvar_patients.csv")
    by_origin = {known.by_pixels[of].origin: path for path, of in known.by_path.items()}
    found = Records(load("mri_tumor_4class", ("data.root=.",)))
    assert found.origin("masoudnickparvar", by_origin["br35h"]) == "br35h"
    assert found.origin("masoudnickparvar", by_origin["cheng"]) == "masoudnickparvar"
    assert found.origin("lgg", by_origin["br35h"]) == "lgg"
    alone = Records(load("mri_tumor_4class", ("data.root=.", "data.finding_only=[]")))
    assert alone.origin("masoudnickparvar", by_origin["br35h"]) == "masoudnickparvar"
    assert Records(load("phantom", PHANTOM)).origin("phantom", "a.png") == "phantom"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("policy.chosen_on=folds",), "crossval makes none by group"),
        (("policy.chosen_on=folds", "crossval.by=[image]"), "crossval makes none by group"),
        (("crossval={sources: [lgg]}",), r"names \['lgg'\]: learnt from are \['phantom'\]"),
        (
            ("crossval={sources: [lgg]}", "data.left_out=[{source: lgg}]"),
            r"names \['lgg'\]: learnt from are \['phantom'\]",
        ),
    ],
)
def test_folds_and_sources_that_do_not_go_together_are_refused(overrides, message):
    with pytest.raises(RecipeError, match=message):
        load("phantom", overrides)
