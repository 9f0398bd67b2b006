"""Pictures of an audit, drawn from its report and nothing else: no image of the dataset is in them.

The same report gives the same bytes. Every picture has a light and a dark dress and takes the one
that its reader's system asks for.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from training.audit.model import Leak, Report
from training.bundle.plots import BLUE, GREY, ORANGE, STYLE
from training.bundle.spoken import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, GROUND = "#16202b", "#ffffff"
_DRESS = {
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": GROUND,
    "axes.facecolor": GROUND,
}
_DARK = (
    "<style>@media (prefers-color-scheme: dark) {"
    f'[style*="fill: {INK}"] {{fill: #e6edf3 !important}}'
    f'[style*="stroke: {INK}"] {{stroke: #e6edf3 !important}}'
    f'[style*="fill: {GROUND}"] {{fill: #12181f !important}}'
    "}</style>"
)
# Okabe and Ito's colours, told apart by the colour-blind and on both grounds; dots differ in shape.
_COLOURS = (BLUE, "#e69f00", "#009e73", "#cc79a7", "#56b4e9", ORANGE, "#9a8b00")
_MARKERS = "osD^vPX"
_SHARED = (("identical", "#a63603"), ("same slice", "#e6761b"), ("same group", "#fdbe85"))
_NOTHING_SHARED = "#9ecae1"


def draw(report: Report) -> dict[str, str]:
    """Every picture that the report has something for: name to SVG."""
    pictures = {"classes": classes(report), "sizes": sizes(report)}
    if report.leaks:
        pictures = {"leaks": leaks(report), **pictures}
    if report.shortcuts:
        pictures["shortcuts"] = shortcuts(report)
    return pictures


def leaks(report: Report) -> str:
    """What the images of each held-out side share with those that are trained on."""
    places, left = np.arange(len(report.leaks)), np.zeros(len(report.leaks))
    counts = np.array(
        [(leak.identical, leak.same_slice, leak.same_group, leak.images) for leak in report.leaks]
    )
    shares = np.diff(counts, axis=1, prepend=0) / np.maximum(counts[:, -1:], 1)
    kinds = (*_SHARED, ("nothing seen", _NOTHING_SHARED))
    with _axes(report, (6.6, 1.3 + 0.45 * len(places))) as (axes, file):
        for (name, colour), share in zip(kinds, shares.T, strict=True):
            axes.barh(places, 100 * share, left=left, color=colour, height=0.7, label=name)
            left += 100 * share
        axes.set_yticks(places, [f"{side(leak)}\nn = {leak.images}" for leak in report.leaks])
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("held-out images by what they share with the training side, %")
        _above(axes, columns=4)
    return file.getvalue()


def classes(report: Report) -> str:
    """Images by where they come from and by label."""
    origins, labels = list(report.origins), labels_of(report)
    places, left = np.arange(len(origins)), np.zeros(len(origins))
    with _axes(report, (6.6, 1.3 + 0.4 * len(origins))) as (axes, file):
        for number, label in enumerate(labels):
            counts = np.array([report.origins[origin].get(label, 0) for origin in origins])
            colour = _COLOURS[number % len(_COLOURS)]
            axes.barh(places, counts, left=left, color=colour, height=0.7, label=_spoken(label))
            left += counts
        axes.set_yticks(places, origins)
        axes.invert_yaxis()
        axes.set_xlabel("images")
        _above(axes, columns=4)
    return file.getvalue()


def sizes(report: Report) -> str:
    """Width and height of the images of each label, a dot's area by how many have them."""
    with _axes(report, (5.2, 4.4)) as (axes, file):
        for number, label in enumerate(labels_of(report)):
            own = [size for size in report.sizes if size.label == label]
            colour = _COLOURS[number % len(_COLOURS)]
            marker = _MARKERS[number % len(_MARKERS)]
            axes.scatter(
                [size.width for size in own],
                [size.height for size in own],
                s=[6 + 1.5 * size.images for size in own],
                color=colour,
                marker=marker,
                alpha=0.55,
                linewidths=0,
            )
            axes.scatter([], [], s=30, color=colour, marker=marker, label=_spoken(label))
        axes.set_xlabel("width, pixels")
        axes.set_ylabel("height, pixels")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        _above(axes, columns=4)
    return file.getvalue()


def shortcuts(report: Report) -> str:
    """Accuracy of a classifier that sees no head, with intervals, against guessing."""
    found = report.shortcuts
    places = np.arange(len(found))
    with _axes(report, (6.2, 1.3 + 0.3 * len(found))) as (axes, file):
        for target, colour, marker in (("finding", BLUE, "o"), ("label", ORANGE, "s")):
            own = [
                (place, shortcut.accuracy)
                for place, shortcut in zip(places, found, strict=True)
                if shortcut.target == target
            ]
            for place, figure in own:
                ends = [100 * end for end in (figure.low, figure.high) if end is not None]
                axes.plot(ends, [place] * len(ends), color=colour, linewidth=2)
                axes.plot(100 * figure.value, place, color=colour, marker=marker)
                axes.annotate(
                    percent(figure.value),
                    (100 * figure.value, place),
                    (0, 5),
                    textcoords="offset points",
                    ha="center",
                    fontsize=7,
                )
        guesses = [100 * shortcut.guess for shortcut in found]
        axes.scatter(guesses, places, marker="|", s=120, color=GREY, label="guessing")
        axes.set_yticks(places, [f"{shortcut.target}: {shortcut.features}" for shortcut in found])
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("right on groups that the classifier had not met, %")
        _above(axes, columns=1)
    return file.getvalue()


def side(leak: Leak) -> str:
    """What a held-out side is, in words."""
    return f"{leak.source}'s own {leak.side}" if leak.source else f"this build's {leak.side}"


def labels_of(report: Report) -> list[str]:
    """Every label that occurs, sorted; "" for images without."""
    return sorted({label for counts in report.images.values() for label in counts})


def _spoken(label: str) -> str:
    return label or "type not stated"


def _above(axes: Axes, columns: int) -> None:
    """Set a legend over the axes."""
    axes.legend(
        frameon=False, ncols=columns, loc="lower center", bbox_to_anchor=(0.5, 1.0), handlelength=1
    )


@contextmanager
def _axes(report: Report, inches: tuple[float, float]) -> Iterator[tuple[Axes, io.StringIO]]:
    """One pair of axes, and the file that holds them as SVG when the block has ended."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure  # draws without a display and without pyplot

    file = io.StringIO()
    with rc_context({**STYLE, **_DRESS}):
        figure = Figure(figsize=inches, layout="constrained")
        yield figure.subplots(), file
        if report.phantom:
            figure.supxlabel("PHANTOM: drawn images, no patient", fontsize=8, color=ORANGE)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    file.write(drawn.getvalue().replace("<defs>", _DARK + "<defs>", 1))
