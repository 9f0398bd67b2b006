"""Curves and the course of a training as SVG, in the dress of the reports of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hub_model.errors import UsageError
from training.bundle.plots import BLUE, GREY, ORANGE, Row, picture
from training.pictures.model import CrossValidated, Curve, CurvesFile, FoldedTarget, Mean, Target

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DrawStyle = Literal["default", "steps-pre"]

# Okabe and Ito's colours without the faintest; a dash tells lines apart where a colour does not.
COLOURS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#56b4e9", "#9a8b00")
DASHES = ("-", "--", "-.", ":")
FAINT = "#e5e5e5"  # of grid lines
WIDE = (4.6, 4.0)  # inches; no wider, so that letters are still read on a phone
PANELS = (
    ("loss, nats an image", (("train_loss", "training"), ("validation_nll", "validation NLL"))),
    (
        "on validation images",
        (("validation_accuracy", "accuracy"), ("validation_macro_f1", "macro F1")),
    ),
    ("learning rate", (("lr", ""),)),
)  # name of a panel, keys of an epoch with what they are called


def roc(curves: CurvesFile, path: Path) -> None:
    """Sensitivity against false positive rate on the test images, one line a question."""
    with picture(path, WIDE, phantom=curves.phantom) as figure:
        axes: Axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
        for number, target in enumerate(curves.targets):
            words = f"{_name(target)}, area {target.roc_area.value:.3f}"
            _line(axes, number, target.roc, words)
        _unit(axes, "false positive rate", "sensitivity")
        axes.set_title("ROC on test images")


def precision_recall(curves: CurvesFile, path: Path) -> None:
    """Precision against recall on the test images, one line a question."""
    with picture(path, WIDE, phantom=curves.phantom) as figure:
        axes: Axes = figure.subplots()
        for number, target in enumerate(curves.targets):
            words = f"{_name(target)}, average precision {target.average_precision.value:.3f}"
            _line(axes, number, target.precision_recall, words, drawstyle="steps-pre")
        _unit(axes, "recall", "precision")
        axes.set_title("Precision and recall on test images")


def folds(found: CrossValidated, path: Path, *, phantom: bool) -> None:
    """ROC and precision-recall of the finding: each fold, their mean, one deviation around it.

    Args:
        found: of one way of dividing the images; its first question is the finding.
        path: of the SVG.
        phantom: whether the images are drawn.
    """
    target = found.targets[0]
    colour = BLUE if found.by == "group" else ORANGE
    with picture(path, (WIDE[0], 2 * WIDE[1]), phantom=phantom) as figure:
        upper, lower = figure.subplots(2)
        for one in target.folds:
            words = "" if one is not target.folds[0] else "each fold"
            _thin(upper, one.roc, colour, words)
            _thin(lower, one.precision_recall, colour, words, drawstyle="steps-pre")
        upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
        _mean(upper, target, target.roc, colour, "area")
        _mean(lower, target, target.precision_recall, colour, "average precision")
        _unit(upper, "false positive rate", "sensitivity")
        _unit(lower, "recall", "precision")
        leaky = "" if found.by == "group" else ", image by image (leaky)"
        upper.set_title(f"{target.name.capitalize()} or none, {len(target.folds)} folds{leaky}")


def training(
    history: Sequence[Row], path: Path, *, phantom: bool, behind: Sequence[Sequence[Row]] = ()
) -> None:
    """Loss, accuracy and learning rate, epoch by epoch, with a line where a phase begins.

    Args:
        history: the epochs as `history.json` lists them, at least one.
        path: of the SVG.
        phantom: whether the images are drawn.
        behind: histories of the folds, drawn thin.

    Raises:
        UsageError: there is no epoch, or one lacks a number.
    """
    if not history:
        raise UsageError("the history holds no epoch: train again")
    with picture(path, (WIDE[0], 6.2), phantom=phantom) as figure:
        panels = figure.subplots(len(PANELS), sharex=True, height_ratios=(3, 3, 1.4))
        for axes, (title, lines) in zip(panels, PANELS, strict=True):
            for number, (key, label) in enumerate(lines):
                colour = (ORANGE, BLUE)[number] if len(lines) > 1 else GREY
                for place, other in enumerate(behind):
                    axes.plot(
                        _epochs(other),
                        _values(other, key),
                        color=colour,
                        linewidth=0.7,
                        alpha=0.35,
                        label="folds" if (place, number) == (0, 0) else None,
                    )
                axes.plot(
                    _epochs(history),
                    _values(history, key),
                    color=colour,
                    linestyle=DASHES[number],
                    marker=".",
                    label=label,
                )
            if len(lines) > 1:
                axes.legend(frameon=False, loc="best")
            axes.set_ylabel(title)
            axes.grid(visible=True, axis="y", color=FAINT, linewidth=0.8)
        _mark_phases(panels, history)
        panels[-1].set_xlabel("epoch")
        panels[-1].xaxis.get_major_locator().set_params(integer=True)


def _mark_phases(panels: Sequence[Axes], history: Sequence[Row]) -> None:
    """A line before the first epoch of each phase, its name above."""
    start = 1
    for phase, epochs in groupby(history, key=lambda row: row.get("phase")):
        for axes in panels:
            axes.axvline(start - 0.5, color=GREY, linewidth=0.8, linestyle=":")
        panels[0].annotate(
            str(phase),
            (start - 0.5, 1),
            (2, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=GREY,
            rotation=90,
            va="top",
        )
        start += len(list(epochs))
    panels[0].set_xlim(0.4, start - 0.4)


def _epochs(history: Sequence[Row]) -> range:
    return range(1, len(history) + 1)


def _values(history: Sequence[Row], key: str) -> list[float]:
    """One number an epoch."""
    found = [row.get(key) for row in history]
    if wrong := [value for value in found if not isinstance(value, int | float)]:
        raise UsageError(
            f"an epoch of the history holds {wrong[0]!r} under {key!r}, expected a number: train "
            "again"
        )
    return [float(value) for value in found if isinstance(value, int | float)]


def _thin(
    axes: Axes, curve: Curve, colour: str, label: str, drawstyle: DrawStyle = "default"
) -> None:
    axes.plot(
        curve.x,
        curve.y,
        color=colour,
        linewidth=0.8,
        alpha=0.4,
        drawstyle=drawstyle,
        label=label or None,
    )


def _mean(axes: Axes, target: FoldedTarget, mean: Mean | None, colour: str, quantity: str) -> None:
    if mean is None:
        axes.set_title(f"fewer than two folds show both sides of {target.name}", fontsize=9)
        return
    axes.fill_between(mean.x, mean.low, mean.high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(
        mean.x,
        mean.y,
        color=colour,
        linewidth=2,
        label=f"mean, {quantity} {mean.area:.3f} ± {mean.area_deviation:.3f}",
    )


def _name(target: Target) -> str:
    return f"{target.name} or none" if target.kind == "finding" else target.name


def _line(
    axes: Axes, number: int, curve: Curve, label: str, drawstyle: DrawStyle = "default"
) -> None:
    """The finding, which comes first, in a broad line; classes told apart by colour and dash."""
    axes.plot(
        curve.x,
        curve.y,
        drawstyle=drawstyle,
        label=label,
        color="black" if number == 0 else COLOURS[(number - 1) % len(COLOURS)],
        linestyle=DASHES[number % len(DASHES)],
        linewidth=2 if number == 0 else 1.3,
        clip_on=False,
    )


def _unit(axes: Axes, x: str, y: str) -> None:
    """Both axes from 0 to 1, and a legend where there is something to name."""
    axes.set_xlim(-0.01, 1.01)  # so that a line along an edge is seen
    axes.set_ylim(-0.01, 1.01)
    axes.grid(visible=True, color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=True, framealpha=0.85, edgecolor="none", loc="lower center")
