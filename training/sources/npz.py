"""Reader of `.npz` files with an array of images and one of one-hot labels.

The images are read off the archive one after the other, so that no more than one of them is in
memory, whether the archive is deflated or not. Arrays of objects are refused: nothing is unpickled.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from training.sources import Record, SourceError
from training.sources.files import png
from training.sources.layout import Arrays, Source
from training.sources.survey import Notes, Survey

_TORN = (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, struct.error)


@dataclass(frozen=True, slots=True)
class Header:
    """What an array's header says."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def survey(source: Source, root: Path) -> Survey:
    """Compare the arrays' headers and the labels with the table.

    Args:
        source: a table entry of layout "npz".
        root: the folder of the archives, see `fetch.locate`.

    Returns:
        One path an image, `file.npz#index`.

    Raises:
        SourceError: no archive, an array missing or of another shape or type, labels that are not
            one-hot, or a class without images.
    """
    paths: list[str] = []
    counts = np.zeros(len(source.classes), np.int64)
    for file in _files(source, root):
        labels = _labels(source, file)
        counts += np.bincount(labels, minlength=len(counts))
        name = file.relative_to(root).as_posix()
        paths += (_path(name, index) for index in range(len(labels)))
    if empty := [c for c, count in zip(source.classes, counts, strict=True) if not count]:
        raise SourceError(f"source {source.name}: class {', '.join(empty)} has no image")
    return Survey(tuple(paths))


def read(source: Source, root: Path, notes: Notes) -> Iterator[Record]:
    """The images as PNG, in the order of the archive.

    Floats are rounded to 256 grey values over the range that the table states.

    Raises:
        SourceError: as `survey`; values outside the stated range, or an archive that is torn.
    """
    survey(source, root)
    detail = _detail(source)
    meanings = list(source.classes.values())
    for file in _files(source, root):
        name = file.relative_to(root).as_posix()
        labels = _labels(source, file)
        with _array(source, file, detail.images) as (header, stream):
            _refuse_images(source, header, len(labels))
            largest = -math.inf
            for index, label in enumerate(labels):
                plane = _next(source, header, stream)
                largest = max(largest, float(plane.max()))
                meaning = meanings[label]
                yield Record(
                    image=png(_grey(source, plane)),
                    label=meaning.label,
                    finding=meaning.finding,
                    group=None,
                    source=source.name,
                    path=_path(name, index),
                )
            if detail.floats == "0-255" and header.dtype.kind == "f" and largest <= 1:
                raise SourceError(
                    f"source {source.name}: no float of {detail.images} passes {largest:g}, the "
                    "table says 0-255: state 0-1 in its entry"
                )


def _detail(source: Source) -> Arrays:
    if not isinstance(source.detail, Arrays):
        raise TypeError(f"source {source.name} of layout npz needs Arrays as its detail")
    return source.detail


def _files(source: Source, root: Path) -> list[Path]:
    files = sorted((root / source.inside).rglob("*.npz"))
    if not files:
        raise SourceError(
            f"source {source.name}: no .npz at any depth: give the folder of "
            f"{source.origin or 'the whole source'}"
        )
    return files


def _path(name: str, index: int) -> str:
    return f"{name}#{index:06d}"


@contextmanager
def _array(source: Source, file: Path, name: str) -> Iterator[tuple[Header, IO[bytes]]]:
    """Header of an array, and the stream that stands at its first value.

    Raises:
        SourceError: no such array, or one that cannot be read without unpickling.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = [entry.removesuffix(".npy") for entry in archive.namelist()]
            if name not in names:
                raise SourceError(
                    f"source {source.name}: {file.name} holds the arrays {', '.join(names)}: "
                    f"expected {name}"
                )
            with archive.open(f"{name}.npy") as stream:
                yield _header(source, stream, name), stream
    except _TORN as error:
        raise SourceError(
            f"source {source.name}: {file.name} is torn or no archive ({type(error).__name__}): "
            "fetch it again"
        ) from error


def _header(source: Source, stream: IO[bytes], name: str) -> Header:
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise SourceError(
            f"source {source.name}: array {name} is of format {version}: expected 1.0 or 2.0"
        )
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if fortran or dtype.kind not in "iufb":
        raise SourceError(
            f"source {source.name}: array {name} holds {dtype}{' by columns' if fortran else ''}: "
            "expected numbers by rows"
        )
    return Header(shape, dtype)


def _next(source: Source, header: Header, stream: IO[bytes]) -> NDArray[Any]:
    """The next plane of an array."""
    size = math.prod(header.shape[1:]) * header.dtype.itemsize
    data = stream.read(size)
    if len(data) < size:
        raise SourceError(f"source {source.name}: an array ends early: fetch it again")
    return np.frombuffer(data, header.dtype).reshape(header.shape[1:])


def _labels(source: Source, file: Path) -> NDArray[np.int64]:
    """`(N,)` index of each image's class.

    Raises:
        SourceError: the labels are not one-hot over the table's classes.
    """
    name = _detail(source).labels
    with _array(source, file, name) as (header, stream):
        if len(header.shape) != 2 or header.shape[1] != len(source.classes):
            raise SourceError(
                f"source {source.name}: array {name} has the shape {header.shape}: expected "
                f"(N, {len(source.classes)}), columns {', '.join(source.classes)}"
            )
        size = math.prod(header.shape) * header.dtype.itemsize
        data = stream.read(size)
        if len(data) < size:
            raise SourceError(f"source {source.name}: array {name} ends early: fetch it again")
        values = np.frombuffer(data, header.dtype).reshape(header.shape)
    wrong = ~(np.isin(values, (0, 1)).all(axis=1) & (values.sum(axis=1) == 1))
    if wrong.any():
        raise SourceError(
            f"source {source.name}: {int(wrong.sum())} of {len(values)} rows of {name} are not "
            f"one-hot, the first is row {int(wrong.argmax())}: expected one 1 and else 0"
        )
    with _array(source, file, _detail(source).images) as (header, _):
        _refuse_images(source, header, len(values))
    return values.argmax(axis=1)


def _refuse_images(source: Source, header: Header, count: int) -> None:
    """Raise where the array of images is not what the table says."""
    detail = _detail(source)
    shape = header.shape
    if len(shape) not in (3, 4) or shape[3:] not in ((), (3,)) or min(shape[1:]) < 1:
        raise SourceError(
            f"source {source.name}: array {detail.images} has the shape {shape}: expected "
            "(N, H, W) or (N, H, W, 3)"
        )
    if shape[0] != count:
        raise SourceError(
            f"source {source.name}: {shape[0]} images and {count} labels: fetch it again"
        )
    if header.dtype.kind == "f" and detail.floats is None:
        raise SourceError(
            f"source {source.name}: array {detail.images} holds {header.dtype}, and the table does "
            "not say whether white is 1 or 255: state floats in its entry"
        )


def _grey(source: Source, plane: NDArray[Any]) -> NDArray[np.uint8]:
    """The plane in 256 grey values.

    Raises:
        SourceError: a value is outside the range that the table states.
    """
    detail = _detail(source)
    white = 1 if plane.dtype.kind == "f" and detail.floats == "0-1" else 255
    low, high = plane.min(), plane.max()
    if not (low >= 0 and high <= white):  # also where a value is not a number
        raise SourceError(
            f"source {source.name}: values from {low:g} to {high:g} in {detail.images}, the table "
            f"says 0 to {white}: correct its entry"
        )
    if plane.dtype == np.uint8:
        return plane
    return np.rint(plane * (255 / white)).astype(np.uint8)
