"""Reader of a folder of DICOM files and a CSV of labels, whose ids are the files' stems.

The files' own bytes are handed on. Patients become pseudonyms: the identifier in the header is
hashed, with no secret, so that it groups but is not read; who can guess the identifier can find it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hub_model.errors import InputRejected
from training.sources import Record, SourceError
from training.sources.ct_match import Match, detail, match
from training.sources.layout import Source
from training.sources.survey import Notes, Survey

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_PATIENT = ("PatientID", "StudyInstanceUID")  # the first that a file states is its group
_IDENTITY = ("PatientName", "PatientBirthDate")


def survey(source: Source, root: Path) -> Survey:
    """Match the files with the ids of the CSV.

    Args:
        source: a table entry of layout "ct".
        root: the folder with both, files at any depth.

    Returns:
        Paths of the files that have a label.

    Raises:
        SourceError: no CSV or several, a column missing, one id with two labels, two files of one
            stem, no file that has a label, or a label that the table does not know.
    """
    found = usable(source, root)
    paths = tuple(file.relative_to(root).as_posix() for file in found.used)
    return Survey(paths, tuple(found.warnings(source.name)))


def read(source: Source, root: Path, notes: Notes) -> Iterator[Record]:
    """The labelled files, one at a time, sorted by path, whether they decode or not.

    Raises:
        SourceError: as `survey`.
    """
    found = usable(source, root)
    notes.say(*found.warnings(source.name), _balance(source, found.counts))
    classes = detail(source).classes
    for file in found.used:
        data = file.read_bytes()
        path = file.relative_to(root).as_posix()
        label = found.label(file)
        header = header_of(data)
        if (modality := stated(header, "Modality")) not in ("CT", ""):
            notes.add(f"files of source {source.name} of modality {modality}: left out", path)
            continue
        meaning = classes.get(label)
        yield Record(
            image=data,
            label=label if meaning is None else meaning.label,
            finding=None if meaning is None else meaning.finding,
            group=_group(header, path, source, notes),
            source=source.name,
            path=path,
        )


def usable(source: Source, root: Path) -> Match:
    """The files and their labels.

    Raises:
        SourceError: as `survey`, with the first fault.
    """
    found = match(source, root)
    if fault := next(found.faults(source.name), None):
        raise SourceError(fault.sentence)
    return found


def _balance(source: Source, counts: dict[str, int]) -> str:
    """How many files each label has, and how uneven that is."""
    told = ", ".join(f"{label!r} {count}" for label, count in counts.items())
    rare, common = min(counts.values()), max(counts.values())
    return f"files of source {source.name} by label: {told}; {common / rare:.1f} to 1"


def _group(header: Dataset | None, path: str, source: Source, notes: Notes) -> str | None:
    """Pseudonym of the patient, or of the study where no patient is stated; None for neither."""
    if header is None:  # the build counts what does not read
        return None
    if names_somebody(header):
        notes.add(
            f"files of source {source.name} that hold a name or a date of birth: remove those "
            "before anything is pushed",
            path,
        )
    found = pseudonym(header, source.name)
    if found is None:
        notes.add(f"files of source {source.name} without a patient or study, no group", path)
    return found


def names_somebody(header: Dataset) -> bool:
    """Whether a name or a date of birth stands in the file."""
    return any(stated(header, keyword) for keyword in _IDENTITY)


def pseudonym(header: Dataset, source: str) -> str | None:
    """Of the patient, or of the study where no patient is stated; None for neither."""
    for keyword in _PATIENT:
        if value := stated(header, keyword):
            digest = hashlib.sha256(f"{source} {keyword} {value}".encode()).hexdigest()
            return f"{source}-{digest[:16]}"
    return None


def stated(header: Dataset | None, keyword: str) -> str:
    """An element as text; "" where it is missing or empty, or the file is no DICOM."""
    return "" if header is None else str(header.get(keyword) or "").strip()


def header_of(data: bytes, *more: str) -> Dataset | None:
    """The few elements that identify, or None where the file is no DICOM.

    Args:
        data: the whole file.
        more: keywords of other elements to read.
    """
    from pydicom import dcmread

    from hub_model.reading.decoders import silence_pydicom
    from hub_model.reading.refusals import refused_as

    silence_pydicom()
    try:
        with refused_as("bad_dicom", "a DICOM file that is damaged"):
            return dcmread(
                io.BytesIO(data),
                force=True,  # files without a preamble are read in serving too
                stop_before_pixels=True,
                specific_tags=["Modality", *_PATIENT, *_IDENTITY, *more],
            )
    except InputRejected:
        return None
