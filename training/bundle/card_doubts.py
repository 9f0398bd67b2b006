"""The part of the card on uncertainty: does it rank the errors."""

from __future__ import annotations

from collections.abc import Iterable

from hub_model.contract import MetricsFile
from training.bundle.plots import Row, number
from training.bundle.spoken import NOTHING, markdown

TABLE = "uncertainty"
SAMPLES = {
    "one": "one pass",
    "dropout": "dropout before the last layer",
    "flips": "the image and its mirror image",
}
MEASURES = {"entropy": "predictive entropy", "information": "mutual information"}
WORDS = (
    "Whether what is told of an answer's uncertainty ranks the errors among test images, each a "
    "case of its own; no threshold is set on it. AUROC: chance that an error is less sure than a "
    "right answer, ties counting half. Left out: mean loss over all shares of the images that are "
    "kept, the least sure left out first, beside the mean loss of all. Of classes the likeliest is "
    "right or wrong (the finding, where the type is not taught), and the loss is the share of "
    "errors. Of masks those count that are served where the truth is known: one is wrong where "
    "Dice is below a half, and the loss is what Dice lacks of a whole."
)


def sections(metrics: MetricsFile) -> Iterable[str]:
    """The section, paragraph by paragraph; nothing where nothing was measured."""
    if rows := metrics.tables.get(TABLE):
        yield "### Does uncertainty rank the errors"
        yield WORDS
        yield markdown(
            ("of", "samples", "measure", "images", "groups", "errors", "AUROC", "left out", "all"),
            [_row(row) for row in rows],
        )


def _row(row: Row) -> tuple[str, ...]:
    counts = (f"{number(row, key):.0f}" for key in ("n_images", "n_groups", "errors"))
    return (
        str(row["of"]),
        SAMPLES[str(row["samples"])],
        MEASURES[str(row["measure"])],
        *counts,
        NOTHING if row["auroc"] is None else _bounded(row, "auroc"),
        _bounded(row, "area"),
        f"{number(row, 'loss'):.3f}",
    )


def _bounded(row: Row, key: str) -> str:
    value, low, high = (number(row, key + end) for end in ("", "_low", "_high"))
    return f"{value:.3f} ({low:.3f} to {high:.3f})"
