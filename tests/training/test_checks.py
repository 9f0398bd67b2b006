"""Every fault that a dataset can have is named with its count; a sound one is gone on with."""

from __future__ import annotations

import threading

import datasets
import numpy as np
import pytest

from hub_model.contract import FindingSpec
from training import dataset, image_checks
from training.audit.model import Finding, Severity
from training.checks import ChecksFailed, Validation, examine, refuse
from training.inputs import UNKNOWN
from training.recipe import ChecksSpec
from training.sources import NO_FINDING, Record, pixel_hash
from training.sources.phantom_texture import as_jpeg, as_png

LABELS = ("glioma", "free")
LIMITS = ChecksSpec(min_bytes=150)
FINDING = FindingSpec(name="tumor", none_labels=("free",))


def picture(seed: int, side: int = 40, spread: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, spread, (side, side)).astype(np.uint8)


def row(number: int, **changes) -> dict:
    """An image of its own; `pixels` or `data` replaces what is in it."""
    label = number % 2
    pixels = changes.pop("pixels", picture(number))
    data = changes.pop("data", None) or as_png(pixels)
    return {
        "image": {"bytes": data, "path": None},
        "label": label,
        "finding": NO_FINDING if label else "tumor",
        "group": f"g{number}",
        "sha256": pixel_hash(as_png(pixels)),
        "source": "drawn",
        "path": f"{LABELS[label]}/{number}.png",
        "official_split": None,
    } | changes


def examined(*rows, limits=LIMITS, test=(), **options) -> Validation:
    """The report on these rows after two plain ones of the split "train", and those of "test"."""
    columns = dataset.features(LABELS)
    plain = [row(number) for number in (900, 901)]
    splits = {"train": [*plain, *rows], "test": [row(910), row(911), *test]}
    built = datasets.DatasetDict(
        {
            name: datasets.Dataset.from_list(
                [dict.fromkeys(columns) | one | {"split": name} for one in found], features=columns
            )
            for name, found in splits.items()
        }
    )
    return examine(built, limits, FINDING, progress=False, **options)


def found(*rows, **options) -> dict[str, Finding]:
    """Findings by code, the class counts left out."""
    findings = examined(*rows, **options).findings
    return {one.code: one for one in findings if one.code != "class_balance"}


def test_a_sound_dataset_has_nothing_but_its_counts():
    report = examined(row(0), row(1), row(2))
    assert [one.code for one in report.findings] == ["class_balance"]
    assert report.findings[0].counts == {"glioma": 4, "free": 3}
    assert "1.3 times as many" in report.findings[0].found
    assert report.classes == {
        "train": {"glioma": 3, "free": 2}, "test": {"glioma": 1, "free": 1}
    }  # fmt: skip
    assert report.images == 7
    refuse(report, "error")
    refuse(report, "warning")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (as_png(picture(5))[:300], "unreadable"),
        (as_png(np.repeat(np.uint8([[0, 255]]), 40, 0).repeat(20, 1)), "too_few_bytes"),
        (as_png(picture(5, side=31)), "too_small"),
        (as_jpeg(np.full((40, 40), 7, np.uint8), 90), "constant"),
        (as_png(picture(5, spread=10)), "low_contrast"),
    ],
)
def test_each_fault_of_an_image_is_an_error_that_names_it_and_no_other(data, code):
    faults = found(row(0), row(5, data=data))
    assert list(faults) == [code]
    (fault,) = faults.values()
    assert fault.severity is Severity.ERROR
    assert fault.counts == {"images": 1}
    (example,) = fault.examples
    assert example.removesuffix(" (bad_raster)") == "drawn/free/5.png"
    assert fault.found.startswith("1 of 6 images ")
    assert fault.found.endswith(" (1 in train).")


def test_limits_are_those_of_the_recipe():
    rows = (row(0), row(1))
    assert found(*rows, limits=ChecksSpec(min_bytes=0, min_side=1, min_contrast=0)) == {}
    strict = found(*rows, limits=ChecksSpec(min_bytes=10**6, min_side=41, min_contrast=0.4))
    assert list(strict) == ["too_few_bytes", "too_small", "low_contrast"]
    assert "1000000 bytes" in strict["too_few_bytes"].found
    assert "less than 41 pixels" in strict["too_small"].found
    assert "less than 40.0% of the range" in strict["low_contrast"].found


def test_no_more_than_five_examples_are_named_and_all_are_counted():
    small = [row(number, pixels=picture(number, side=20)) for number in range(8)]
    fault = found(*small)["too_small"]
    assert (fault.counts, len(fault.examples)) == ({"images": 8}, 5)


def test_images_of_more_than_eight_bits_are_judged_by_their_own_range():
    deep = as_png(picture(3).astype(np.uint16) * 20)
    assert image_checks.look(deep).contrast == pytest.approx(0.29, abs=0.02)
    flat = as_png(np.full((40, 40), 3000, np.uint16))
    assert image_checks.look(flat).contrast == 0


def test_a_copy_in_the_same_split_is_a_warning_and_in_another_an_error():
    twin = row(0, group="other", path="glioma/copy.png")
    inside = found(row(0), twin)
    assert list(inside) == ["identical_within_split"]
    assert inside["identical_within_split"].severity is Severity.WARNING
    assert inside["identical_within_split"].counts == {"images": 2}
    across = found(row(0), test=[twin])
    assert list(across) == ["identical_across_splits"]
    assert across["identical_across_splits"].severity is Severity.ERROR
    assert across["identical_across_splits"].examples == (
        "drawn/glioma/0.png = drawn/glioma/copy.png",
    )
    asked_for = found(row(0), test=[twin], leaky=True)
    assert asked_for["identical_across_splits"].severity is Severity.WARNING


@pytest.mark.parametrize(
    "changes",
    [
        {"label": 1, "finding": NO_FINDING},
        {"label": 1, "finding": None},
        {"label": UNKNOWN, "finding": NO_FINDING},
    ],
)
def test_equal_pixels_with_two_labels_or_findings_are_an_error(changes):
    conflict = found(row(0), row(0, **changes))["identical_labelled_differently"]
    assert conflict.severity is Severity.ERROR
    assert conflict.counts == {"pairs": 1}


def test_an_unstated_label_contradicts_nothing():
    untyped = row(0, label=UNKNOWN)
    assert list(found(row(0), untyped)) == ["identical_within_split"]
    assert examined(untyped).classes["train"] == {"glioma": 1, "free": 1, "": 1}


@pytest.mark.parametrize(
    ("label", "finding", "contradicts"),
    [
        (0, "tumor", False), (0, NO_FINDING, True), (0, "stroke", True), (0, None, False),
        (1, NO_FINDING, False), (1, "tumor", True), (UNKNOWN, "tumor", False),
    ],
)  # fmt: skip
def test_a_label_and_its_finding_have_to_agree(label, finding, contradicts):
    faults = found(row(0, label=label, finding=finding))
    assert list(faults) == (["label_against_finding"] if contradicts else [])
    if contradicts:
        fault = faults["label_against_finding"]
        assert fault.severity is Severity.ERROR
        assert f"1 {LABELS[label]} with finding {finding}." in fault.found


def test_a_class_that_a_split_lacks_is_an_error_that_names_both():
    columns = dataset.features(LABELS)
    lacking = datasets.DatasetDict(
        train=datasets.Dataset.from_list(
            [dict.fromkeys(columns) | row(0) | {"split": "train"}], features=columns
        )
    )
    report = examine(lacking, LIMITS, FINDING, progress=False)
    fault, balance = report.findings
    assert (fault.code, fault.severity, fault.counts) == (
        "missing_class", Severity.ERROR, {"classes": 1}
    )  # fmt: skip
    assert "free in train." in fault.found
    assert "times" not in balance.found


def test_a_refusal_says_which_checks_failed_and_how_often():
    report = examined(row(0), row(0, path="glioma/copy.png"), row(3, pixels=picture(3, side=20)))
    with pytest.raises(ChecksFailed) as refused:
        refuse(report, "error")
    assert refused.value.exit_code == 3
    assert "too_small (error, 1)" in str(refused.value)
    assert "identical" not in str(refused.value)
    with pytest.raises(ChecksFailed, match=r"dataset of 7 images fails .*identical_within_split"):
        refuse(report, "warning")
    refuse(report, "never")
    for name in ("drawn", ".png"):
        assert name not in str(refused.value)  # the report names images, a refusal never does


def test_the_worst_comes_first_and_the_report_survives_its_json():
    report = examined(row(0), row(0, label=1), row(3, pixels=picture(3, side=20)))
    ranks = [one.severity.rank for one in report.findings]
    assert ranks == sorted(ranks, reverse=True)
    assert Validation.model_validate_json(report.model_dump_json()) == report


def test_images_are_read_by_other_threads_a_chunk_at_a_time(monkeypatch):
    asked: list[int] = []
    names: set[str] = set()

    class Images:
        """Four chunks of images, as a Dataset gives them."""

        def __len__(self):
            return 4 * image_checks.CHUNK

        def iter(self, size):
            for _ in range(0, len(self), size):
                asked.append(size)
                yield {"image": [{"bytes": b"x"}] * size}

    def look(data):
        names.add(threading.current_thread().name)
        return image_checks.Look(len(data))

    monkeypatch.setattr(image_checks, "look", look)
    assert len(image_checks.look_at(Images(), progress=False)) == 4 * image_checks.CHUNK
    assert asked == [image_checks.CHUNK] * 4
    assert threading.main_thread().name not in names


def test_a_built_dataset_is_examined_as_it_is_loaded(tmp_path):
    records = [
        Record(
            as_png(picture(n)), LABELS[n % 2], ("tumor", NO_FINDING)[n % 2], f"g{n}", "drawn",
            f"{n}.png",
        )
        for n in range(30)
    ]  # fmt: skip
    shares = {"train": 0.5, "test": 0.5}
    out = tmp_path / "dataset"
    dataset.build(records, label_names=LABELS, shares=shares, seed=0, out=out, progress=False)
    report = examine(dataset.load(out), LIMITS, FINDING, progress=False)
    assert report.images == 30
    assert [one.code for one in report.findings] == ["class_balance"]
