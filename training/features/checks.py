"""What is wrong with a folder of labelled DICOM files: names, labels, headers and units.

No number of files or labels is expected: what there is, is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.audit.model import EXAMPLES, Count, Finding, Severity, Topic
from training.features.one_file import BONE, SCHEMA, Row
from training.recipe.node import Node
from training.sources.ct_match import Match

CHECKS = "checks.json"
LEAST_SEEN = 0.2  # share of a slice that is no padding
_NUMBERS = tuple(field.name for field in SCHEMA if str(field.type) in ("double", "int64"))


class Spread(Node):
    """How a number lies over the files that state it."""

    files: Count
    least: float
    median: float
    most: float


class Checks(Node):
    """What the files of a folder are, and what is wrong with them."""

    files: Count  # .dcm files
    labelled: Count  # of those, the ones that the CSV names
    labels: dict[str, Count]  # label to files
    imbalance: float | None  # files of the commonest label to one of the rarest
    groups: Count  # patients or studies of the labelled files
    findings: tuple[Finding, ...]  # the worst first
    spreads: dict[str, Spread]  # column of the table to its values, of labelled files
    codes: dict[str, dict[str, Count]]  # the same of columns of text: value to files


def check(source: str, found: Match, rows: Sequence[Row]) -> Checks:
    """Everything there is to say about a folder.

    Args:
        source: its name.
        found: files and labels.
        rows: one a file, see `one_file.look`.
    """
    used = [row for row in rows if row["label"] is not None]
    findings = (*_of_names(source, found), *_of_rows(used))
    counts = found.counts
    return Checks(
        files=len(rows),
        labelled=len(used),
        labels=counts,
        imbalance=max(counts.values()) / min(counts.values()) if counts else None,
        groups=len({row["group"] for row in used} - {None}),
        findings=tuple(sorted(findings, key=lambda one: -one.severity.rank)),
        spreads={name: one for name in _NUMBERS if (one := _spread(used, name)) is not None},
        codes=_codes(used),
    )


def _spread(rows: Sequence[Row], name: str) -> Spread | None:
    values = np.array([row[name] for row in rows if row[name] is not None], np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    least, median, most = np.percentile(values, (0, 50, 100)).tolist()
    return Spread(files=values.size, least=least, median=median, most=most)


def _codes(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    told = [field.name for field in SCHEMA if str(field.type) == "string"]
    names = [name for name in told if name not in ("id", "label", "group")]
    counted = {name: Counter(str(row[name]) for row in rows if row[name]) for name in names}
    return {name: dict(sorted(values.items())) for name, values in counted.items() if values}


def _of_names(source: str, found: Match) -> Iterator[Finding]:
    """What the CSV and the names of files say, before any file is opened."""
    for fault in found.faults(source):
        yield Finding(
            code=fault.code,
            topic="labels",
            severity=Severity.ERROR,
            found=f"{fault.sentence[0].upper()}{fault.sentence[1:]}.",
            means="The folder cannot be read: it is not said which image has which label.",
            remedy="Mend the CSV or the names of the files, or state data.labels as they are.",
            counts={"at_fault": fault.count},
        )
    if not found.labels:
        return
    for one in found.oddities:
        yield Finding(
            code=one.code,
            topic="labels",
            severity=Severity.WARNING,
            found=f"{one.count} {one.what} {one.have}; the CSV has {len(found.labels)} ids, the "
            f"folder {len(found.files)} files.",
            means="They are read once." if one.code == "repeated_rows" else "They are left out.",
            remedy="An id is a file's name without .dcm: mend the CSV, or bring the files.",
            counts={"count": one.count},
            examples=one.names[:EXAMPLES],
        )


@dataclass(frozen=True)
class _Fault:
    """One question to the row of a labelled file; it is an error where all files have it."""

    code: str
    wrong: Callable[[Row], bool]
    found: str  # after "3 of 40 labelled files"
    means: str
    remedy: str
    topic: Topic = "files"
    severity: Severity = Severity.WARNING
    may_be_all: bool = False


def _below(row: Row, name: str, least: float) -> bool:
    value = row[name]
    return isinstance(value, float) and value < least


_LEFT_OUT = "They are left out of the dataset."
_FAULTS = (
    _Fault(
        "unreadable",
        lambda row: row["refused"] not in ("", "ct_without_rescale"),
        "cannot be read as serving would read them",
        _LEFT_OUT,
        "Fetch them again; the reader's code stands behind each example.",
    ),
    _Fault(
        "ct_without_rescale",
        lambda row: row["refused"] == "ct_without_rescale",
        "are CT without rescale slope (0028,1053) and intercept (0028,1052)",
        f"Nothing says what Hounsfield units their values are. {_LEFT_OUT}",
        "Send them as the scanner wrote them.",
    ),
    _Fault(
        "not_ct",
        lambda row: row["modality"] not in (None, "CT"),
        "are of another modality than CT",
        _LEFT_OUT,
        "Take them out of the folder or of the CSV.",
    ),
    _Fault(
        "without_units",
        lambda row: not row["refused"] and row["modality"] in (None, "CT") and row["seen"] is None,
        "state no Hounsfield units: no modality, another rescale type, or a screen's picture",
        "They become black inputs, which quality refuses: they teach nothing.",
        "Send the slices as the scanner wrote them.",
    ),
    _Fault(
        "several_frames",
        lambda row: isinstance(row["frames"], int) and row["frames"] > 1,
        "hold several frames",
        "A label is of one slice: the first frame counts.",
        "Send each slice as a file of its own.",
    ),
    _Fault(
        "mostly_padding",
        lambda row: _below(row, "seen", LEAST_SEEN),
        f"are padding in more than {1 - LEAST_SEEN:.0%} of their pixels",
        "Little of them was seen by the scanner.",
        "Look at them, and leave out what shows no head.",
    ),
    _Fault(
        "without_bone",
        lambda row: _below(row, "hu_max", BONE),
        f"have no pixel of {BONE} HU or more",
        "A slice of a head shows its skull: the units may be wrong, or it is no head.",
        "Look at them and at their slope and intercept.",
    ),
    _Fault(
        "crop_not_found",
        lambda row: row["box_share"] == 1.0,
        "are taken whole, as no believable box of bone was found",
        "Heads are smaller in them than in the others.",
        "Look at them; preprocess.skull_percentile says what counts as bone.",
        severity=Severity.INFO,
        may_be_all=True,
    ),
    _Fault(
        "without_patient",
        lambda row: not row["refused"] and row["group"] is None,
        "state neither a patient nor a study",
        "Images of theirs that look alike are kept together (data.look_alikes), and no others.",
        "State them in data.groups, if they are known.",
        topic="leaks",
        severity=Severity.INFO,
        may_be_all=True,
    ),
    _Fault(
        "names_somebody",
        lambda row: bool(row["names_somebody"]),
        "hold a name or a date of birth",
        "The dataset keeps neither; the folder does.",
        "Remove them from the files before the folder is handed on.",
        may_be_all=True,
    ),
)


def _of_rows(rows: Sequence[Row]) -> Iterator[Finding]:
    """What is wrong with labelled files; one can have several faults."""
    for fault in _FAULTS:
        wrong = [row for row in rows if fault.wrong(row)]
        if wrong:
            every = len(wrong) == len(rows) and not fault.may_be_all
            yield Finding(
                code=fault.code,
                topic=fault.topic,
                severity=Severity.ERROR if every else fault.severity,
                found=f"{len(wrong)} of {len(rows)} labelled files {fault.found}.",
                means=fault.means,
                remedy=fault.remedy,
                counts={"files": len(wrong)},
                examples=tuple(
                    f"{row['id']} ({row['refused']})" if row["refused"] else str(row["id"])
                    for row in wrong[:EXAMPLES]
                ),
            )
