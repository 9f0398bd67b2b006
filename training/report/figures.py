"""Figures as tables: each with its interval, its coverage, its n and its split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import mean, stdev

from hub_model.contract import MetricsFile
from training.bundle.card_figures import (
    AS_LABELLED,
    BY_GROUP,
    BY_IMAGE,
    FIGURES,
    OFFICIAL,
    OUT_OF_FOLD,
    TEST,
)
from training.bundle.plots import Row, number, table
from training.bundle.spoken import interval, shown, spoken
from training.report import html
from training.report.html import NOTHING, Html

TITLES = {
    TEST: "Test",
    AS_LABELLED: "Test as the source labels it, images under doubt among them",
    OFFICIAL: "Leaky, for comparison only: another network on the source's own split",
    BY_GROUP: "All folds",
    BY_IMAGE: "All folds",
}  # prefix of the names of figures to what they were measured for
FOLD_HEADS = {
    "n_images": "images",
    "n_groups": "groups",
    "epochs": "epochs",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "nll": "NLL, nats",
    "ece": "ECE",
    "finding_roc_auc": "ROC area",
    "finding_pr_auc": "average precision",
    "finding_f1": "F1",
    "finding_sensitivity": "sensitivity",
    "finding_specificity": "specificity",
}
COUNTED = ("n_images", "n_groups", "epochs")


def tables(metrics: MetricsFile, finding: str, *prefixes: str) -> Iterator[Html]:
    """One table for each of the prefixes that has figures and each split they were measured on.

    Args:
        metrics: of a run.
        finding: what an accepted finding is called.
        prefixes: keys of `TITLES`.
    """
    for prefix in prefixes:
        words = OUT_OF_FOLD if prefix in (BY_GROUP, BY_IMAGE) else {}
        own = {
            name.removeprefix(prefix): figure
            for name, figure in metrics.figures.items()
            if name.startswith(prefix)
        }
        for split in dict.fromkeys(figure.sample.split for figure in own.values()):
            rows = []
            for key, figure in own.items():
                if figure.sample.split != split:
                    continue
                said, coverage = FIGURES.get(key, (key, None))
                rows.append(
                    (
                        words.get(key, said).format(finding=finding),
                        spoken(figure, figure.value),
                        interval(figure),
                        "every image" if coverage is None else shown(metrics, prefix + coverage),
                        str(figure.sample.n_images),
                        str(figure.sample.n_groups),
                    )
                )
            heads = ("figure", "value", "95 % interval", "coverage", "images", "groups")
            yield html.table(f"{TITLES[prefix]} ({split})", heads, rows)


def folds(metrics: MetricsFile, by: str) -> Html:
    """Every fold of one way of dividing.

    Args:
        metrics: with the table "folds".
        by: "group" or "image".

    Raises:
        BundleError: the table is missing.
    """
    rows = [row for row in table(metrics, "folds") if row["by"] == by]
    keys = [key for key in FOLD_HEADS if all(key in row for row in rows)]
    lines = [(f"{number(row, 'fold'):.0f}", *(_of_fold(row, key) for key in keys)) for row in rows]
    lines.append(("mean ± SD", *(_spread(rows, key) for key in keys)))
    return html.table("Fold by fold", ("fold", *(FOLD_HEADS[key] for key in keys)), lines)


def _spread(rows: Sequence[Row], key: str) -> str:
    """Mean and standard deviation over the folds that have a value."""
    values = [number(row, key) for row in rows if row[key] is not None]
    if key in COUNTED or len(values) < 2:
        return NOTHING
    return f"{mean(values):.3f} ± {stdev(values):.3f}"


def _of_fold(row: Row, key: str) -> str:
    if row[key] is None:  # e.g. specificity where every image shows the finding
        return NOTHING
    return f"{number(row, key):.{0 if key in COUNTED else 3}f}"
