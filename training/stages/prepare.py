"""Make model inputs of all images, through the same path as an upload."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import datasets

from training import dataset, inputs, preparing
from training.dataset.rows import millimetres
from training.inputs import UNKNOWN
from training.recipe import ALSO, FINDING_ONLY, SET_ASIDE, SPLITS
from training.records import Records
from training.sources import Record
from training.stages import prepared, sourced
from training.stages.job import Job
from training.stages.prepared import ASIDE_COUNTS
from training.whole_file import write_json


def run(job: Job) -> None:
    """Write every split, the finding-only sources, what was set aside, and the strangers.

    A set that is there already, whole, is kept: a stopped preparation goes on.
    """
    recipe = job.recipe
    built = dataset.load(sourced.dataset(job))
    places, joined = sourced.places(job), sourced.joined(job)
    found = Records(recipe, places, sourced.look_alikes(job), joined)
    for name in SPLITS:
        rows = built[name].cast_column("image", datasets.Image(decode=False))
        rows = rows.cast_column("mask", datasets.Image(decode=False))
        if not inputs.is_whole(job.out, name):
            _write(job, name, (_row(row, found) for row in rows), len(rows))
    if recipe.data.finding_only and not inputs.is_whole(job.out, FINDING_ONLY):
        images = found.finding_only()
        _write(job, FINDING_ONLY, map(_record_row, images), len(images))
    if prepared.learns_also(recipe) and not inputs.is_whole(job.out, ALSO):
        images = found.also()
        _write(job, ALSO, (_typed_row(one, recipe.labels) for one in images), len(images))
    for name, source in recipe.data.left_out_sets.items():
        if not inputs.is_whole(job.out, name):
            images = found.left_out(source)
            _write(job, name, (_typed_row(one, recipe.labels) for one in images), len(images))
    if recipe.data.review is not None and not (job.out / ASIDE_COUNTS).is_file():
        doubted = found.set_aside()
        named = (_typed_row(record, recipe.labels) for record, _ in doubted)
        _write(job, SET_ASIDE, named, len(doubted))
        counts = Counter((record.label, why.value) for record, why in doubted)
        rows_ = [{"label": label, "why": why, "n_images": n} for (label, why), n in counts.items()]
        write_json(job.out / ASIDE_COUNTS, rows_)
    for spec in recipe.data.strangers:
        if not inputs.is_whole(job.out, spec.name):
            images = found.strange(spec)
            _write(job, spec.name, map(_record_row, images), len(images))


def _write(job: Job, name: str, rows: Any, count: int) -> None:
    preparing.write(job.out, name, rows, count, job.recipe.preprocess, job.recipe.quality)


def _row(row: dict[str, Any], found: Records) -> dict[str, Any]:
    """A row of the data set with its image as bytes, under the source it first came from."""
    mask, source = row["mask"], found.origin(row["source"], row["path"])
    image = row["image"]["bytes"]
    return {**row, "image": image, "mask": mask and mask["bytes"], "source": source}


def _record_row(record: Record) -> dict[str, Any]:
    return {
        "image": record.image,
        "label": UNKNOWN,
        "finding": record.finding,
        "group": record.group or record.path,
        "mask": record.mask,
        "sequence": record.sequence,
        "source": record.source,
        "official_split": record.official_split,
        **millimetres(record),
    }


def _typed_row(record: Record, labels: Sequence[str]) -> dict[str, Any]:
    """The same with the record's class, where it has one of the recipe's."""
    known = record.label in labels
    return {**_record_row(record), "label": labels.index(record.label) if known else UNKNOWN}
