"""The table of sources: where each comes from, under which terms, and what its folders mean.

Pure data. A new source of a known layout is a new entry here; a new layout is a new file beside
this one, its name in `layout.Layout` and its line in `readers.READERS`.
"""

from __future__ import annotations

from collections.abc import Mapping

from training.sources import NO_FINDING
from training.sources.layout import (
    HERE,
    MASKED,
    UNMASKED,
    Arrays,
    LabelFile,
    Meaning,
    OfficialSplit,
    Source,
    Volumes,
)

_UNCHECKED = "not checked: see the page of the dataset"
_TUMOR, _FREE = Meaning(None, "tumor"), Meaning("notumor", NO_FINDING)
_FOUR: Mapping[str, Meaning] = {
    "glioma": Meaning("glioma", "tumor"),
    "meningioma": Meaning("meningioma", "tumor"),
    "notumor": _FREE,
    "pituitary": Meaning("pituitary", "tumor"),
}
_GLIOMA: Mapping[str, Meaning] = {MASKED: _FOUR["glioma"], UNMASKED: _FREE}
_TRAIN_TEST: Mapping[str, OfficialSplit] = {"Training": "train", "Testing": "test"}

_ENTRIES = (
    Source(
        name="masoudnickparvar",
        layout="class_folders",
        title="Brain Tumor MRI Dataset: slices of three tumor types and of heads without",
        modality="MR",
        licence="CC0-1.0",
        licence_stated_where="by a third party's word",
        handle="masoudnickparvar/brain-tumor-mri-dataset",
        version=1,
        classes=_FOUR,
        splits=_TRAIN_TEST,
        patients="masoudnickparvar_patients.csv",
        known_issues=(
            "Slices of one patient are in Training and in Testing: the official split leaks.",
            "Tumor-free images come from other collections than the tumors: a classifier can learn "
            "to tell the collection.",
            "Four images are labelled pituitary, where Cheng's set says meningioma.",
        ),
    ),
    Source(
        name="sartajbhuvaji",
        layout="class_folders",
        title="Brain Tumor Classification (MRI): slices of three tumor types and of heads without",
        modality="MR",
        licence="unknown",
        licence_stated_where=_UNCHECKED,
        handle="sartajbhuvaji/brain-tumor-classification-mri",
        version=3,
        classes={
            "glioma_tumor": _FOUR["glioma"],
            "meningioma_tumor": _FOUR["meningioma"],
            "no_tumor": _FREE,
            "pituitary_tumor": _FOUR["pituitary"],
        },
        splits=_TRAIN_TEST,
        known_issues=(
            "It shares 2,154 images with masoudnickparvar and takes 2,345 of its 3,264 from Cheng.",
            "250 of its 394 Testing images are in its Training: the official split leaks.",
            "Many of its gliomas are said to be labelled wrongly.",
        ),
    ),
    Source(
        name="sabersakin",
        layout="named_folders",
        title="Brain MRI: slices of three tumor types and of heads without, merged from other sets",
        modality="MR",
        licence="unknown",
        licence_stated_where=_UNCHECKED,
        handle="sabersakin/brainmri",
        version=1,
        classes=_FOUR,
        known_issues=(
            "It merges the sets that masoudnickparvar merges: it is no independent test set.",
            "Its folders are found by name, as no page documents them.",
        ),
    ),
    Source(
        name="navoneel",
        layout="class_folders",
        title="Brain MRI Images for Brain Tumor Detection: slices with and without a tumor",
        modality="MR",
        licence="unknown",
        licence_stated_where=_UNCHECKED,
        handle="navoneel/brain-mri-images-for-brain-tumor-detection",
        version=1,
        inside="brain_tumor_dataset",
        copies={"yes": "brain_tumor_dataset/yes", "no": "brain_tumor_dataset/no"},
        classes={"yes": _TUMOR, "no": _FREE},
        known_issues=(
            "Nearly all tumor-free and many tumor images are near-copies of masoudnickparvar or "
            "Br35H images: it is no independent test set.",
        ),
    ),
    Source(
        name="br35h",
        layout="outlines",
        title="Br35H: slices with a tumor of unstated type, outlined",
        modality="MR",
        licence="unknown",
        licence_stated_where=_UNCHECKED,
        handle="ahmedhamada0/brain-tumor-detection",
        version=12,
        inside="Br35H-Mask-RCNN",
        classes={HERE: _TUMOR},
        splits={"TRAIN": "train", "VAL": "validation", "TEST": "test"},
        optional_splits=("TEST",),
        known_issues=(
            "Most images have a near-copy within the set.",
            "Its tumor-free half is part of masoudnickparvar.",
        ),
    ),
    Source(
        name="br35h_halves",
        layout="class_folders",
        title="Br35H: slices with a tumor of unstated type, and without",
        modality="MR",
        licence="unknown",
        licence_stated_where=_UNCHECKED,
        handle="ahmedhamada0/brain-tumor-detection",
        version=12,
        classes={"yes": _TUMOR, "no": _FREE},
        known_issues=(
            "Its outlined part, br35h, shows the same tumors.",
            "Its tumor-free half is part of masoudnickparvar.",
        ),
    ),
    Source(
        name="muazalzoubi",
        layout="npz",
        title="Slices of three tumor types and of heads without, 150 x 150, as arrays",
        modality="MR",
        licence="unknown",
        licence_stated_where=_UNCHECKED,
        handle="muazalzoubi/brain-tumor-gliomameningiomapituitary-not-tumors",
        version=1,
        classes=_FOUR,  # the order of the columns
        detail=Arrays(),
        known_issues=("Neither patients nor the origin of the images are stated.",),
    ),
    Source(
        name="figshare",
        layout="matlab",
        title="Cheng's brain tumor dataset: contrast T1 slices of 233 patients, with masks",
        modality="MR",
        licence="CC-BY-4.0",
        licence_stated_where="by a third party's word",
        doi="10.6084/m9.figshare.1512427.v5",
        classes={
            "1": _FOUR["meningioma"],
            "2": _FOUR["glioma"],
            "3": _FOUR["pituitary"],
        },
        known_issues=(
            "masoudnickparvar holds every slice of it, mirrored, and half unmirrored.",
            "No image is without a tumor: beside it every tumor-free image is of another source.",
        ),
    ),
    Source(
        name="lgg",
        layout="lgg",
        title="LGG MRI Segmentation: whole heads with lower-grade glioma, three sequences, masks",
        modality="MR",
        licence="unknown",
        licence_stated_where=_UNCHECKED,
        handle="mateuszbuda/lgg-mri-segmentation",
        version=2,
        inside="kaggle_3m",
        copies={"lgg-mri-segmentation/kaggle_3m": "kaggle_3m"},
        classes=_GLIOMA,
        known_issues=(
            "Masks mark the abnormality on FLAIR, drawn for all three sequences.",
            "Slices without a tumor show heads that have one elsewhere.",
            "Where a sequence was not taken, its channel repeats FLAIR; such channels are left "
            "out.",
        ),
    ),
    Source(
        name="brats",
        layout="brats",
        title="BraTS: whole heads with glioma, four sequences, segmented (2020 and 2023 names)",
        modality="MR",
        licence="unknown",
        licence_stated_where="the challenge's organisers, to whom registers",
        classes=_GLIOMA,
        detail=Volumes(),
        known_issues=(
            "Skulls are removed and heads are registered: it looks like no other source here.",
            "Slices without a tumor show heads that have one elsewhere.",
        ),
    ),
    Source(
        name="ct",
        layout="ct",
        title="Any folder of DICOM slices with a CSV of labels",
        modality="CT",
        licence="unknown",
        licence_stated_where="whoever hands the folder in knows",
        detail=LabelFile(),
    ),
    Source(
        name="phantom_ct",
        layout="phantom",
        title="Drawn CT slices of heads, one in eighteen with a bright lesion",
        modality="CT",
        licence="Apache-2.0",
        licence_stated_where="drawn by this project",
        known_issues=("Drawn images: figures earned on them say nothing about any patient.",),
    ),
    Source(
        name="dementia",
        layout="class_folders",
        title="Alzheimer MRI dataset: slices of four stages, 128 x 128",
        modality="MR",
        licence="unknown",
        licence_stated_where=_UNCHECKED,
        handle="sachinkumar413/alzheimer-mri-dataset",
        version=1,
        inside="Dataset",
        classes={
            "Non_Demented": Meaning("non_demented", NO_FINDING),
            "Very_Mild_Demented": Meaning("very_mild_demented", "dementia"),
            "Mild_Demented": Meaning("mild_demented", "dementia"),
            "Moderate_Demented": Meaning("moderate_demented", "dementia"),
        },
        known_issues=("Patients are not stated.",),
    ),
    Source(
        name="stroke",
        layout="class_folders",
        title="Brain Stroke CT Image Dataset: slices with and without a stroke",
        modality="CT",
        licence="unknown",
        licence_stated_where=_UNCHECKED,
        handle="afridirahman/brain-stroke-ct-image-dataset",
        version=1,
        inside="Brain_Data_Organised",
        classes={"Normal": Meaning("normal", NO_FINDING), "Stroke": Meaning("stroke", "stroke")},
        known_issues=("Patients are stated by file names only, if at all.",),
    ),
    Source(
        name="hub",
        layout="hub",
        title="Any dataset on the Hub at a pinned revision",
        modality="OT",
        licence="unknown",
        licence_stated_where="the dataset's card",
    ),
    Source(
        name="folder",
        layout="folder",
        title="Any folder of images, nothing stated about them",
        modality="OT",
        licence="unknown",
        licence_stated_where="whoever hands the folder in knows",
    ),
    Source(
        name="phantom",
        layout="phantom",
        title="Drawn heads: no patient, no scanner",
        modality="MR",
        licence="Apache-2.0",
        licence_stated_where="drawn by this project",
        known_issues=("Drawn images: figures earned on them say nothing about any patient.",),
    ),
)

SOURCES: dict[str, Source] = {source.name: source for source in _ENTRIES}

__all__ = ["HERE", "SOURCES", "Meaning", "OfficialSplit", "Source"]
