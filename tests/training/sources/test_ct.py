"""DICOM files meet their labels by name; patients become pseudonyms, strangers are counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from hub_model.reading import read_bytes
from tests.training.sources.layouts import REAL, needs_real, put
from training.sources import NO_FINDING, SourceError
from training.sources.ct import read, survey
from training.sources.layout import LabelFile, Meaning
from training.sources.survey import Notes
from training.sources.table import SOURCES

CT = SOURCES["ct"]
STUDY = generate_uid(entropy_srcs=["study"])


def put_dicom(file, patient="", study="", **more):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[file.name])
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.Modality = "CT"
    dataset.PatientID, dataset.StudyInstanceUID = patient, study
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    dataset.Rows, dataset.Columns = 4, 5
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelData = np.arange(20, dtype=np.int16).tobytes()
    file.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(file, enforce_file_format=True)
    return file


@pytest.fixture
def tree(tmp_path):
    """Four files of two patients, one of them named by the study only."""
    put_dicom(tmp_path / "a.dcm", patient="P-1")
    put_dicom(tmp_path / "part 2" / "b.dcm", patient="P-1", study=STUDY)
    put_dicom(tmp_path / "c.dcm", study=STUDY)
    put_dicom(tmp_path / "d.DCM")
    put(tmp_path / "labels.csv", "ID,Label,note\na,1,\nb,0,x\nc,0,\nd,1,\n")
    return tmp_path


def test_files_come_whole_with_label_and_a_pseudonym_of_the_patient(tree):
    notes = Notes()
    records = list(read(CT, tree, notes))
    assert [(r.path, r.label, r.finding) for r in records] == [
        ("a.dcm", "1", None),
        ("c.dcm", "0", None),
        ("d.DCM", "1", None),
        ("part 2/b.dcm", "0", None),
    ]
    a, c, d, b = (r.group for r in records)
    assert a == b != c
    assert d is None
    assert "P-1" not in a
    assert records[0].image == (tree / "a.dcm").read_bytes()
    assert read_bytes(records[0].image).slices[0].pixels.shape == (4, 5)
    assert list(notes) == [
        "files of source ct by label: '0' 2, '1' 2; 1.0 to 1",
        "files of source ct without a patient or study, no group: 1, e.g. d.DCM",
    ]


def test_what_a_label_means_can_be_stated_and_others_are_refused(tree):
    classes = {"0": Meaning("normal", NO_FINDING), "1": Meaning(None, "bleeding")}
    known = replace(CT, detail=LabelFile("labels.csv", classes=classes))
    said = {(r.label, r.finding) for r in read(known, tree, Notes())}
    assert said == {("normal", NO_FINDING), (None, "bleeding")}
    put(tree / "labels.csv", "ID,Label\na,2\n")
    with pytest.raises(SourceError, match="label '2': expected 0, 1"):
        list(read(known, tree, Notes()))


def test_names_and_births_in_the_files_are_counted_before_anything_is_pushed(tree):
    put_dicom(tree / "a.dcm", patient="P-1", PatientName="Doe^Jane")
    put_dicom(tree / "c.dcm", patient="P-1", PatientBirthDate="19700101")
    notes = Notes()
    list(read(CT, tree, notes))
    assert "that hold a name or a date of birth" in notes[1]
    assert ": 2, e.g. a.dcm" in notes[1]
    assert "Doe" not in " ".join(notes)


def test_ids_and_files_that_lack_each_other_and_repeated_rows_are_counted(tree):
    put(tree / "labels.csv", "\ufeffid,Label\na,1\na,1\nb,0\ngone,1\nc,\n")
    assert survey(CT, tree).paths == ("a.dcm", "part 2/b.dcm")
    assert survey(CT, tree).warnings == (
        "1 rows of source ct repeat an id and its label",
        "1 rows of source ct have no id or no label: left out",
        "1 ids of source ct have no file",
        "2 files of source ct have no label: left out",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ID,Label\na,1\na,0\n", "line 3 of the CSV gives a a second label"),
        ("ID,Class\na,1\n", "columns ID, Class: expected Label and one of ids"),
        ("id,ID,Label\na,a,1\n", "columns id, ID, Label: expected"),
        ("Label\n1\n", "columns Label: expected Label and one of ids"),
        ("", "columns none: expected"),
        ("ID,Label\nx.dcm,1\n", "none of 4 .* an id is a file's name without"),
    ],
)
def test_a_csv_that_cannot_be_right_is_refused(tree, content, message):
    put(tree / "labels.csv", content)
    with pytest.raises(SourceError, match=message):
        survey(CT, tree)


def test_ids_stand_in_the_column_that_is_named_or_in_the_first(tree):
    put(tree / "labels.csv", "file,kind,Label\na,b,1\n")
    assert survey(CT, tree).paths == ("a.dcm",)
    named = replace(CT, detail=LabelFile(id_column="kind"))
    assert survey(named, tree).paths == ("part 2/b.dcm",)
    with pytest.raises(SourceError, match="expected Label and number"):
        survey(replace(CT, detail=LabelFile(id_column="number")), tree)


def test_files_of_another_modality_are_left_out_and_counted(tree):
    put_dicom(tree / "c.dcm", study=STUDY, Modality="MR")
    notes = Notes()
    assert [record.path for record in read(CT, tree, notes)] == ["a.dcm", "d.DCM", "part 2/b.dcm"]
    assert "files of source ct of modality MR: left out: 1, e.g. c.dcm" in list(notes)


def test_labels_are_counted_and_their_imbalance_is_told(tree):
    put(tree / "labels.csv", "ID,Label\na,1\nb,0\nc,0\nd,0\n")
    notes = Notes()
    list(read(CT, tree, notes))
    assert notes[0] == "files of source ct by label: '0' 3, '1' 1; 3.0 to 1"


def test_one_id_names_one_file_and_there_is_one_csv(tree):
    put_dicom(tree / "twice" / "a.dcm")
    with pytest.raises(SourceError, match=r"1 ids have several files, e\.g\. a"):
        survey(CT, tree)
    (tree / "twice" / "a.dcm").unlink()
    put(tree / "more.csv", "ID,Label\n")
    with pytest.raises(SourceError, match="2 CSV of labels at the top, expected one"):
        survey(CT, tree)
    with pytest.raises(SourceError, match=r"no CSV of labels named gone\.csv"):
        survey(replace(CT, detail=LabelFile("gone.csv")), tree)


def test_a_file_that_is_no_dicom_is_left_to_the_build(tree):
    put(tree / "a.dcm", b"\0" * 200)
    first = next(read(CT, tree, Notes()))
    assert (first.image, first.group) == (b"\0" * 200, None)


class TestReal:
    """Real slices, labelled here by their order."""

    pytestmark = needs_real

    def test_every_real_slice_has_a_patient(self, tmp_path):
        files = sorted((REAL / "rsna_ct_dicom").glob("*.dcm"))
        for file in files:
            (tmp_path / file.name).symlink_to(file)
        rows = "".join(f"{file.stem},{i % 2}\n" for i, file in enumerate(files))
        put(tmp_path / "labels.csv", "ID,Label\n" + rows)
        notes = Notes()
        records = list(read(CT, tmp_path, notes))
        assert len(records) == 20
        assert None not in {r.group for r in records}
        assert list(notes) == ["files of source ct by label: '0' 10, '1' 10; 1.0 to 1"]
