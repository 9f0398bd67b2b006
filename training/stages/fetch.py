"""Find every source that the recipe names, fetching it if need be, and say what is in it."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

from training import content
from training.recipe import Recipe
from training.sources.fetch import locate
from training.sources.layout import Source
from training.sources.stream import find
from training.stages.job import Job
from training.stages.sourced import PLACES, SOURCES, Fetched
from training.whole_file import write_json

_LOG = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Write what the sources hold, and apart from that where on this machine they are."""
    fetched: dict[str, Fetched] = {}
    places: dict[str, str] = {}
    for name, (source, folder) in _wanted(job.recipe).items():
        if source.layout == "phantom":
            fetched[name] = Fetched(source.name, "drawn", source.licence, 0, 0, None)
            continue
        place = folder or job.places.get(source.pinned or "")
        how = "given" if folder else "by a pointer" if place else "by the client"
        place = locate(source, place)
        job.saw[f"source {name}"] = place
        places[name] = str(place.resolve())
        files = content.look(place)
        size = sum(file.size for file in files.values())
        origin = source.pinned or "local"
        fetched[name] = Fetched(
            source.name, origin, source.licence, len(files), size, content.digest(files)
        )
        _LOG.info("found %s (%s), %d files, %.0f MB, %s", name, origin, len(files), size / 1e6, how)
    write_json(job.out / SOURCES, {name: asdict(one) for name, one in fetched.items()})
    write_json(job.out / PLACES, places)


def _wanted(recipe: Recipe) -> dict[str, tuple[Source, Path | None]]:
    """The recipe's sources by name, each with the folder that the recipe itself names for it."""
    data = recipe.data
    wanted: dict[str, tuple[Source, Path | None]] = {
        name: (find(name), _own(find(name), recipe)) for name in data.sources
    }
    for spec in data.strangers:
        folder = None if spec.folder is None else Path(data.root) / spec.folder
        wanted[spec.name] = (find(spec.source), folder)
    return wanted


def _own(source: Source, recipe: Recipe) -> Path | None:
    """The recipe's own folder for a source that everybody brings himself."""
    data = recipe.data
    if data.volumes is not None and source.layout == "brats":
        return Path(data.root) / data.volumes.folder
    if source.layout == "matlab":
        return Path(data.root) / source.name
    return Path(data.root) if source.layout == "ct" else None
