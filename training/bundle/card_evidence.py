"""The part of the card on what answers rest on, and on sources that were never met."""

from __future__ import annotations

from collections.abc import Iterable

from hub_model.contract import MetricsFile
from training.bundle.plots import Row
from training.bundle.spoken import NOTHING, interval, markdown, spoken

EVIDENCE, LEFT_OUT, TABLE = "evidence.", "left_out.", "left_out"
RESTS_ON = {
    "activation_inside": "share of the {finding}'s activation inside its outline",
    "gradient_inside": "share of the input's gradient inside the outline",
    "area_inside": "share of the head that the outline takes",
    "covered.before": "p({finding}) of images with one",
    "covered.after": "the same once it is covered with tissue of the same image",
    "covered_beside.before": "p({finding}) of images with one",
    "covered_beside.after": "the same once tissue beside it is covered",
    "pasted.before": "p({finding}) of images without one",
    "pasted.after": "the same once one is pasted in",
    "pasted_tissue.before": "p({finding}) of images without one",
    "pasted_tissue.after": "the same once tissue without one is pasted in",
    "alike.as_it_is": "{finding} or none right, images as they are",
}
ALIKE = "alike."
NEVER_MET = (
    "At the shipped thresholds, share and 95 % interval over groups. A source that is also learnt "
    "from was judged by another network and guard of the same recipe that had met nothing of it; "
    "the thresholds were not chosen without it."
)
EDITED = (
    "Test images; p is the calibrated probability. Edits are those of the training, at places and "
    "with donors drawn anew."
)
OF_A_SOURCE = ("answered", "answered_right", "tumor_called_none", "none_called_tumor")


Table = tuple[tuple[str, ...], list[tuple[str, ...]]]  # heads and rows


def sections(metrics: MetricsFile, finding: str) -> Iterable[str]:
    """Both sections, paragraph by paragraph; one that nothing was measured for is left out.

    Args:
        metrics: of a run that was measured.
        finding: what an accepted finding is called.
    """
    if (sources := left_out(metrics, finding))[1]:
        yield "### Sources never met"
        yield NEVER_MET
        yield markdown(*sources)
    if (rests_on := evidence(metrics, finding))[1]:
        yield "### What answers rest on"
        yield EDITED
        yield markdown(*rests_on)


def left_out(metrics: MetricsFile, finding: str) -> Table:
    """A row for each source that was left out, and one for each of its sequences."""
    heads = (
        "source", "images", "groups", "answered", "right of those",
        f"of those with a {finding}, answered none", f"of those without, answered {finding}",
    )  # fmt: skip
    return heads, [_source_row(metrics, row) for row in metrics.tables.get(TABLE, [])]


def _source_row(metrics: MetricsFile, row: Row) -> tuple[str, ...]:
    source, sequence = str(row["source"]), row["sequence"]
    place = f"{LEFT_OUT}{source}." + (f"{sequence}." if sequence else "")
    found = [metrics.figures.get(place + what) for what in OF_A_SOURCE]
    shares = [
        NOTHING if one is None else f"{spoken(one, one.value)} ({interval(one)})" for one in found
    ]
    name = f"{source}, {sequence}" if sequence else source
    return (name, str(row["n_images"]), str(row["n_groups"]), *shares)


def evidence(metrics: MetricsFile, finding: str) -> Table:
    """A row for each figure of what answers rest on."""
    rows: list[tuple[str, ...]] = []
    for name, figure in metrics.figures.items():
        if not name.startswith(EVIDENCE):
            continue
        key = name.removeprefix(EVIDENCE)
        way = key.removeprefix(ALIKE).replace("_", " ")
        text = RESTS_ON.get(key, f"the same, made alike: {way}").format(finding=finding)
        counted = (str(figure.sample.n_images), str(figure.sample.n_groups))
        rows.append((text, spoken(figure, figure.value), interval(figure), *counted))
    return ("what", "value", "95 % interval", "images", "groups"), rows
