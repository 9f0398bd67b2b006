"""`segment` on a bundle with a decoder: masks of accepted findings, in every form, and no other."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from hub_model.contract import RESEARCH_ONLY
from hub_model.outputs.forms import FORM_TEXT, Form
from tests import masked_bundle
from tests.scripts.command import Command
from tests.untrained import write_untrained
from training.sources.phantom_files import write_dicom_series, write_nifti, write_raster
from training.sources.phantom_heads import make_head

SLICES = 3


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return masked_bundle.write(tmp_path_factory.mktemp("masked"), says="glioma", graphs=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One drawn head as each kind of file."""
    folder = tmp_path_factory.mktemp("cases")
    head = make_head(900, seed=0)
    write_raster(head, head.levels[0], folder / "slice.png")
    write_dicom_series(head, folder / "series", n_slices=SLICES)
    write_nifti(head, folder / "head.nii.gz", n_slices=SLICES)
    return {
        "png": folder / "slice.png",
        "dicom": folder / "series",
        "nifti": folder / "head.nii.gz",
    }


def every(*forms: str) -> list[str]:
    return [word for form in forms for word in ("--as", form)]


def test_a_series_gives_sizes_in_mm_and_every_form(
    command: Command, bundle: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    said = command(
        "segment", files["dicom"], "--model", bundle, "--out", tmp_path, *every(*Form), "--json"
    )  # fmt: skip
    found = json.loads(said.out)
    assert (said.code, found["verdict"], found["notice"]) == (0, "ACCEPT", RESEARCH_ONLY)
    names = {Path(name).name for name in found["files"]}
    assert names == {file.name for file in (tmp_path / "series").iterdir()}
    kinds = {name.partition("-")[0] for name in names if name.endswith(".png")}
    assert kinds == {"mask", "overlay", "uncertainty"}

    drawn = tmp_path / "series"
    pixels = sum((np.asarray(Image.open(f)) == 255).sum() for f in drawn.glob("mask-*.png"))
    volume = nibabel.load(drawn / "mask.nii.gz")
    array = np.asarray(volume.dataobj)
    assert array.sum() == pixels == found["measured"]["voxels"] > 0
    voxel = abs(np.linalg.det(volume.affine[:3, :3]))
    assert found["measured"]["mm3"] == pytest.approx(pixels * voxel, rel=1e-4)
    assert found["masked_slices"] == [int(f.stem[-3:]) for f in sorted(drawn.glob("mask-*.png"))]

    segmentation, report = (pydicom.dcmread(drawn / f"{n}.dcm") for n in ("segmentation", "report"))
    assert segmentation.pixel_array.sum() == pixels
    assert report.Modality == "SR"
    assert segmentation.SoftwareVersions == report.SoftwareVersions == found["revision"]


def test_doubt_is_told_for_class_and_masks_where_it_is_asked_for(
    command: Command, bundle: Path, files: dict[str, Path]
) -> None:
    plain = json.loads(command("segment", files["png"], "--model", bundle, "--json").out)
    asked = json.loads(
        command("segment", files["png"], "--model", bundle, "--json", "--uncertainty").out
    )
    assert plain["uncertainty"] is None
    doubt = asked["uncertainty"]
    assert doubt["looks"] == 2
    assert doubt["dropout"] is None  # no recipe says that it was trained with any
    assert doubt["class_information"] == pytest.approx(0, abs=1e-6)  # it says one class of all
    assert [one["index"] for one in doubt["slices"]] == asked["masked_slices"] == [0]
    assert 0 <= doubt["slices"][0]["information"] <= doubt["slices"][0]["entropy"] <= np.log(2)


def test_a_nifti_volume_gets_its_mask_in_its_own_array(
    command: Command, bundle: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    said = command(
        "segment", files["nifti"], "--model", bundle, "--out", tmp_path, *every("nifti")
    )  # fmt: skip
    assert said.code == 0
    source = nibabel.load(files["nifti"])
    found = nibabel.Nifti1Image.from_bytes(
        gzip.decompress((tmp_path / "head.nii.gz" / "mask.nii.gz").read_bytes())
    )
    assert found.shape == source.shape
    np.testing.assert_allclose(found.affine, source.affine, atol=1e-5)
    assert "mm3" in said.out


def test_a_picture_is_measured_in_pixels_and_says_why(
    command: Command, bundle: Path, files: dict[str, Path]
) -> None:
    said = command("segment", files["png"], "--model", bundle)
    assert "do not say where the slices lie" in said.out
    assert "mm3" not in said.out


def test_a_form_that_the_file_has_no_place_for_is_refused_by_name(
    command: Command, bundle: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    said = command(
        "segment", files["png"], "--model", bundle, "--out", tmp_path, *every("dicom-seg")
    )  # fmt: skip
    assert said.code == 3
    assert "[no_place]" in said.err
    assert list(tmp_path.iterdir()) == []


def test_an_abstention_has_neither_mask_nor_size_nor_doubt(
    command: Command, bundle: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    strict = masked_bundle.strict(bundle, tmp_path / "strict")
    said = command(
        "segment", files["dicom"], "--model", strict, "--json", "--out", tmp_path / "out",
        *every(*Form),
    )  # fmt: skip
    found = json.loads(said.out)
    assert found["verdict"] == "ABSTAIN_OOD"
    assert found["measured"] is found["uncertainty"] is found["label"] is None
    assert found["masked_slices"] == found["files"] == []
    assert not (tmp_path / "out").exists()


def test_a_bundle_without_a_decoder_is_an_error_that_says_so(
    command: Command, files: dict[str, Path], tmp_path: Path
) -> None:
    bundle = write_untrained(tmp_path / "bundle")
    said = command("segment", files["png"], "--model", bundle)
    assert said.code == 2
    assert "draws no masks, it has no decoder.safetensors" in said.err


@pytest.mark.parametrize(
    ("options", "said"),
    [(every("png"), "give --out"), (["--out", "x", *every("jpeg")], "'jpeg' is no form")],
)
def test_forms_that_cannot_be_written_are_refused(
    command: Command, files: dict[str, Path], options: list[str], said: str
) -> None:
    found = command("segment", files["png"], "--model", "anywhere", *options)
    assert found.code == 2
    assert said in found.err


def test_every_form_is_explained() -> None:
    assert FORM_TEXT.keys() == set(Form)


def test_of_several_series_the_masks_lie_on_the_one_that_was_chosen(
    command: Command, bundle: Path, tmp_path: Path
) -> None:
    sent = tmp_path / "sent"
    for patient, slices in ((1, 3), (2, 2)):
        write_dicom_series(make_head(patient, seed=0), sent / str(patient), n_slices=slices)
    asked = ("segment", sent, "--model", bundle, "--out", tmp_path / "out", "--as", "dicom-seg")
    said = command(*asked)
    assert (said.code, (tmp_path / "out").exists()) == (3, False)
    assert "--series 2" in said.err
    assert command(*asked, "--series", 2).code == 0
    drawn = pydicom.dcmread(tmp_path / "out" / "sent" / "segmentation.dcm")
    one = pydicom.dcmread(next((sent / "2").iterdir()))
    (series,) = drawn.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == one.SeriesInstanceUID
    assert len(series.ReferencedInstanceSequence) == 2
