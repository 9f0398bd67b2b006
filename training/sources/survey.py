"""What a reader of a layout does, what it finds before it reads, and what it counts as it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, overload

from training.sources import Record
from training.sources.layout import Source


@dataclass(frozen=True, slots=True)
class Survey:
    """What the names and headers in a source's folder say; no pixel was read for it.

    Args:
        paths: what there is to read, in the order of reading: images, or volumes of images. Each
            becomes no more than the records that its reader says.
        warnings: sentences about folders and files that will be left out.
    """

    paths: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class Notes(Sequence[str]):
    """Sentences with a count and one example, filled while records go by.

    It is the sequence of its sentences at the time of asking, so that it can be handed to a build
    before the first record is read.

    Example:
        >>> notes = Notes()
        >>> notes.add("images without a mask", "a.tif")
        >>> notes.add("images without a mask", "b.tif")
        >>> list(notes)
        ['images without a mask: 2, e.g. a.tif']
    """

    def __init__(self) -> None:
        self._said: list[str] = []
        self._counted: dict[str, tuple[int, str]] = {}

    def say(self, *sentences: str) -> None:
        """Keep sentences as they are, each once."""
        self._said += [text for text in dict.fromkeys(sentences) if text not in self._said]

    def add(self, what: str, example: str, count: int = 1) -> None:
        """Count one more of `what`; the first example is kept."""
        before, first = self._counted.get(what, (0, example))
        self._counted[what] = (before + count, first)

    def _sentences(self) -> list[str]:
        counted = self._counted.items()
        return self._said + [f"{what}: {count}, e.g. {first}" for what, (count, first) in counted]

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """The sentence or sentences at a place."""
        return self._sentences()[index]

    def __len__(self) -> int:
        return len(self._said) + len(self._counted)


class Reader(Protocol):
    """A module that understands one layout."""

    def survey(self, source: Source, root: Path) -> Survey:
        """What is there, by names and headers.

        Raises:
            SourceError: it is not laid out as the table says.
        """

    def read(self, source: Source, root: Path, notes: Notes) -> Iterator[Record]:
        """The records, one at a time; what was left out is counted in `notes`.

        Raises:
            SourceError: as `survey`, or a file contradicts the table.
        """
