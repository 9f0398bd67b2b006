"""Reader of any dataset on the Hub at a pinned revision, row by row as it is streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from hub_model.errors import UsageError
from training.sources import Record, SourceError
from training.sources.layout import OfficialSplit, Rows, Source
from training.sources.survey import Notes

_SPLITS: dict[str, OfficialSplit] = {
    "train": "train",
    "validation": "validation",
    "test": "test",
}


def rows(source: Source) -> Rows:
    """Which rows the entry names.

    Raises:
        UsageError: none, or its revision can move.
    """
    if not isinstance(source.detail, Rows):
        raise UsageError(
            f"source {source.name} is any dataset on the Hub: say which, with its revision and "
            "its columns of images and labels"
        )
    if not re.fullmatch("[0-9a-f]{40}", source.detail.revision):
        raise UsageError(
            f"revision {source.detail.revision!r} of {source.detail.repo_id}: give 40 hex digits, "
            "a branch or tag can move"
        )
    return source.detail


def read(source: Source, notes: Notes) -> Iterator[Record]:
    """The rows of one split, in the order of the Hub; a row is in memory at a time.

    Args:
        source: a table entry of layout "hub", its detail filled in.
        notes: gets what was left out.

    Yields:
        Records with the bytes that the dataset embeds or points to; `path` is split and number.

    Raises:
        UsageError: as `rows`.
        SourceError: no such dataset, revision, split or column; a label that the entry does not
            know; or a class without images.
    """
    import datasets

    wanted = rows(source)
    stream = _stream(wanted)
    features = stream.features
    needed = [c for c in (wanted.image, wanted.label, wanted.group) if c is not None]
    if lacking := [column for column in needed if column not in features]:
        raise SourceError(
            f"{wanted.repo_id} has no column {', '.join(lacking)}: its columns are "
            f"{', '.join(features)}"
        )
    if not isinstance(features[wanted.image], datasets.Image):
        raise SourceError(
            f"column {wanted.image} of {wanted.repo_id} holds {features[wanted.image]}: expected "
            "images"
        )
    names = getattr(features[wanted.label], "names", None) if wanted.label else None
    seen: set[str] = set()
    for number, row in enumerate(_rows(stream.select_columns(needed), wanted)):
        path = f"{wanted.split}/{number:06d}"
        if row[wanted.image] is None:
            notes.add(f"rows of source {source.name} without an image, left out", path)
            continue
        label = _label(row[wanted.label], names) if wanted.label else None
        if label is not None:
            seen.add(label)
        if label is not None and wanted.classes and label not in wanted.classes:
            raise SourceError(
                f"a row of {wanted.repo_id} is labelled {label!r}: expected "
                f"{', '.join(wanted.classes)}"
            )
        meaning = None if label is None else wanted.classes.get(label)
        group = row[wanted.group] if wanted.group else None
        yield Record(
            image=_bytes(row[wanted.image]),
            label=label if meaning is None else meaning.label,
            finding=None if meaning is None else meaning.finding,
            group=None if group in (None, "") else str(group),
            source=source.name,
            path=path,
            official_split=_SPLITS.get(wanted.split),
        )
    if empty := [name for name in wanted.classes if name not in seen]:
        raise SourceError(f"{wanted.repo_id}: class {', '.join(empty)} has no image")


def _stream(wanted: Rows) -> Any:
    """The split as the library streams it, images left as they are stored.

    Raises:
        SourceError: it cannot be had.
    """
    import datasets
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    try:
        stream = datasets.load_dataset(
            wanted.repo_id,
            name=wanted.config,
            split=wanted.split,
            revision=wanted.revision,
            streaming=True,
        )
    except (DatasetsError, HfHubHTTPError, OSError, ValueError) as error:
        raise SourceError(
            f"split {wanted.split} of {wanted.repo_id}@{wanted.revision} could not be opened "
            f"({type(error).__name__}): check the three, and HF_TOKEN where it is private or gated"
        ) from error
    if stream.features is None:
        raise SourceError(f"{wanted.repo_id} states no columns: pin a revision in parquet")
    return stream.decode(False)  # first of all: it also ends the threads that would decode


def _rows(stream: Any, wanted: Rows) -> Iterator[dict[str, Any]]:
    """The rows, and an error of ours where the Hub stops answering."""
    from huggingface_hub.errors import HfHubHTTPError

    with closing(iter(stream)) as rows:
        while True:
            try:
                row = next(rows, None)
            except (HfHubHTTPError, OSError, ValueError) as error:
                raise SourceError(
                    f"{wanted.repo_id} stopped in the middle of split {wanted.split} "
                    f"({type(error).__name__}): try again"
                ) from error
            if row is None:
                return
            yield row


def _label(value: Any, names: list[str] | None) -> str | None:
    """Name of a class; -1 and nothing are labels that are not known."""
    if value is None or value == "" or (names is not None and value == -1):
        return None
    return str(value) if names is None else names[value]


def _bytes(image: Mapping[str, Any]) -> bytes:
    """The file that a row embeds, or the one that it points to beside it on the Hub."""
    if image["bytes"] is not None:
        return bytes(image["bytes"])
    import fsspec

    with fsspec.open(image["path"], "rb") as file:
        return bytes(file.read())
