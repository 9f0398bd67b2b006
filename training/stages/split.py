"""Build the dataset, divided so that no group is on two sides."""

from __future__ import annotations

import logging
from dataclasses import replace

from training import dataset
from training.dataset.rows import group_of, look
from training.dataset.splits import balanced_seed
from training.evidence.joined import join
from training.linkage import groups
from training.records import Records
from training.stages import sourced
from training.stages.job import Job
from training.stages.sourced import DATASET, JOINED, LOOK_ALIKES

_LOG = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Write `dataset` and, where the recipe asks for it, the groups that linkage found."""
    recipe, data = job.recipe, job.recipe.data
    found = Records(recipe, sourced.places(job))
    if data.look_alikes:
        alone = data.look_alikes == "unstated"
        images = (one for one in found.everything() if not (alone and one.group))
        tied = groups.of_records(images, progress=True)
        groups.write(tied, data.source, job.out / LOOK_ALIKES)
        _LOG.info("%d images are %d groups of look-alikes", len(tied), len(set(tied.values())))
        found = Records(recipe, found.places, job.out / LOOK_ALIKES)
    if data.several:
        joined = join(found.of_all_sources(), progress=True)
        joined.write(job.out / JOINED)
        _LOG.info("%d images of all sources are %d groups", len(joined.placed), len(joined.roles))
        found = replace(found, joined=joined)
    built = dataset.build(
        found.learnt(),
        label_names=recipe.labels,
        shares=data.shares,
        scheme="group" if data.scheme == "group" else "official_leaky",
        seed=_balanced(found) if data.split_seed == "balanced" else data.split_seed,
        out=job.out / DATASET,
    )
    for sentence in built.warnings:
        _LOG.warning(sentence)
    _LOG.info("built %s", built.fingerprint[:12], extra={"data": {"images": built.images}})


def _balanced(found: Records) -> int:
    """The seed under which each source's classes come out most even over the splits, by counts."""
    groups, classes = [], []
    for record in found.learnt():
        if record.group:
            groups.append(record.group)
        elif isinstance(seen := look(record), str):  # the build leaves it out
            continue
        else:
            groups.append(group_of(record, seen))
        classes.append(f"{record.source} {record.label or ''}")
    seed, worst = balanced_seed(groups, classes, found.recipe.data.shares)
    _LOG.info(
        "split_seed %d: no class of a source is further than %.0f %% from its share of a split",
        seed, 100 * worst,
    )  # fmt: skip
    return seed
