"""What an entry of the table of sources can say, and the parameters that single layouts need.

Pure data, without numpy: the table is shown by commands that have to answer at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

Layout = Literal[
    "class_folders",  # root/[inside/][split/]class/*.jpg, the names known
    "named_folders",  # folders of classes and splits at any depth, found by their names
    "outlines",  # split folders of images with a VIA file of outlines
    "npz",  # arrays of images and one-hot labels
    "matlab",  # one MATLAB 7.3 file a slice
    "lgg",  # patient folders of three-channel TIFF and their masks
    "brats",  # patient folders of NIfTI volumes
    "ct",  # DICOM files and a CSV of labels
    "hub",  # a dataset on the Hub
    "folder",  # any images, nothing known
    "phantom",  # drawn
]
OfficialSplit = Literal["train", "validation", "test", "fold1", "fold2", "fold3", "fold4", "fold5"]
MrSequence = Literal["T1", "T1C", "T2", "FLAIR"]

HERE = "."  # images stand in the split folder itself, without a folder for the class
MASKED, UNMASKED = "masked", "unmasked"  # classes of slices whose mask marks something, or nothing


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a class says of the images in it.

    Args:
        label: type, or None where the class does not state one.
        finding: what was found, or `NO_FINDING`.
    """

    label: str | None
    finding: str


@dataclass(frozen=True, slots=True)
class Arrays:
    """Layout "npz": names of the two arrays, and the range of floats.

    Args:
        images: name of the `(N, H, W)` or `(N, H, W, 3)` array.
        labels: name of the `(N, K)` one-hot array; its columns are `Source.classes` in order.
        floats: what 1.0 means in images of floats: "0-1" is white, "0-255" nearly black. None: not
            known, and floats are refused. Integers are grey values of 0-255.
    """

    layout: ClassVar[Layout] = "npz"

    images: str = "x"
    labels: str = "y"
    floats: Literal["0-1", "0-255"] | None = None


@dataclass(frozen=True, slots=True)
class Volumes:
    """Layout "brats": what is taken of a patient.

    Args:
        sequences: which volumes.
        slices: the most slices of each volume, evenly spread over those that show something; None
            takes all of them.
    """

    layout: ClassVar[Layout] = "brats"

    sequences: tuple[MrSequence, ...] = ("T1", "T1C", "T2", "FLAIR")
    slices: int | None = None


@dataclass(frozen=True, slots=True)
class LabelFile:
    """Layout "ct": where the labels stand.

    Args:
        name: posix path of the CSV inside the folder; None: the only one there.
        column: header of the labels.
        id_column: header of the ids; None: the one named id, in any case, or else the first that is
            not the labels'.
        classes: value of that column to its meaning; empty: a value is the label itself, and the
            finding is not known.
    """

    layout: ClassVar[Layout] = "ct"

    name: str | None = None
    column: str = "Label"
    id_column: str | None = None
    classes: Mapping[str, Meaning] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rows:
    """Layout "hub": which rows of which dataset.

    Args:
        repo_id: "owner/name".
        revision: 40 hex digits.
        split: name of the split on the Hub.
        image: column of images.
        label: column of class labels or strings; None where there is none.
        group: column of patients or look-alike groups; None where there is none.
        config: name of the configuration; None takes the default one.
        classes: label to its meaning; empty: the label is taken as it is, and the finding is not
            known.
    """

    layout: ClassVar[Layout] = "hub"

    repo_id: str
    revision: str
    split: str = "train"
    image: str = "image"
    label: str | None = "label"
    group: str | None = None
    config: str | None = None
    classes: Mapping[str, Meaning] = field(default_factory=dict)


Detail = Arrays | Volumes | LabelFile | Rows


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
        doi: of the deposit, with its version, where somebody has to fetch it by hand.
        inside: folder, inside the download, that holds the classes; "" is the top.
        copies: folder that holds something a second time, to the folder that is read instead.
        classes: class folder, column or code of the source to its meaning, in the source's order.
        splits: split folder to what it is called here; empty where the source does not divide.
        optional_splits: those of them that some downloads lack.
        patients: name of the patient map that is shipped for it, see `patients`.
        detail: parameters that only its layout has.
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
    doi: str | None = None
    inside: str = ""
    copies: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, Meaning] = field(default_factory=dict)
    splits: Mapping[str, OfficialSplit] = field(default_factory=dict)
    optional_splits: tuple[str, ...] = ()
    patients: str | None = None
    detail: Detail | None = None
    known_issues: tuple[str, ...] = ()

    @property
    def pinned(self) -> str | None:
        """Handle and version as the Kaggle client takes them, or None."""
        return None if self.handle is None else f"{self.handle}/versions/{self.version}"

    @property
    def origin(self) -> str | None:
        """Where a person finds exactly this version: `handle@version` or DOI; None for nowhere."""
        if self.handle is None:
            return None if self.doi is None else f"doi:{self.doi}"
        return f"{self.handle}@{self.version}"
