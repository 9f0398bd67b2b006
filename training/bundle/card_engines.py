"""The part of the card on engines: whether they say what torch says, and what is not shipped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub_model.contract import MetricsFile
from training.bundle import bf16, parity
from training.bundle.plots import Row, number
from training.bundle.spoken import NOTHING, markdown

WORDS = (
    "Images of the calibration and threshold splits, beside torch in float32. Graphs that an "
    "engine runs otherwise in float32, by more than rounding or in a verdict, are not shipped."
)


def sections(metrics: MetricsFile) -> Iterable[str]:
    """The section, paragraph by paragraph; nothing where no engine was asked."""
    if rows := metrics.tables.get(parity.TABLE):
        yield "### Engines"
        yield WORDS
        yield _table(rows)
        yield f"OpenVINO in bf16 is not shipped{_why_not(rows)}"


def _table(rows: Sequence[Row]) -> str:
    of_masks = any("mask_pixels" in row for row in rows)
    masks = ("of a mask logit", "mask pixels that differ") if of_masks else ()
    heads = ("engine", "images", "largest difference of a logit", *masks, "verdicts that differ")
    return markdown(
        (*heads, "as torch"),
        [
            (
                str(row["engine"]),
                _count(row, "n_images"),
                f"{number(row, 'largest_difference'):.1e}",
                *(_masks_of(row) if of_masks else ()),
                _count(row, "verdicts_that_differ"),
                "yes" if row["same"] else "no",
            )
            for row in rows
        ],
    )


def _masks_of(row: Row) -> tuple[str, str]:
    """How far an engine's masks are from torch's: every image is drawn for this."""
    if "mask_pixels" not in row:
        return NOTHING, NOTHING
    differ, drawn = _count(row, "mask_pixels_that_differ"), _count(row, "mask_pixels")
    return f"{number(row, 'largest_mask_difference'):.1e}", f"{differ} of {drawn}"


def _why_not(rows: Sequence[Row]) -> str:
    """What half the bits did, where the processor of the export has them."""
    for row in rows:
        if row["engine"] == bf16.NAME:
            return (
                f": {_count(row, 'verdicts_that_differ')} of {_count(row, 'n_images')} verdicts "
                f"differ, logits by up to {number(row, 'largest_difference'):.2g}, probabilities "
                f"by up to {number(row, 'largest_probability_difference'):.2g}, `p_in_domain` by "
                f"up to {number(row, 'largest_domain_difference'):.2g}. What the thresholds "
                "promise was shown in float32, and some processors have no bf16."
            )
    if all(row["same"] for row in rows):
        return ", and was not measured: the processor of the export has no bf16."
    return ", and was not measured: no graph is shipped that it could run."


def _count(row: Row, key: str) -> str:
    return f"{number(row, key):.0f}"
