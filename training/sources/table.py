"""The table of sources: where each comes from, under which terms, and what its folders mean.

Pure data. A new source of a known layout is a new entry here; a new layout is a new file beside
this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from training.sources import NO_FINDING

Layout = Literal["class_folders", "folder", "phantom"]
OfficialSplit = Literal["train", "validation", "test"]

HERE = "."  # images stand in the split folder itself, without a folder for the class


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a class folder says of the images in it.

    Args:
        label: type, or None where the folder does not state one.
        finding: what was found, or `NO_FINDING`.
    """

    label: str | None
    finding: str


@dataclass(frozen=True, slots=True)
class Source:
    """One source of images.

    Args:
        name: short name, the key of `SOURCES` and the value of `Record.source`.
        layout: which reader understands it.
        title: what it is, in a few words.
        modality: DICOM modality, "MR" or "CT"; "OT" where it can be anything.
        licence: SPDX identifier, or "unknown".
        licence_stated_where: who says so.
        handle: "owner/slug" of a Kaggle dataset; None where it is not fetched from there.
        version: pinned version of that dataset.
        inside: folder, inside the download, that holds the classes; "" is the top.
        classes: class folder to its meaning.
        splits: split folder to what it is called here; empty where the source does not divide.
        known_issues: what a card has to say of it.
    """

    name: str
    layout: Layout
    title: str
    modality: str
    licence: str
    licence_stated_where: str
    handle: str | None = None
    version: int | None = None
    inside: str = ""
    classes: Mapping[str, Meaning] = field(default_factory=dict)
    splits: Mapping[str, OfficialSplit] = field(default_factory=dict)
    known_issues: tuple[str, ...] = ()

    @property
    def pinned(self) -> str | None:
        """Handle and version as the Kaggle client takes them, or None."""
        return None if self.handle is None else f"{self.handle}/versions/{self.version}"


_UNCHECKED = "not checked: see the page of the dataset"

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
        classes={
            "glioma": Meaning("glioma", "tumor"),
            "meningioma": Meaning("meningioma", "tumor"),
            "notumor": Meaning("notumor", NO_FINDING),
            "pituitary": Meaning("pituitary", "tumor"),
        },
        splits={"Training": "train", "Testing": "test"},
        known_issues=(
            "Slices of one patient are in Training and in Testing: the official split leaks.",
            "Tumor-free images come from other collections than the tumors: a classifier can learn "
            "to tell the collection.",
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
        classes={"yes": Meaning(None, "tumor"), "no": Meaning("notumor", NO_FINDING)},
        known_issues=(
            "Nearly all tumor-free and many tumor images are near-copies of masoudnickparvar or "
            "Br35H images: it is no independent test set.",
        ),
    ),
    Source(
        name="br35h",
        layout="class_folders",
        title="Br35H: slices with a tumor of unstated type",
        modality="MR",
        licence="unknown",
        licence_stated_where=_UNCHECKED,
        handle="ahmedhamada0/brain-tumor-detection",
        version=12,
        inside="Br35H-Mask-RCNN",
        classes={HERE: Meaning(None, "tumor")},
        splits={"TRAIN": "train", "VAL": "validation"},
        known_issues=(
            "Most images have a near-copy within the set.",
            "Its tumor-free half is part of masoudnickparvar.",
        ),
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
