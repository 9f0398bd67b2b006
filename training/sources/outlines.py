"""Reader of split folders of images, each with a file of outlines, into images with masks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from PIL import ExifTags, Image, UnidentifiedImageError

from hub_model.errors import InputRejected
from hub_model.reading.refusals import refused_as
from training.sources import Record, SourceError
from training.sources.class_folders import find
from training.sources.files import mask_png
from training.sources.layout import Source
from training.sources.survey import Notes, Survey
from training.sources.via import Points, draw, read_outlines

ALL = "annotations_all.json"  # beside the split folders, for those without a file of their own
_LYING = (5, 6, 7, 8)  # EXIF orientations that swap rows and columns


def survey(source: Source, root: Path) -> Survey:
    """List the images, and which of them have no outline and the other way round.

    Args:
        source: a table entry of layout "outlines".
        root: where it is, see `fetch.locate`.

    Raises:
        SourceError: as `class_folders.survey`; or a folder's outlines are missing or damaged.
    """
    files, outlines, warnings = _find(source, root)
    del outlines
    return Survey(tuple(files), warnings)


def read(source: Source, root: Path, notes: Notes) -> Iterator[Record]:
    """The images, one at a time, sorted by path, with the files' own bytes and a mask.

    An image without an outline, or whose outlines leave nothing inside it, has no mask; that its
    header cannot be read leaves it to the build to refuse it.

    Raises:
        SourceError: as `survey`.
    """
    files, outlines, warnings = _find(source, root)
    notes.say(*warnings)
    meaning = next(iter(source.classes.values()))
    for path in files:
        image = (root / path).read_bytes()
        folder = PurePosixPath(path).parent.name
        yield Record(
            image=image,
            label=meaning.label,
            finding=meaning.finding,
            group=None,
            source=source.name,
            path=path,
            official_split=source.splits[folder],
            mask=_mask(image, outlines.get(path, ()), path, notes),
        )


def _find(
    source: Source, root: Path
) -> tuple[list[str], dict[str, tuple[Points, ...]], tuple[str, ...]]:
    """Paths of the images, outlines by path, and warnings."""
    found, warnings = find(source, root)
    paths = [file.path for file in found]
    outlines: dict[str, tuple[Points, ...]] = {}
    lonely = 0
    present = dict.fromkeys(str(PurePosixPath(path).parent) for path in paths)
    for folder in present:
        names = {PurePosixPath(path).name for path in paths if path.startswith(f"{folder}/")}
        file, own = _file(source, root / folder)
        read = {name: regions for name, regions in read_outlines(file).items() if regions}
        lonely += len(read.keys() - names) if own else 0
        outlines.update({f"{folder}/{name}": read[name] for name in names & read.keys()})
    said = [text for text in warnings if not text.endswith("are no images by their name")]
    bare = [path for path in paths if path not in outlines]
    if bare:
        said.append(
            f"{len(bare)} of {len(paths)} images of source {source.name} have no outline, e.g. "
            f"{bare[0]}: no mask"
        )
    if lonely:
        said.append(f"{lonely} outlined images of source {source.name} are not there")
    return paths, outlines, tuple(said)


def _file(source: Source, folder: Path) -> tuple[Path, bool]:
    """The file of outlines for a folder, and whether it is that folder's own."""
    found = sorted(folder.glob("*.json"))
    if len(found) == 1:
        return found[0], True
    if not found and (folder.parent / ALL).is_file():
        return folder.parent / ALL, False
    raise SourceError(
        f"source {source.name}: {len(found)} JSON files in {folder.name}, expected one of VIA "
        f"outlines, or {ALL} beside it: fetch it again"
    )


def _mask(image: bytes, outlines: tuple[Points, ...], path: str, notes: Notes) -> bytes | None:
    """PNG of what the outlines enclose, over the pixels as serving turns them."""
    if not outlines:
        return None
    try:
        with (
            refused_as("bad_raster", "a damaged image", UnidentifiedImageError),
            Image.open(io.BytesIO(image)) as opened,
        ):
            columns, rows = opened.size
            if opened.getexif().get(ExifTags.Base.Orientation, 1) in _LYING:
                columns, rows = rows, columns
    except InputRejected:
        notes.add("outlined images whose header cannot be read, no mask", path)
        return None
    mask = draw(outlines, (rows, columns))
    if mask.outside:
        notes.add("images with an outline that passes their border, cut off there", path)
    if not mask.pixels.any():
        notes.add("images whose outlines enclose none of their pixels, no mask", path)
        return None
    return mask_png(mask.pixels)
