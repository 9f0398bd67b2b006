"""How well the classes can be told apart without a look at any head.

A shallow classifier gets the form of the file and the outermost ring of its pixels. What that tells
of the classes a network can learn too, in place of anatomy: such a set rewards recognising the
collection that an image came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Figure
from training.audit.files import File
from training.audit.model import Finding, Severity, Shortcut, Target, ToldApart
from training.audit.rows import UNSTATED, Row
from training.bundle.spoken import percent
from training.dataset.splits import folds
from training.statistics import Rows, figure

FOLDS = 5
TREES = 50  # boosting rounds; 100 change no figure of the four-class set by more than 0.01
TOLD_APART = 0.1  # balanced accuracy above chance from which a shortcut is worth a warning
SPLIT = f"{FOLDS}-fold cross-validation, groups disjoint"
FEATURES = {
    "source": "the source alone",
    "size": "width, height, aspect and colour mode",
    "file": "format, bytes per pixel and JPEG quantisation",
    "rim": "the outermost ring of pixels",
    "all": "size, file and rim together",
}  # name of a feature set to what is in it

_STRONG = (
    "The classes differ in how their files were made: a network can learn the collection instead "
    "of the finding, and be right for the wrong reason.",
    "Test on a source that has all classes from one place; crop, resample and augment so that "
    "size, rim and encoding say nothing.",
)  # what a shortcut means, and what to do

Matrix = NDArray[np.float64]


def features(rows: Sequence[Row], files: Sequence[File]) -> dict[str, Matrix]:
    """The feature sets, `(N, F)` each; "source" only where there are several.

    Args:
        rows: all images.
        files: their files, in the same order.
    """
    size = [
        [file.width, file.height, file.width / file.height, mode, file.colour]
        for file, mode in zip(files, _codes([file.mode for file in files]), strict=True)
    ]
    form = [
        [file.size / (file.width * file.height), file.quantisation, format_]
        for file, format_ in zip(files, _codes([file.format for file in files]), strict=True)
    ]
    parts = {
        "size": np.array(size, np.float64),
        "file": np.array(form, np.float64),
        "rim": np.array([file.rim for file in files], np.float64),
    }
    found = {**parts, "all": np.hstack(list(parts.values()))}
    sources = _codes([row.source for row in rows])
    if sources.max() > 0:
        found = {"source": sources[:, None].astype(np.float64), **found}
    return found


def shortcuts(
    target: Target,
    rows: Sequence[Row],
    files: Sequence[File],
    groups: NDArray[np.int64],
    seed: int = 0,
) -> tuple[Shortcut, ...]:
    """Every feature set on one target; images that state none are left out.

    Args:
        target: what is to be told apart.
        rows: all images.
        files: their files, in the same order.
        groups: `(N,)` number of the group; no group is judged by a classifier that knows it.
        seed: of folds, classifier and resampling.

    Returns:
        One a feature set; none where fewer than two values of the target occur.

    Raises:
        UsageError: a value has fewer images, or the whole set fewer groups, than there are folds.
    """
    names = np.array([row.finding if target == "finding" else row.label for row in rows])
    stated = names != UNSTATED
    classes, truth = np.unique(names[stated], return_inverse=True)
    if len(classes) < 2:
        return ()
    held = groups[stated]
    fold = np.array(folds(held.astype(str).tolist(), truth.astype(str).tolist(), FOLDS, seed))
    return tuple(
        _judge(
            target,
            name,
            classes.tolist(),
            truth,
            _cross_predict(matrix[stated], truth, fold, seed),
            held.astype(str),
            seed,
        )
        for name, matrix in features(rows, files).items()
    )


def _cross_predict(matrix: Matrix, truth: Rows, fold: Rows, seed: int) -> Rows:
    """The class that a classifier fitted on the other folds gives each image."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    predicted = np.empty_like(truth)
    # Threads that wait for each other cost a hundred times the work where the cores are shared.
    with threadpool_limits(1):
        for number in range(FOLDS):
            held = fold == number
            model = HistGradientBoostingClassifier(
                max_iter=TREES, early_stopping=False, random_state=seed
            )
            predicted[held] = model.fit(matrix[~held], truth[~held]).predict(matrix[held])
    return predicted


def _judge(
    target: Target,
    name: str,
    classes: Sequence[str],
    truth: Rows,
    predicted: Rows,
    groups: NDArray[np.str_],
    seed: int,
) -> Shortcut:
    guess, accuracy, balanced = _figures(truth, predicted, groups, seed)
    apart = []
    for number, label in enumerate(classes if len(classes) > 2 else ()):
        one, said = (truth == number).astype(np.int64), (predicted == number).astype(np.int64)
        figures = _figures(one, said, groups, seed)
        apart.append(
            ToldApart(label=label, guess=figures[0], accuracy=figures[1], balanced=figures[2])
        )
    return Shortcut(
        target=target,
        features=name,
        classes=tuple(classes),
        guess=guess,
        accuracy=accuracy,
        balanced=balanced,
        apart=tuple(apart),
    )


def _figures(
    truth: Rows, predicted: Rows, groups: NDArray[np.str_], seed: int
) -> tuple[float, Figure, Figure]:
    """Share of the commonest class, accuracy and balanced accuracy."""
    right = truth == predicted
    return (
        float(np.bincount(truth).max() / len(truth)),
        figure(SPLIT, groups, lambda rows: float(right[rows].mean()), seed=seed),
        figure(
            SPLIT, groups, lambda rows: balanced_accuracy(truth[rows], predicted[rows]), seed=seed
        ),
    )


def balanced_accuracy(truth: Rows, predicted: Rows) -> float:
    """Mean share right among the classes that occur.

    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    0.5
    """
    images = np.bincount(truth)
    right = np.bincount(truth[truth == predicted], minlength=len(images))
    return float((right[images > 0] / images[images > 0]).mean())


def findings(found: Sequence[Shortcut]) -> Iterator[Finding]:
    """What there is to say about them: the strongest feature set of each target."""
    for target in dict.fromkeys(shortcut.target for shortcut in found):
        best = max((s for s in found if s.target == target), key=lambda s: s.balanced.value)
        low = best.balanced.low
        strong = low is not None and low >= best.chance + TOLD_APART
        yield Finding(
            code=f"shortcut_to_{target}",
            topic="shortcuts",
            severity=Severity.WARNING if strong else Severity.INFO,
            found=f"Without a look at any head, {FEATURES[best.features]} tell "
            f"{' from '.join(best.classes)} in {with_interval(best.accuracy)} of the images, all "
            f"of groups that the classifier had not met; guessing gives {percent(best.guess)}. "
            f"Balanced over the classes it is {with_interval(best.balanced)} against "
            f"{percent(best.chance)}.",
            means=_STRONG[0] if strong else "How a file was made says little about its class.",
            remedy=_STRONG[1] if strong else "Nothing.",
            counts={
                "images": best.accuracy.sample.n_images,
                "groups": best.accuracy.sample.n_groups,
            },
        )


def not_measured(target: Target, reason: str) -> Finding:
    """That there are too few images or groups to say anything."""
    return Finding(
        code="shortcut_not_measured",
        topic="shortcuts",
        severity=Severity.INFO,
        found=f"Whether a shortcut leads to the {target} was not measured: {reason}.",
        means="Nothing is known of it.",
        remedy="Audit a larger dataset.",
        counts={},
    )


def with_interval(figure: Figure) -> str:
    """A share in percent with its 95 % interval."""
    return f"{percent(figure.value)} ({percent(figure.low)} to {percent(figure.high)})"


def _codes(names: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.array(names), return_inverse=True)[1].astype(np.int64)
