"""The test images that the network is surest of, right and wrong, each with its activation map.

The rule of serving holds here too: a case whose verdict abstains is shown without class,
probability and heat-map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hub_model import engine, explain
from hub_model.contract import FindingSpec
from hub_model.engine import Engine
from hub_model.errors import UsageError
from hub_model.policy import Decision
from training.pictures.model import GALLERY_INDEX, Answer, GalleryFile, GalleryPicture
from training.scores import Scores
from training.whole_file import whole_file

GAP = 4  # pixels between the two halves of a picture
STRONGEST = 0.65  # opacity of the map where it is 1, so that the anatomy stays visible
PALETTE = "inferno"  # matplotlib's; rises in lightness, so that it is read without hue

Bytes = NDArray[np.uint8]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class _Chosen:
    """One picture to be."""

    answer: Answer
    true: int
    place: int  # in its list, from 1
    row: int


def write(
    folder: Path,
    ready: Engine,
    test: Scores,
    probs: Floats,
    decisions: Sequence[Decision],
    label_names: Sequence[str],
    finding: FindingSpec,
    *,
    per_class: int,
    phantom: bool,
) -> GalleryFile:
    """Write `<right|wrong>_<label>_<n>.png` and their index; returns the index.

    Args:
        folder: is made if need be.
        ready: the network; it is run on the chosen images alone.
        test: typed images.
        probs: `(N, K)` calibrated probabilities of them.
        decisions: on each of them as a case of its own.
        label_names: `K`.
        finding: which classes assert it.
        per_class: pictures in each list at most, 0 or more.
        phantom: whether the images are drawn.

    Raises:
        UsageError: there is not one decision an image.
    """
    if len(decisions) != len(test.labels):
        raise UsageError(
            f"{len(decisions)} decisions on {len(test.labels)} test images: give one an image"
        )
    right = probs.argmax(axis=1) == test.labels
    chosen = _choose(test, probs.max(axis=1), right, len(label_names), per_class)
    answered = [one.row for one in chosen if decisions[one.row].verdict.accepted]
    maps = _maps(ready, test, probs, decisions, label_names, finding, answered)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for one in chosen:
        decision = decisions[one.row]
        seen = np.asarray(test.inputs.images[one.row])
        name = f"{one.answer}_{label_names[one.true]}_{one.place}.png"
        mapped, said = None, decision.label or decision.finding
        if found := maps.get(one.row):
            mapped, activation = found
            seen = beside(seen, overlay(seen, activation))
        Image.fromarray(seen).save(folder / name)
        pictures.append(
            GalleryPicture(
                file=name,
                answer=one.answer,
                row=one.row,
                group=str(test.inputs.groups[one.row]),
                true=label_names[one.true],
                verdict=decision.verdict,
                said=said,
                probability=(decision.probabilities or {}).get(said or ""),
                mapped=mapped,
            )
        )
    index = GalleryFile(
        phantom=phantom,
        right=_count(test.labels[right], label_names),
        wrong=_count(test.labels[~right], label_names),
        pictures=tuple(pictures),
    )
    with whole_file(folder / GALLERY_INDEX) as file:
        file.write(index.model_dump_json(indent=1) + "\n")
    return index


def most_confident(
    confidence: Floats, groups: NDArray[np.str_], rows: NDArray[np.int64], count: int
) -> list[int]:
    """At most `count` of the rows, the most confident first and no two of one group.

    Args:
        confidence: `(N,)`; of equal ones the lower row comes first.
        groups: `(N,)`.
        rows: row numbers to choose from.
        count: 0 or more.
    """
    order = rows[np.lexsort((rows, -confidence[rows]))]
    _, first = np.unique(groups[order], return_index=True)
    return order[np.sort(first)][:count].tolist()


def overlay(image: Bytes, activation: Floats) -> Bytes:
    """A slice with its map laid on it.

    Args:
        image: `(size, size)`.
        activation: `(size, size)`, 0-1; opacity and lightness of the colour follow it.

    Returns:
        `(size, size, 3)`.
    """
    from matplotlib import colormaps

    strength = np.asarray(activation, np.float64)
    colour = 255 * colormaps[PALETTE](strength)[..., :3]
    opacity = STRONGEST * strength[..., None]
    mixed = (1 - opacity) * image[..., None] + opacity * colour
    return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)


def beside(left: Bytes, right: Bytes) -> Bytes:
    """Two pictures of one height, grey `(h, w)` or coloured `(h, w, 3)`, side by side."""
    both = [np.repeat(one[..., None], 3, 2) if one.ndim == 2 else one for one in (left, right)]
    gap = np.zeros((both[0].shape[0], GAP, 3), np.uint8)
    return np.concatenate([both[0], gap, both[1]], axis=1)


def _choose(
    test: Scores, confidence: Floats, right: NDArray[np.bool_], classes: int, count: int
) -> list[_Chosen]:
    sides: tuple[tuple[Answer, NDArray[np.bool_]], ...] = (("right", right), ("wrong", ~right))
    chosen = []
    for label in range(classes):
        for answer, side in sides:
            rows = np.flatnonzero(side & (test.labels == label))
            found = most_confident(confidence, test.inputs.groups, rows, count)
            chosen += [_Chosen(answer, label, place, row) for place, row in enumerate(found, 1)]
    return chosen


def _maps(
    ready: Engine,
    test: Scores,
    probs: Floats,
    decisions: Sequence[Decision],
    label_names: Sequence[str],
    finding: FindingSpec,
    rows: Sequence[int],
) -> dict[int, tuple[str, Floats]]:
    """Row to the class that its verdict rests on, and the map of that class."""
    asserts = finding.asserted_by(label_names)
    outputs = engine.run(ready, np.asarray(test.inputs.images[list(rows)]), maps=True)
    found: dict[int, tuple[str, Floats]] = {}
    for row, features in zip(rows, outputs.feature_map, strict=True):
        side = asserts == (decisions[row].finding == finding.name)
        label = int(np.argmax(np.where(side, probs[row], -np.inf)))
        size, weight = ready.preprocess.size, ready.classifier_weight
        found[row] = label_names[label], explain.activation_map(features, weight, label, size)
    return found


def _count(labels: NDArray[np.int64], label_names: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(labels, minlength=len(label_names)).tolist()
    return dict(zip(label_names, counts, strict=True))
