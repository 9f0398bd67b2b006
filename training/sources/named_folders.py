"""Reader of class folders that stand at any depth and are found by their names.

For downloads whose folders differ between versions or are not documented. A folder counts as the
class whose name it has when case, spaces, dashes and underscores are left out, with or without
"tumor" behind it: `Glioma`, `glioma_tumor` and `No-Tumor` are classes "glioma" and "notumor".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TypeVar

from training.sources import Record, SourceError
from training.sources.class_folders import File
from training.sources.files import copied, is_image
from training.sources.layout import OfficialSplit, Source
from training.sources.survey import Notes, Survey

SPLITS: Mapping[str, OfficialSplit] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_Said = TypeVar("_Said")


def survey(source: Source, root: Path) -> Survey:
    """List the images in folders of the table's classes.

    Args:
        source: a table entry of layout "named_folders".
        root: where it is, see `fetch.locate`.

    Raises:
        SourceError: a class has no image at any depth.
    """
    files, warnings = _find(source, root)
    return Survey(tuple(file.path for file in files), warnings)


def read(source: Source, root: Path, notes: Notes) -> Iterator[Record]:
    """The images, one at a time, sorted by path, with the files' own bytes.

    Raises:
        SourceError: as `survey`.
    """
    files, warnings = _find(source, root)
    notes.say(*warnings)
    yield from (file.record(source, root) for file in files)


def _find(source: Source, root: Path) -> tuple[list[File], tuple[str, ...]]:
    classes = {_plain(name): meaning for name, meaning in source.classes.items()}
    files: list[File] = []
    filled: set[str] = set()
    unnamed: Counter[str] = Counter()
    for image in sorted(path for path in root.rglob("*") if is_image(path)):
        path = image.relative_to(root).as_posix()
        if any(path.startswith(f"{copy}/") for copy in source.copies):
            continue
        above = [folder.name for folder in PurePosixPath(path).parents]
        found = _nearest(above, classes)
        if found is None:
            unnamed[above[0] or "the top"] += 1
            continue
        name, meaning = found
        filled.add(name)
        split = _nearest(above, SPLITS)
        files.append(File(path, meaning, None if split is None else split[1]))
    if empty := sorted(set(classes) - filled):
        raise SourceError(
            f"source {source.name}: no image in a folder named {', '.join(empty)} at any depth: "
            f"give the folder of {source.origin or 'the whole source'}"
        )
    warnings = copied(source, root) + [
        f"{count} images of source {source.name} in {folder}, which is no folder of a class: "
        "left out"
        for folder, count in sorted(unnamed.items())
    ]
    return files, tuple(warnings)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _nearest(names: list[str], known: Mapping[str, _Said]) -> tuple[str, _Said] | None:
    """The first name that is known, and what it says."""
    for name in map(_plain, names):
        for spelling in (name, name.removesuffix("tumor"), name.removesuffix("tumour")):
            if spelling in known:
                return spelling, known[spelling]
    return None
