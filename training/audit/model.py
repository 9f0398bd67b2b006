"""What an audit found, as audit.json holds it: pages and pictures are rendered from this alone."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hub_model.contract import Figure

EXAMPLES = 5  # images or pairs named with a finding

Count = Annotated[int, Field(ge=0)]
Target = Literal["finding", "label"]
Topic = Literal["leaks", "copies", "labels", "shortcuts", "files"]


class Severity(StrEnum):
    """How bad a finding is, from least to worst."""

    INFO = "info"  # worth knowing
    WARNING = "warning"  # figures measured on the dataset need this said beside them
    ERROR = "error"  # figures measured on the dataset are wrong

    @property
    def rank(self) -> int:
        """0 for the least."""
        return list(Severity).index(self)

    @property
    def level(self) -> int:
        """That of a log."""
        return logging.getLevelNamesMapping()[self.value.upper()]


class _Frozen(BaseModel):
    """Unknown keys are errors and values cannot be changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Finding(_Frozen):
    """One thing that was found."""

    code: str  # stable name
    topic: Topic
    severity: Severity
    found: str  # a sentence with the numbers
    means: str
    remedy: str
    counts: dict[str, Count]
    examples: tuple[str, ...] = ()  # images as source/path, at most EXAMPLES


class Leak(_Frozen):
    """What the images of one side share with the side that is trained on.

    Each count includes the one before it: an identical image shows the same slice.
    """

    division: Literal["official", "build"]  # the source's own split, or that of the dataset
    source: str  # of an official split; "" for the build
    side: str
    against: str
    images: Count
    identical: Count  # pixel-identical image on the other side
    same_slice: Count  # same slice, perhaps re-encoded, resized, cropped, turned or mirrored
    same_group: Count  # same patient or look-alike group, or anything else the linkage ties to it


class Size(_Frozen):
    """Images of one label and about one size."""

    label: str
    width: Count  # pixels, rounded to SIZE_STEP
    height: Count
    images: Count


class Form(_Frozen):
    """Images of one label and one form of file."""

    label: str
    format: str
    mode: str
    images: Count


class ToldApart(_Frozen):
    """One class against all others, read from what the classifier of all classes said."""

    label: str
    guess: float  # accuracy of the likelier answer for every image
    accuracy: Figure
    balanced: Figure  # mean of the shares right among the class and among the others


class Shortcut(_Frozen):
    """How well a shallow classifier that sees no head tells the classes apart."""

    target: Target
    features: str  # name of the feature set
    classes: tuple[str, ...]
    guess: float  # accuracy of the commonest class for every image
    accuracy: Figure
    balanced: Figure  # mean recall of the classes
    apart: tuple[ToldApart, ...]  # empty for two classes: each is the other's rest

    @property
    def chance(self) -> float:
        """Balanced accuracy of every guess that does not look."""
        return 1 / len(self.classes)


class Report(_Frozen):
    """One audit."""

    name: str  # of what was audited: its sources
    fingerprint: str  # of the dataset, 64 hex digits
    phantom: bool
    sources: dict[str, str]  # name to where it was read from, or "local"
    images: dict[str, dict[str, Count]]  # split to label
    groups: dict[str, dict[str, Count]]  # split to label
    origins: dict[str, dict[str, Count]]  # source and its own split to label
    n_groups: Count
    leaks: tuple[Leak, ...]
    build_warnings: tuple[str, ...]
    transforms: dict[str, Count]  # between two images of the same slice, to pairs
    sizes: tuple[Size, ...]
    forms: tuple[Form, ...]
    shortcuts: tuple[Shortcut, ...]
    findings: tuple[Finding, ...]
    accuracy: dict[str, Figure] = {}  # as metrics.json names them, where they were given

    @property
    def worst(self) -> Severity | None:
        """The worst severity found, None without a finding."""
        return max((finding.severity for finding in self.findings), key=_rank, default=None)

    def reaches(self, fail_on: str) -> bool:
        """Whether a finding is of that severity, or worse; "never" is reached by none."""
        if self.worst is None or fail_on == "never":
            return False
        return self.worst.rank >= Severity(fail_on).rank


def _rank(severity: Severity) -> int:
    return severity.rank
