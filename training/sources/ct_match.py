"""Which DICOM files of a folder have a label in its CSV, and all that is wrong with the two.

Only names and the CSV are read. What makes the folder unusable is a fault, and every one is found;
what is merely left out is a warning.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from training.sources.layout import LabelFile, Source


@dataclass(frozen=True)
class Fault:
    """Why the folder cannot be used.

    Args:
        code: stable name.
        sentence: what was found, what was expected, what to do.
        count: how many files, ids, rows or tables are at fault.
    """

    code: str
    sentence: str
    count: int


@dataclass(frozen=True)
class Oddity:
    """Something that is left out.

    Args:
        code: stable name.
        count: of what.
        what: "files", say.
        have: what is odd about them, after `what`.
        names: of them, where they have any.
    """

    code: str
    count: int
    what: str
    have: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows:
    """What a CSV of labels says.

    Args:
        labels: id to the label that its first row gives.
        contradicted: one sentence an id that a later row gives another label.
        repeated: rows that repeat an id and its label.
        empty: rows without an id or without a label.
        wrong_columns: what is wrong with its columns; "" where they are as expected.
    """

    labels: dict[str, str]
    contradicted: tuple[str, ...] = ()
    repeated: int = 0
    empty: int = 0
    wrong_columns: str = ""


@dataclass(frozen=True)
class Match:
    """A folder of DICOM files and what its CSV says of them.

    Args:
        files: every .dcm file at any depth, sorted; an id is a file's name without .dcm.
        tables: how many files there are that can be the CSV.
        named: name of the CSV; None where the folder's only one is meant.
        rows: of the CSV.
        known: labels that have a meaning; empty: all do.
    """

    files: tuple[Path, ...]
    tables: int
    named: str | None
    rows: Rows
    known: tuple[str, ...]

    @property
    def labels(self) -> dict[str, str]:
        """Id to label."""
        return self.rows.labels

    @cached_property
    def used(self) -> tuple[Path, ...]:
        """Files that have a label."""
        return tuple(file for file in self.files if file.stem in self.labels)

    @cached_property
    def without_label(self) -> tuple[Path, ...]:
        """Files whose id is not in the CSV."""
        return tuple(file for file in self.files if file.stem not in self.labels)

    @cached_property
    def without_file(self) -> tuple[str, ...]:
        """Ids of the CSV that no file has."""
        stems = {file.stem for file in self.files}
        return tuple(name for name in self.labels if name not in stems)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Label to files, by label."""
        return dict(sorted(Counter(self.labels[file.stem] for file in self.used).items()))

    def faults(self, source: str) -> Iterator[Fault]:
        """Everything that makes it unusable.

        Args:
            source: name to begin the sentences with.
        """
        for code, sentence, count in self._faults():
            yield Fault(code, f"source {source}: {sentence}", count)

    def _faults(self) -> Iterator[tuple[str, str, int]]:
        stems = Counter(file.stem for file in self.files)
        if twice := [stem for stem, count in stems.items() if count > 1]:
            yield (
                "several_files_of_an_id",
                f"{len(twice)} ids have several files, e.g. {twice[0]}: an id names one file, so "
                "keep one of each",
                len(twice),
            )
        if self.tables != 1:
            where = " at the top" if self.named is None else f" named {self.named}"
            yield (
                "no_table",
                f"{self.tables or 'no'} CSV of labels{where}, expected one: name it in the entry",
                self.tables,
            )
            return
        if self.rows.wrong_columns:
            yield "missing_column", self.rows.wrong_columns, 1
            return
        if said := self.rows.contradicted:
            yield "two_labels_of_an_id", said[0], len(said)
        if not self.used:
            yield (
                "nothing_labelled",
                f"none of {len(self.files)} .dcm files has one of the {len(self.labels)} ids in "
                "the CSV: an id is a file's name without .dcm",
                len(self.files),
            )
        if odd := [file for file in self.used if self.known and self.label(file) not in self.known]:
            yield (
                "unknown_label",
                f"label {self.label(odd[0])!r}: expected {', '.join(self.known)}",
                len(odd),
            )

    def label(self, file: Path) -> str:
        """Of a file that is used."""
        return self.labels[file.stem]

    @property
    def oddities(self) -> Iterator[Oddity]:
        """Rows, ids and files that are left out."""
        alone = tuple(file.stem for file in self.without_label)
        for one in (
            Oddity("repeated_rows", self.rows.repeated, "rows", "repeat an id and its label"),
            Oddity(
                "rows_without_id_or_label",
                self.rows.empty,
                "rows",
                "have no id or no label: left out",
            ),
            Oddity(
                "ids_without_file", len(self.without_file), "ids", "have no file", self.without_file
            ),
            Oddity("files_without_id", len(alone), "files", "have no label: left out", alone),
        ):
            if one.count:
                yield one

    def warnings(self, source: str) -> Iterator[str]:
        """The same as sentences."""
        return (f"{one.count} {one.what} of source {source} {one.have}" for one in self.oddities)


def detail(source: Source) -> LabelFile:
    """Where the labels of a source of layout "ct" stand."""
    if not isinstance(source.detail, LabelFile):
        raise TypeError(f"source {source.name} of layout ct needs LabelFile as its detail")
    return source.detail


def match(source: Source, root: Path) -> Match:
    """Look through a folder; nothing that is wrong with it is raised.

    Args:
        source: a table entry of layout "ct".
        root: the folder with both, files at any depth.
    """
    spec = detail(source)
    files = sorted(file for file in root.rglob("*") if file.suffix.lower() == ".dcm")
    tables = sorted(root.glob("*.csv")) if spec.name is None else [root / spec.name]
    tables = [file for file in tables if file.is_file()]
    rows = _rows(tables[0], spec) if len(tables) == 1 else Rows({})
    return Match(tuple(files), len(tables), spec.name, rows, tuple(spec.classes))


def _rows(file: Path, spec: LabelFile) -> Rows:
    labels: dict[str, str] = {}
    contradicted: dict[str, str] = {}
    again = empty = 0
    with file.open(encoding="utf-8-sig", newline="") as lines:
        table = csv.DictReader(lines)
        columns = list(table.fieldnames or ())
        id_column = _id_column(columns, spec)
        if id_column is None:
            wanted = "one of ids" if spec.id_column is None else spec.id_column
            return Rows(
                {},
                wrong_columns=f"the CSV has the columns {', '.join(columns) or 'none'}: expected "
                f"{spec.column} and {wanted}",
            )
        for row in table:
            name, label = (row[id_column] or "").strip(), (row[spec.column] or "").strip()
            if not name or not label:
                empty += 1
                continue
            again += labels.get(name) == label
            if labels.setdefault(name, label) != label:
                contradicted.setdefault(
                    name,
                    f"line {table.line_num} of the CSV gives {name} a second label "
                    f"({labels[name]!r}, then {label!r}): keep the right one",
                )
    return Rows(labels, tuple(contradicted.values()), again, empty)


def _id_column(columns: list[str], spec: LabelFile) -> str | None:
    """The column of ids; None where it or that of the labels is not there, or several could be."""
    others = [name for name in columns if name != spec.column]
    named = [name for name in others if name.strip().casefold() == "id"]
    if spec.id_column is not None:
        named, others = [name for name in others if name == spec.id_column], []
    if spec.column in columns and len(named) < 2 and (named or others):
        return (named or others)[0]
    return None
