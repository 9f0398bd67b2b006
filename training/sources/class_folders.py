"""Reader of `root/[inside/][split/]class/*.jpg` as a table entry lays it out.

`survey` looks at names only and says at once what is missing; `read` then yields one image at a
time. Files that do not decode are found by the build, which counts and lists them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.sources import Record, SourceError
from training.sources.files import SUFFIXES, copied, folders, listing, refuse_missing
from training.sources.layout import HERE, Meaning, OfficialSplit, Source
from training.sources.survey import Notes, Survey


@dataclass(frozen=True, slots=True)
class File:
    """One image file, not yet read; `path` is posix and inside the root."""

    path: str
    meaning: Meaning
    official_split: OfficialSplit | None

    def record(self, source: Source, root: Path) -> Record:
        """The file with its own bytes, whether they decode or not."""
        return Record(
            image=(root / self.path).read_bytes(),
            label=self.meaning.label,
            finding=self.meaning.finding,
            group=None,
            source=source.name,
            path=self.path,
            official_split=self.official_split,
        )


def survey(source: Source, root: Path) -> Survey:
    """List the images of a source and check that its folders are those of the table.

    Args:
        source: a table entry of layout "class_folders".
        root: where it is, see `fetch.locate`.

    Returns:
        Paths in the order in which `read` yields them.

    Raises:
        SourceError: a folder is missing, or holds no image.
    """
    files, warnings = find(source, root)
    return Survey(tuple(file.path for file in files), warnings)


def read(source: Source, root: Path, notes: Notes) -> Iterator[Record]:
    """The images of a source, one at a time, sorted by path.

    Args:
        source: a table entry of layout "class_folders".
        root: where it is, see `fetch.locate`.
        notes: gets the warnings of the survey.

    Yields:
        Records that hold the files' own bytes, whether they decode or not.

    Raises:
        SourceError: as `survey`.
    """
    files, warnings = find(source, root)
    notes.say(*warnings)
    yield from (file.record(source, root) for file in files)


def find(source: Source, root: Path) -> tuple[list[File], tuple[str, ...]]:
    """The files of the table's folders, sorted by path, and warnings about all others.

    Raises:
        SourceError: as `survey`.
    """
    files: list[File] = []
    strange: Counter[str] = Counter()
    others = 0
    for split_folder, split in source.splits.items() or (("", None),):
        top = root / source.inside / split_folder
        if split_folder in source.optional_splits and not top.is_dir():
            continue
        expected = {HERE: top} if HERE in source.classes else {n: top / n for n in source.classes}
        where = "/".join(part for part in (source.inside, split_folder) if part)
        missing = [where if n == HERE else n for n, f in expected.items() if not f.is_dir()]
        refuse_missing(source, missing, where, top if top.is_dir() else root)
        if HERE not in source.classes:
            strange.update(name for name in folders(top) if name not in source.classes)
        for name, folder in expected.items():
            images, left = listing(folder)
            others += left
            if not images:
                raise SourceError(
                    f"source {source.name}: class {name} of {split_folder or 'the source'} holds "
                    f"no image ({', '.join(sorted(SUFFIXES))}): fetch it again"
                )
            meaning = source.classes[name]
            files += (File(image.relative_to(root).as_posix(), meaning, split) for image in images)
    warnings = copied(source, root)
    warnings += [
        f"folder {name} of source {source.name} is not in the table: left out, {count} times"
        for name, count in sorted(strange.items())
    ]
    if others:
        warnings.append(f"{others} files of source {source.name} are no images by their name")
    return sorted(files, key=lambda file: file.path), tuple(warnings)
