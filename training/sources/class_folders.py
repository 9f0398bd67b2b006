"""Reader of `root/[inside/][split/]class/*.jpg` as a table entry lays it out, and of any folder.

`survey` looks at names only and says at once what is missing; `read` then yields one image at a
time. Files that do not decode are found by the build, which counts and lists them.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.sources import Record, SourceError
from training.sources.table import HERE, Meaning, OfficialSplit, Source

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True, slots=True)
class File:
    """One image file, not yet read."""

    path: str  # posix, inside the root
    meaning: Meaning | None
    official_split: OfficialSplit | None


@dataclass(frozen=True, slots=True)
class Survey:
    """What a source's folder holds.

    Args:
        files: sorted by path.
        warnings: sentences about folders and files that were left out.
    """

    files: tuple[File, ...]
    warnings: tuple[str, ...]


def survey(source: Source, root: Path) -> Survey:
    """List the images of a source and check that its folders are those of the table.

    Args:
        source: a table entry of layout "class_folders" or "folder".
        root: where it is, see `fetch.locate`.

    Returns:
        Files in the order in which `read` yields them.

    Raises:
        SourceError: a folder is missing, or holds no image.
    """
    if source.layout == "folder":
        return _survey_any(source, root)
    files: list[File] = []
    strange: Counter[str] = Counter()
    other_files = 0
    for split_folder, split in source.splits.items() or (("", None),):
        top = root / source.inside / split_folder
        expected = {HERE: top} if HERE in source.classes else {n: top / n for n in source.classes}
        missing = [name for name, folder in expected.items() if not folder.is_dir()]
        if missing:
            found = _folders(top) if top.is_dir() else _folders(root)
            where = "/".join(part for part in (source.inside, split_folder) if part) or "the top"
            raise SourceError(
                f"source {source.name}: expected {', '.join(sorted(missing))} in {where}, found "
                f"{', '.join(found) or 'nothing'}: give the folder of version {source.version}"
            )
        if HERE not in source.classes:
            strange.update(name for name in _folders(top) if name not in source.classes)
        for name, folder in expected.items():
            images, others = _listing(folder)
            other_files += others
            if not images:
                raise SourceError(
                    f"source {source.name}: class {name} of {split_folder or 'the source'} holds "
                    f"no image ({', '.join(sorted(SUFFIXES))}): fetch it again"
                )
            files.extend(
                File(image.relative_to(root).as_posix(), source.classes[name], split)
                for image in images
            )
    warnings = [
        f"folder {name} of source {source.name} is not in the table: left out, {count} times"
        for name, count in sorted(strange.items())
    ]
    if other_files:
        warnings.append(f"{other_files} files of source {source.name} are no images by their name")
    return Survey(tuple(sorted(files, key=lambda file: file.path)), tuple(warnings))


def _survey_any(source: Source, root: Path) -> Survey:
    images = sorted(path for path in root.rglob("*") if _is_image(path))
    if not images:
        raise SourceError(f"source {source.name}: the folder holds no image at any depth")
    files = [File(path.relative_to(root).as_posix(), None, None) for path in images]
    return Survey(tuple(sorted(files, key=lambda file: file.path)), ())


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _folders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir())


def _listing(folder: Path) -> tuple[list[Path], int]:
    """Images standing in the folder, and how many other files do."""
    files = [entry for entry in folder.iterdir() if entry.is_file()]
    images = [file for file in files if _is_image(file)]
    return images, len(files) - len(images)


def read(source: Source, root: Path, groups: Mapping[str, str] | None = None) -> Iterator[Record]:
    """The images of a source, one at a time, sorted by path.

    Args:
        source: a table entry of layout "class_folders" or "folder".
        root: where it is, see `fetch.locate`.
        groups: path inside the root to patient or look-alike group, see `read_groups`. None: the
            groups stay unknown, and a build keeps no more than exact copies together.

    Yields:
        Records that hold the files' own bytes, whether they decode or not.

    Raises:
        SourceError: as `survey`; or images have no group.
    """
    files = survey(source, root).files
    if groups is not None:
        lacking = [file.path for file in files if file.path not in groups]
        if lacking:
            raise SourceError(
                f"source {source.name}: {len(lacking)} of {len(files)} images have no group, e.g. "
                f"{lacking[0]}: give every image a row in the groups file, or go without the file"
            )
    for file in files:
        yield Record(
            image=(root / file.path).read_bytes(),
            label=None if file.meaning is None else file.meaning.label,
            finding=None if file.meaning is None else file.meaning.finding,
            group=None if groups is None else groups[file.path],
            source=source.name,
            path=file.path,
            official_split=file.official_split,
        )


def read_groups(file: Path) -> dict[str, str]:
    """Groups from a CSV file with the columns `path` and `group`; further columns are left alone.

    Args:
        file: UTF-8, with a header line; paths are posix and relative to the source's folder.

    Returns:
        Path to group.

    Raises:
        SourceError: a column is missing, a path is listed twice with two groups, or a group is
            empty.
    """
    with file.open(encoding="utf-8", newline="") as lines:
        table = csv.DictReader(lines)
        found = table.fieldnames or []
        if not {"path", "group"} <= set(found):
            raise SourceError(
                f"the groups file has the columns {', '.join(found)}: it needs path and group"
            )
        groups: dict[str, str] = {}
        for row in table:
            path, group = row["path"], row["group"]
            if not path or not group:
                raise SourceError(
                    f"line {table.line_num} of the groups file has no path or no group"
                )
            if groups.setdefault(path, group) != group:
                raise SourceError(
                    f"line {table.line_num} of the groups file gives a second group to one path"
                )
    return groups
