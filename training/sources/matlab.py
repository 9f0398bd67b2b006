"""Reader of Cheng's slices: one MATLAB 7.3 file each, and the file of the five published folds.

A 7.3 file is HDF5, where MATLAB's arrays stand column by column: every matrix comes out transposed
and is turned back here. Grey values are int16 and become PNG of 16 bits, so that nothing is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from training.sources import Record, SourceError
from training.sources.files import mask_png, png
from training.sources.layout import OfficialSplit, Source
from training.sources.survey import Notes, Survey

FOLDS = "cvind.mat"
_FOLD_NAMES: tuple[OfficialSplit, ...] = ("fold1", "fold2", "fold3", "fold4", "fold5")
_NO_SLICE = (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError)  # of h5py


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """What one file holds.

    Args:
        label: the code of the type, e.g. "1".
        patient: the published identifier.
        pixels: `(H, W)` integers, as the scanner's int16.
        mask: `(H, W)`, not zero in the tumor.
    """

    label: str
    patient: str
    pixels: NDArray[Any]
    mask: NDArray[Any]


def survey(source: Source, root: Path) -> Survey:
    """List the slices by their numbers and check that every one has a fold.

    Args:
        source: a table entry of layout "matlab"; its classes are the codes of the types.
        root: folder with `1.mat`, `2.mat` and so on at any depth, and `cvind.mat`.

    Raises:
        SourceError: no slice, or folds that are not those of the slices.
    """
    files, warnings = _files(source, root)
    folds = _folds(source, root, max(files))
    if folds is None:
        warnings.append(f"{FOLDS} of source {source.name} is not there: the folds stay unknown")
    return Survey(tuple(file.relative_to(root).as_posix() for file in files.values()), (*warnings,))


def read(source: Source, root: Path, notes: Notes) -> Iterator[Record]:
    """The slices in the order of their numbers, with mask and patient.

    Files that cannot be read are counted in `notes` and left out.

    Raises:
        SourceError: as `survey`; a code that the table does not know, or a class without slices.
    """
    notes.say(*survey(source, root).warnings)
    files, _ = _files(source, root)
    folds = _folds(source, root, max(files))
    seen: Counter[str] = Counter()
    fold_of: dict[str, OfficialSplit] = {}
    for number, file in files.items():
        path = file.relative_to(root).as_posix()
        try:
            found = read_slice(file)
        except _NO_SLICE as error:
            notes.add(
                f"files of source {source.name} that hold no slice ({type(error).__name__}), left "
                "out",
                path,
            )
            continue
        if found.label not in source.classes:
            raise SourceError(
                f"source {source.name}: {path} has the label {found.label}: expected "
                f"{', '.join(source.classes)}"
            )
        if found.pixels.min() < 0:
            notes.add(f"slices of source {source.name} with negative values, left out", path)
            continue
        fold = None if folds is None else _FOLD_NAMES[folds[number - 1] - 1]
        if fold is not None and fold_of.setdefault(found.patient, fold) != fold:
            notes.add(f"slices of source {source.name} in a second fold of their patient", path)
        if not found.mask.any():
            notes.add(f"slices of source {source.name} whose mask is empty", path)
        seen[found.label] += 1
        meaning = source.classes[found.label]
        yield Record(
            image=png(found.pixels.astype(np.uint16)),
            label=meaning.label,
            finding=meaning.finding,
            group=f"{source.name}-{found.patient}",
            source=source.name,
            path=path,
            official_split=fold,
            mask=mask_png(found.mask),
            sequence="T1C",
        )
    if empty := [code for code in source.classes if not seen[code]]:
        raise SourceError(
            f"source {source.name}: no slice with label {', '.join(empty)}: fetch it again"
        )


def read_slice(file: Path) -> Slice:
    """One file's `cjdata`.

    Raises:
        OSError: no MATLAB 7.3 file.
        KeyError: a field is missing.
        ValueError: the mask is not of the image's shape, or the image holds no integers.
    """
    with h5py.File(file, "r") as content:
        data = content["cjdata"]
        pixels = np.asarray(data["image"]).T
        mask = np.asarray(data["tumorMask"]).T
        label = int(np.asarray(data["label"]).item())
        patient = _text(np.asarray(data["PID"]))
    if pixels.ndim != 2 or mask.shape != pixels.shape:
        raise ValueError(f"an image of shape {pixels.shape} with a mask of {mask.shape}")
    if pixels.dtype.kind not in "iu" or pixels.max() > np.iinfo(np.uint16).max:
        raise ValueError(f"an image of {pixels.dtype}")
    return Slice(str(label), patient, np.ascontiguousarray(pixels), np.ascontiguousarray(mask))


def _text(stored: NDArray[Any]) -> str:
    """A char array is stored as the code of each letter, a number as itself."""
    if stored.dtype.kind == "u" and stored.dtype.itemsize == 2:
        text = "".join(map(chr, stored.ravel())).strip()
    else:
        text = str(int(stored.item()))
    if not text:
        raise ValueError("an empty PID")
    return text


def _files(source: Source, root: Path) -> tuple[dict[int, Path], list[str]]:
    """Number to file, ascending; of several with one number the first path counts."""
    found = sorted(root.rglob("*.mat"))
    numbered = [file for file in found if file.stem.isdecimal() and int(file.stem) > 0]
    files: dict[int, Path] = {}
    for file in numbered:
        files.setdefault(int(file.stem), file)
    if not files:
        raise SourceError(
            f"source {source.name}: no file named by a number, such as 1.mat: give the folder of "
            f"{source.origin or 'the whole source'} with its archives unpacked"
        )
    warnings = []
    if again := len(numbered) - len(files):
        warnings.append(f"{again} files of source {source.name} repeat a number: read once")
    if others := len([file for file in found if file.name != FOLDS]) - len(numbered):
        warnings.append(f"{others} MATLAB files of source {source.name} are no slices by name")
    return dict(sorted(files.items())), warnings


def _folds(source: Source, root: Path, slices: int) -> NDArray[np.int64] | None:
    """Fold 1-5 of every slice by its number, or None where the file is not there.

    Raises:
        SourceError: it is damaged, too short, or holds other numbers.
    """
    files = sorted(root.rglob(FOLDS))
    if not files:
        return None
    try:
        with h5py.File(files[0], "r") as content:
            stored = np.asarray(content["cvind"]).ravel()
    except _NO_SLICE as error:
        raise SourceError(
            f"source {source.name}: {FOLDS} holds no cvind ({type(error).__name__}): fetch it again"
        ) from error
    right = np.isin(stored, np.arange(1, 6))
    if len(stored) < slices or not right.all():
        raise SourceError(
            f"source {source.name}: {FOLDS} has {len(stored)} folds, {int(right.sum())} of them 1 "
            f"to 5, for slices up to number {slices}: expected one of 1 to 5 for each"
        )
    return stored.astype(np.int64)
