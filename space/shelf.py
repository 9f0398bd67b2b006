"""Uploads of several series, until their sender has chosen one or has left."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

KEPT = 600.0  # seconds, at most


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sender's upload lies.

    Args:
        session: of whoever sent it.
        tab: where it was sent.
    """

    session: str
    tab: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Who asks for a verdict on the page, and for which series.

    Args:
        place: where the upload lies if it holds several.
        series: which of them, of an upload that lies there; None: of one that comes now.
    """

    place: Place
    series: int | None = None


class Shelf:
    """Files under numbers, in folders that go when the time is over.

    Args:
        seconds: that an upload is kept.
    """

    def __init__(self, seconds: float = KEPT) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: dict[Place, Path] = {}

    def keep(self, place: Place, files: Sequence[Path]) -> None:
        """Move files here; what lay in their place is deleted."""
        folder = Path(mkdtemp(prefix="neuroguard-"))
        for number, file in enumerate(files):
            shutil.move(file, folder / f"{number:05d}")
        self._forget(self._swap(place, folder))
        timer = threading.Timer(self._seconds, self._expire, (place, folder))
        timer.daemon = True
        timer.start()

    @contextmanager
    def taken(self, place: Place) -> Iterator[list[str]]:
        """Paths of the files, in the order sent, deleted at the end; none if they are gone."""
        folder = self._swap(place, None)
        try:
            yield sorted(str(path) for path in folder.iterdir()) if folder is not None else []
        finally:
            self._forget(folder)

    def leave(self, session: str) -> None:
        """Delete all that a session has here."""
        for place in [one for one in tuple(self._kept) if one.session == session]:
            self._forget(self._swap(place, None))

    def _expire(self, place: Place, folder: Path) -> None:
        if self._kept.get(place) == folder:
            self._forget(self._swap(place, None))

    def _swap(self, place: Place, folder: Path | None) -> Path | None:
        with self._lock:
            old = self._kept.pop(place, None)
            if folder is not None:
                self._kept[place] = folder
        return old

    @staticmethod
    def _forget(folder: Path | None) -> None:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
