"""Every file becomes a row that says nothing of the patient, and every fault is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydicom import dcmread

from hub_model.reading import read_bytes
from tests.training.sources.layouts import put
from training.audit.model import Severity
from training.features.checks import Checks, check
from training.features.one_file import EDGES, SCHEMA, histogram
from training.features.picture import draw
from training.features.table import of_folder, write
from training.recipe import load
from training.sources.ct_match import match
from training.sources.layout import LabelFile, Meaning
from training.sources.phantom_ct import CSV, write_folder
from training.sources.table import SOURCES

SPEC = load("ct_binary").preprocess
CT = replace(
    SOURCES["ct"],
    detail=LabelFile(CSV, classes={"0": Meaning(None, "none"), "1": Meaning(None, "finding")}),
)


@pytest.fixture
def folder(tmp_path):
    """Six slices of two drawn patients, two of them without padding."""
    write_folder(tmp_path, 2, seed=3, side=48, every=2)
    return tmp_path


def rows_of(folder, **options):
    return of_folder(match(CT, folder), "ct", SPEC, progress=False, **options)


def checked(folder) -> Checks:
    return check("ct", match(CT, folder), rows_of(folder))


def found(folder) -> dict[str, tuple[Severity, int]]:
    """Code of every finding to its severity and count."""
    return {
        one.code: (one.severity, next(iter(one.counts.values())))
        for one in checked(folder).findings
    }


def changed(file, **values):
    """The file again with other elements; None removes one."""
    dataset = dcmread(file)
    for keyword, value in values.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(file)


def test_a_row_holds_what_the_header_and_the_units_say(folder):
    rows = rows_of(folder)
    files = sorted(folder.glob("*.dcm"))
    assert [row["id"] for row in rows] == [file.stem for file in files]
    for row, file in zip(rows, files, strict=True):
        assert set(row) == set(SCHEMA.names)
        units = read_bytes(file.read_bytes()).slices[0].hounsfield
        seen = units[units >= -1024]
        assert row["hu_mean"] == pytest.approx(seen.mean())
        assert row["hu_p50"] == pytest.approx(np.median(seen))
        assert row["seen"] == pytest.approx(seen.size / units.size)
        assert sum(row["histogram"]) == seen.size
        assert row["bone"] == pytest.approx((seen > 300).mean())
        top, bottom, left, right = row["box"]
        assert row["box_share"] == pytest.approx((bottom - top) * (right - left) / units.size)
        assert (row["rows"], row["modality"], row["slope"]) == (48, "CT", 1.0)
    assert sorted({row["label"] for row in rows}) == ["0", "1"]


def test_no_unit_is_lost_from_a_histogram():
    counts = histogram(np.array([-1024, -1009, -1008, 0, 3071, 32767], np.int16))
    assert counts.sum() == 6
    assert (counts[0], counts[1], counts[-1]) == (2, 1, 2)
    assert counts[np.searchsorted(EDGES, 0)] == 1


def test_nothing_of_a_patient_gets_into_table_or_checks(folder):
    secrets = ("DOE^JANE", "19700101", "MRN-4711", "12.34.56.78", "ACC-99", "HOSPITAL", "DR^WHO")
    name, born, patient, study, accession, hospital, doctor = secrets
    for file in folder.glob("*.dcm"):
        changed(
            file, PatientName=name, PatientBirthDate=born, PatientID=patient,
            StudyInstanceUID=study, AccessionNumber=accession, InstitutionName=hospital,
            ReferringPhysicianName=doctor, StudyDescription=hospital, StationName=hospital,
            DeviceSerialNumber=accession, PatientComments=name,
        )  # fmt: skip
    rows = rows_of(folder)
    told = check("ct", match(CT, folder), rows).model_dump_json()
    assert {one.code for one in checked(folder).findings} == {"names_somebody"}
    assert len({row["group"] for row in rows}) == 1
    for secret in secrets:
        assert secret not in told
        assert not [row["id"] for row in rows if secret in str(row.values())]


def test_processes_give_the_same_rows_and_the_same_bytes(folder, tmp_path):
    one, two = rows_of(folder, workers=1), rows_of(folder, workers=2)
    for name, rows in (("one", one), ("two", two)):
        write(tmp_path / f"{name}.parquet", rows)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert pq.read_table(tmp_path / "one.parquet").to_pylist() == one


def test_a_sound_folder_is_counted_and_nothing_is_found(folder):
    told = checked(folder)
    assert (told.files, told.labelled, told.labels, told.groups) == (6, 6, {"0": 5, "1": 1}, 2)
    assert told.imbalance == 5
    assert told.findings == ()
    assert told.spreads["rows"].most == 48
    assert told.codes["modality"] == {"CT": 6}


def test_what_is_left_out_is_a_warning_with_its_count(folder):
    a, b, c, d, *_ = sorted(folder.glob("*.dcm"))
    a.write_bytes(b"no picture at all")
    changed(b, RescaleSlope=None)
    changed(c, Modality="MR")
    changed(d, PatientID=None, StudyInstanceUID=None)
    lines = (folder / CSV).read_text().splitlines()
    put(folder / CSV, "\n".join([*lines[:-1], lines[1], "gone,1", ",0", ""]))
    warning = Severity.WARNING
    assert found(folder) == {
        "repeated_rows": (warning, 1),
        "rows_without_id_or_label": (warning, 1),
        "ids_without_file": (warning, 1),
        "files_without_id": (warning, 1),
        "unreadable": (warning, 1),
        "ct_without_rescale": (warning, 1),
        "not_ct": (warning, 1),
        "without_patient": (Severity.INFO, 1),
    }


def test_what_all_files_lack_is_an_error(folder):
    for file in folder.glob("*.dcm"):
        changed(file, RescaleIntercept=None)
    assert found(folder) == {"ct_without_rescale": (Severity.ERROR, 6)}


def test_units_that_no_head_has_are_pointed_at(folder):
    first = min(folder.glob("*.dcm"))
    stored = dcmread(first).pixel_array
    changed(first, PixelData=np.full_like(stored, 1000).tobytes())
    assert {"without_bone", "crop_not_found"} <= set(found(folder))


@pytest.mark.parametrize(
    ("csv", "code", "count"),
    [
        ("id,Class\nct-patient-0000-0,1\n", "missing_column", 1),
        ("id,Label\nct-patient-0000-0,1\nct-patient-0000-0,0\n", "two_labels_of_an_id", 1),
        ("id,Label\nct-patient-0000-0,7\n", "unknown_label", 1),
        ("id,Label\nelsewhere,1\n", "nothing_labelled", 6),
        (None, "no_table", 0),
    ],
)
def test_a_folder_that_cannot_be_read_is_an_error_that_says_why(folder, csv, code, count):
    (folder / CSV).unlink()
    if csv is not None:
        put(folder / CSV, csv)
    assert found(folder)[code] == (Severity.ERROR, count)


def test_two_files_of_one_id_are_an_error(folder):
    first = min(folder.glob("*.dcm"))
    put(folder / "again" / first.name, first.read_bytes())
    assert found(folder)["several_files_of_an_id"] == (Severity.ERROR, 1)


def test_the_picture_has_a_line_for_every_label(folder):
    draw(folder / "histograms.svg", rows_of(folder), phantom=True)
    drawn = (folder / "histograms.svg").read_text()
    assert "label 0, 5 files" in drawn
    assert "label 1, 1 files" in drawn
