"""Reader of a folder of DICOM files and a CSV of labels, whose ids are the files' stems.

The files' own bytes are handed on. Patients become pseudonyms: the identifier in the header is
hashed, with no secret, so that it groups but is not read; who can guess the identifier can find it.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hub_model.errors import InputRejected
from training.sources import Record, SourceError
from training.sources.layout import LabelFile, Source
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
            stem, or no file that has a label.
    """
    files, _, warnings = _labelled(source, root)
    return Survey(tuple(file.relative_to(root).as_posix() for file in files), warnings)


def read(source: Source, root: Path, notes: Notes) -> Iterator[Record]:
    """The labelled files, one at a time, sorted by path, whether they decode or not.

    Raises:
        SourceError: as `survey`; or a label that the table does not know.
    """
    files, labels, warnings = _labelled(source, root)
    notes.say(*warnings)
    notes.say(_balance(source, Counter(labels[file.stem] for file in files)))
    classes = _detail(source).classes
    for file in files:
        data = file.read_bytes()
        path = file.relative_to(root).as_posix()
        label = labels[file.stem]
        if (modality := _modality(data)) not in ("CT", ""):  # the build refuses what does not read
            notes.add(f"files of source {source.name} of modality {modality}: left out", path)
            continue
        if classes and label not in classes:
            raise SourceError(
                f"source {source.name}: label {label!r}: expected {', '.join(classes)}"
            )
        meaning = classes.get(label)
        yield Record(
            image=data,
            label=label if meaning is None else meaning.label,
            finding=None if meaning is None else meaning.finding,
            group=_group(data, path, source, notes),
            source=source.name,
            path=path,
        )


def _balance(source: Source, counts: Counter[str]) -> str:
    """How many files each label has, and how uneven that is."""
    told = ", ".join(f"{label!r} {count}" for label, count in sorted(counts.items()))
    rare, common = min(counts.values()), max(counts.values())
    return f"files of source {source.name} by label: {told}; {common / rare:.1f} to 1"


def _detail(source: Source) -> LabelFile:
    if not isinstance(source.detail, LabelFile):
        raise TypeError(f"source {source.name} of layout ct needs LabelFile as its detail")
    return source.detail


def _labelled(source: Source, root: Path) -> tuple[list[Path], dict[str, str], tuple[str, ...]]:
    """Files that have a label, sorted; id to label; warnings."""
    files = sorted(file for file in root.rglob("*") if file.suffix.lower() == ".dcm")
    if twice := [stem for stem, n in Counter(file.stem for file in files).items() if n > 1]:
        raise SourceError(
            f"source {source.name}: {len(twice)} ids have several files, e.g. {twice[0]}: an id "
            "names one file, so keep one of each"
        )
    labels, warnings = _labels(source, _table(source, root))
    used = [file for file in files if file.stem in labels]
    if not used:
        raise SourceError(
            f"source {source.name}: none of {len(files)} .dcm files has one of the {len(labels)} "
            "ids in the CSV: an id is a file's name without .dcm"
        )
    for count, what in (
        (len(labels) - len(used), "ids of source {} have no file"),
        (len(files) - len(used), "files of source {} have no label: left out"),
    ):
        if count:
            warnings.append(f"{count} {what.format(source.name)}")
    return used, labels, tuple(warnings)


def _table(source: Source, root: Path) -> Path:
    name = _detail(source).name
    found = sorted(root.glob("*.csv")) if name is None else [root / name]
    if len(found) != 1 or not found[0].is_file():
        raise SourceError(
            f"source {source.name}: {len(found) if name is None else 'no'} CSV of labels"
            f"{' at the top' if name is None else f' named {name}'}, expected one: name it in the "
            "entry"
        )
    return found[0]


def _labels(source: Source, file: Path) -> tuple[dict[str, str], list[str]]:
    """Id to label, and warnings about rows."""
    column = _detail(source).column
    labels: dict[str, str] = {}
    again = empty = 0
    with file.open(encoding="utf-8-sig", newline="") as lines:
        table = csv.DictReader(lines)
        id_column = _id_column(source, table.fieldnames or (), column)
        for row in table:
            name, label = (row[id_column] or "").strip(), (row[column] or "").strip()
            if not name or not label:
                empty += 1
                continue
            again += name in labels
            if labels.setdefault(name, label) != label:
                raise SourceError(
                    f"source {source.name}: line {table.line_num} of the CSV gives {name} a second "
                    f"label ({labels[name]!r}, then {label!r}): keep the right one"
                )
    warnings = []
    if again:
        warnings.append(f"{again} rows of source {source.name} repeat an id and its label")
    if empty:
        warnings.append(f"{empty} rows of source {source.name} have no id or no label: left out")
    return labels, warnings


def _id_column(source: Source, found: Iterable[str], label: str) -> str:
    columns, wanted = list(found), _detail(source).id_column
    others = [name for name in columns if name != label]
    named = [name for name in others if name.strip().casefold() == "id"]
    if wanted is not None:
        named, others = [name for name in others if name == wanted], []
    if label in columns and len(named) < 2 and (named or others):
        return (named or others)[0]
    raise SourceError(
        f"source {source.name}: the CSV has the columns {', '.join(columns) or 'none'}: expected "
        f"{label} and {'one of ids' if wanted is None else wanted}"
    )


def _group(data: bytes, path: str, source: Source, notes: Notes) -> str | None:
    """Pseudonym of the patient, or of the study where no patient is stated; None for neither."""
    header = _header(data)
    if header is None:
        return None
    if any(str(header.get(keyword) or "").strip() for keyword in _IDENTITY):
        notes.add(
            f"files of source {source.name} that hold a name or a date of birth: remove those "
            "before anything is pushed",
            path,
        )
    for keyword in _PATIENT:
        if value := str(header.get(keyword) or "").strip():
            digest = hashlib.sha256(f"{source.name} {keyword} {value}".encode()).hexdigest()
            return f"{source.name}-{digest[:16]}"
    notes.add(f"files of source {source.name} without a patient or study, no group", path)
    return None


def _modality(data: bytes) -> str:
    """What the header states; "" where it states nothing or the file is no DICOM."""
    header = _header(data)
    return "" if header is None else str(header.get("Modality") or "").strip()


def _header(data: bytes) -> Dataset | None:
    """The few elements that identify, or None where the file is no DICOM."""
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
                specific_tags=["Modality", *_PATIENT, *_IDENTITY],
            )
    except InputRejected:
        return None
