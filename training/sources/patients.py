"""The patient maps that are shipped: which patient an image shows, looked up by its pixels.

masoudnickparvar states no patients, but most of its images are slices of Cheng's published set,
which does. The map holds a hash of every image's pixels, so that who has the images gets the
patients without Cheng's files, whatever the images are called and however they are encoded. Where
no patient is known, images that show one slice (turned, mirrored, cropped, in other contrast; see
`training.linkage`) are one group, called as the one that a review names, or else as the one that
has the most images.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from hub_model.errors import InputRejected
from training.sources import Record, SourceError, pixel_hash
from training.sources.survey import Notes
from training.whole_file import whole_file

FOLDER = Path(__file__).parent
DIGITS = 16  # of the hash that are kept: two of 10,000 images are alike by chance once in 10^11


@dataclass(frozen=True, slots=True)
class Known:
    """A row of a map.

    Args:
        path: posix, in the version of the source that the map was made from.
        pixels: the first `DIGITS` hex digits of `pixel_hash`.
        group: patient, `cheng-NNN`, or cluster of look-alikes, `look-NNNN`.
        cheng_index: number of the slice in Cheng's set, "1" to "3064"; "" where it is not from it.
        orientation: "flipLR" where the image has to be mirrored left-right to be Cheng's slice,
            "id" where not; "" where it is not from it.
        origin: "cheng", "br35h", or "" where it is not known.
    """

    path: str
    pixels: str
    group: str
    cheng_index: str
    orientation: str
    origin: str


@dataclass(frozen=True, slots=True)
class PatientMap:
    """Rows by pixels, and the pixels that every path had."""

    by_pixels: Mapping[str, Known]
    by_path: Mapping[str, str]

    def of(self, sha256: str) -> Known | None:
        """The row of an image, by its `pixel_hash`; of identical images the first one's."""
        return self.by_pixels.get(sha256[:DIGITS])


def read(name: str) -> PatientMap:
    """A map of this folder.

    Args:
        name: of the file, as `Source.patients` gives it.

    Raises:
        SourceError: its columns are not those of `Known`, or it gives identical images two groups.
    """
    by_pixels: dict[str, Known] = {}
    by_path: dict[str, str] = {}
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        table = csv.reader(lines)
        if (header := next(table, [])) != _COLUMNS:
            raise SourceError(f"{name} has the columns {header}: expected {_COLUMNS}")
        for row in table:
            if len(row) != len(_COLUMNS):
                raise SourceError(
                    f"line {table.line_num} of {name} has {len(row)} columns: expected "
                    f"{len(_COLUMNS)}"
                )
            known = Known(*row)
            by_path[known.path] = known.pixels
            if by_pixels.setdefault(known.pixels, known).group != known.group:
                raise SourceError(f"{name} gives the pixels {known.pixels} two groups")
    return PatientMap(by_pixels, by_path)


def assign(records: Iterable[Record], patients: PatientMap, notes: Notes) -> Iterator[Record]:
    """The same records with the group that the map has for their pixels.

    A record whose pixels the map does not hold keeps its own group, and is counted in `notes`: its
    patient can be among the known ones. A file that does not decode is left to the build.
    """
    for record in records:
        try:
            known = patients.of(pixel_hash(record.image))
        except InputRejected:
            yield record
            continue
        if known is not None:
            yield replace(record, group=known.group)
            continue
        what = (
            f"images of source {record.source} whose pixels are not those that the patient map has "
            "for their path, no group from it"
            if record.path in patients.by_path
            else f"images of source {record.source} that the patient map does not hold, no group "
            "from it"
        )
        notes.add(what, record.path)
        yield record


def write(groups: Path, images: Path, out: Path) -> int:
    """Make a map; run by hand when the source has a new version.

    Args:
        groups: CSV with the columns path, group, cheng_index, orientation and origin.
        images: folder that the paths are relative to.
        out: the map; appears when it is whole.

    Returns:
        Number of rows, in the order of `groups`.

    Raises:
        InputRejected: an image cannot be read.
    """
    count = 0
    with whole_file(out) as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(_COLUMNS)
        for known in _rows(groups, images):
            table.writerow(astuple(known))
            count += 1
    return count


def _rows(groups: Path, images: Path) -> Iterator[Known]:
    with groups.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            pixels = pixel_hash((images / row["path"]).read_bytes())[:DIGITS]
            yield Known(row["path"], pixels, *(row[column] for column in _COLUMNS[2:]))


_COLUMNS = [field.name for field in fields(Known)]
