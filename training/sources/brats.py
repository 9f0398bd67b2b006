"""Reader of patient folders of NIfTI volumes into axial slices, as serving cuts and turns them.

Names of the 2020 challenge (`BraTS20_Training_001_flair.nii`, `_t1ce`, `_seg`) and of 2023
(`BraTS-GLI-00001-000-t2f.nii.gz`, `-t1c`, `-seg`), plain or in gzip. One volume and its
segmentation are in memory at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_model.case import Case
from hub_model.errors import InputRejected
from hub_model.reading import read_case
from training.sources import Record, SourceError
from training.sources.files import mask_png, png
from training.sources.layout import MASKED, UNMASKED, MrSequence, Source, Volumes
from training.sources.survey import Notes, Survey

SUFFIXES: dict[str, MrSequence] = {
    "t1": "T1",
    "t1ce": "T1C",
    "t2": "T2",
    "flair": "FLAIR",
    "t1n": "T1",
    "t1c": "T1C",
    "t2w": "T2",
    "t2f": "FLAIR",
}
_NAME = re.compile(r"(?P<scan>.+)[_-](?P<what>[a-z0-9]+)\.nii(\.gz)?")
_VISIT = re.compile(r"(?P<patient>BraTS-[A-Za-z]+-\d+)-\d+")  # 2023: patient, then visit
_STRAY_SEGMENTATION = re.compile(r".*_Segm\.nii(\.gz)?")  # one patient of 2020 has such a name
_WHITE = 65535


@dataclass(frozen=True, slots=True)
class Scan:
    """One folder: sequence to volume, and its segmentation; `path` is posix, inside the root."""

    path: str
    patient: str
    volumes: dict[MrSequence, Path]
    segmentation: Path | None


def survey(source: Source, root: Path) -> Survey:
    """List the volumes of the asked sequences, scan by scan.

    Args:
        source: a table entry of layout "brats".
        root: folder with one folder a scan, at any depth.

    Returns:
        Paths of volumes; each becomes as many records as slices show something, `path#number`.

    Raises:
        SourceError: no volume of an asked sequence.
    """
    scans, warnings = _scans(source, root)
    volumes = [scan.volumes[sequence] for scan in scans for sequence in scan.volumes]
    return Survey(tuple(volume.relative_to(root).as_posix() for volume in volumes), warnings)


def read(source: Source, root: Path, notes: Notes) -> Iterator[Record]:
    """Slices as PNG of 16 bits, from low to high, with the mask of the whole tumor.

    Without a segmentation neither finding nor label is known of a slice. Volumes that are not of
    whole grey values in 0-65535 are stretched to that range, one scale a volume.

    Raises:
        SourceError: as `survey`.
    """
    scans, warnings = _scans(source, root)
    notes.say(*warnings)
    for scan in scans:
        marked = None
        if scan.segmentation is not None:
            case = _case(source, scan.segmentation, root, notes)
            if case is None:
                continue
            marked = [piece.pixels != 0 for piece in case.slices]
        for sequence, volume in scan.volumes.items():
            path = volume.relative_to(root).as_posix()
            case = _case(source, volume, root, notes)
            if case is None:
                continue
            shapes = [piece.shape for piece in case.slices]
            if marked is not None and shapes != [mask.shape for mask in marked]:
                notes.add(
                    f"volumes of source {source.name} of another shape than their segmentation, "
                    "left out",
                    path,
                )
                continue
            yield from _records(source, scan, sequence, path, case, marked, notes)


def _records(
    source: Source,
    scan: Scan,
    sequence: MrSequence,
    path: str,
    case: Case,
    marked: list[NDArray[np.bool_]] | None,
    notes: Notes,
) -> Iterator[Record]:
    shown = [i for i, piece in enumerate(case.slices) if piece.pixels.min() < piece.pixels.max()]
    if empty := len(case.slices) - len(shown):
        notes.add(f"empty slices of source {source.name}, left out", path, empty)
    planes = _whole([case.slices[i].pixels for i in shown], source, path, notes)
    for place in _spread(len(shown), _detail(source).slices):
        number = shown[place]
        mask = None if marked is None else marked[number]
        meaning = None if mask is None else source.classes[MASKED if mask.any() else UNMASKED]
        yield Record(
            image=png(planes[place].astype(np.uint16)),
            label=None if meaning is None else meaning.label,
            finding=None if meaning is None else meaning.finding,
            group=scan.patient,
            source=source.name,
            path=f"{path}#{number:03d}",
            mask=None if mask is None else mask_png(mask),
            sequence=sequence,
            spacing=case.slices[number].spacing,
        )


def _detail(source: Source) -> Volumes:
    if not isinstance(source.detail, Volumes):
        raise TypeError(f"source {source.name} of layout brats needs Volumes as its detail")
    return source.detail


def _case(source: Source, file: Path, root: Path, notes: Notes) -> Case | None:
    """The slices of a volume as serving would show them, or None after a note."""
    try:
        return read_case(file)
    except InputRejected as refusal:
        notes.add(
            f"volumes of source {source.name} that cannot be read ({refusal.code}), left out",
            file.relative_to(root).as_posix(),
        )
        return None


def _whole(
    planes: list[NDArray[Any]], source: Source, path: str, notes: Notes
) -> list[NDArray[Any]]:
    """Planes of whole numbers in 0-65535."""
    if all((p >= 0).all() and (p <= _WHITE).all() and (p == np.rint(p)).all() for p in planes):
        return planes
    notes.add(f"volumes of source {source.name} stretched to whole grey values", path)
    low = min(float(plane.min()) for plane in planes)
    high = max(float(plane.max()) for plane in planes)
    return [np.rint((plane - low) * (_WHITE / (high - low))) for plane in planes]


def _spread(count: int, limit: int | None) -> list[int]:
    """At most `limit` places out of `count`, evenly spread, the middle of each share."""
    if limit is None or limit >= count:
        return list(range(count))
    return [int((i + 0.5) * count / limit) for i in range(limit)]


def _scans(source: Source, root: Path) -> tuple[list[Scan], tuple[str, ...]]:
    wanted = _detail(source).sequences
    scans: list[Scan] = []
    unmarked = lacking = 0
    folders = sorted({file.parent for file in root.rglob("*.nii*") if file.is_file()})
    for folder in folders:
        volumes: dict[MrSequence, Path] = {}
        segmentation = None
        for file in sorted(folder.iterdir()):
            found = _NAME.fullmatch(file.name)
            what = None if found is None else found["what"]
            if what == "seg" or _STRAY_SEGMENTATION.fullmatch(file.name):
                segmentation = file
            elif what in SUFFIXES and SUFFIXES[what] in wanted:
                volumes[SUFFIXES[what]] = file
        if not volumes:
            continue
        visit = _VISIT.fullmatch(folder.name)
        scans.append(
            Scan(
                folder.relative_to(root).as_posix(),
                folder.name if visit is None else visit["patient"],
                {sequence: volumes[sequence] for sequence in wanted if sequence in volumes},
                segmentation,
            )
        )
        unmarked += segmentation is None
        lacking += len(wanted) - len(volumes)
    if not scans:
        raise SourceError(
            f"source {source.name}: no volume of {', '.join(wanted)} by name "
            f"({', '.join(f'*_{suffix}.nii' for suffix in SUFFIXES)}, or .nii.gz): give the folder "
            "of the scans"
        )
    warnings = []
    if unmarked:
        warnings.append(
            f"{unmarked} of {len(scans)} scans of source {source.name} have no segmentation: "
            "nothing is stated of their slices"
        )
    if lacking:
        warnings.append(f"{lacking} volumes of source {source.name} are lacking")
    return scans, tuple(warnings)
