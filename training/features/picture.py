"""How the units of labelled files lie, label by label: a picture of their histograms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.bundle.plots import picture
from training.features.one_file import BIN, EDGES, Row
from training.pictures.draw import COLOURS, WIDE

HISTOGRAMS = "hu_histograms.svg"
PANELS = (("all units", (-1024, 2048)), ("brain and blood", (-100, 150)))  # HU
BAND = (10, 90)  # percentiles of the files


def draw(out: Path, rows: Sequence[Row], *, phantom: bool) -> None:
    """Draw, for each label, the median over its files of the share of pixels in each bin.

    Args:
        out: the SVG.
        rows: of `one_file.look`; those without a label or without units are left out.
        phantom: whether the images are drawn.
    """
    shares = {label: _shares(rows, label) for label in sorted({str(row["label"]) for row in rows})}
    middles = EDGES[:-1] + BIN / 2
    with picture(out, (WIDE[0], 2 * WIDE[1]), phantom=phantom) as figure:
        for axes, (title, (low, high)) in zip(figure.subplots(len(PANELS)), PANELS, strict=True):
            inside = (middles >= low) & (middles <= high)
            for colour, (label, found) in zip(COLOURS, shares.items(), strict=False):
                if not len(found):
                    continue
                lower, middle, upper = np.percentile(found, (BAND[0], 50, BAND[1]), axis=0)
                words = f"label {label}, {len(found)} files"
                axes.fill_between(
                    middles[inside], lower[inside], upper[inside], color=colour, alpha=0.2
                )
                axes.plot(middles[inside], middle[inside], color=colour, label=words)
            axes.set_title(title)
            axes.set_xlabel("HU")
            axes.set_ylabel(f"share of pixels in {BIN} HU")
            axes.set_yscale("symlog", linthresh=1e-3)
            if axes.lines:
                axes.legend()


def _shares(rows: Sequence[Row], label: str) -> NDArray[np.float64]:
    """`(N, B)` share of the pixels of each file with that label in each bin."""
    counts = [
        row["histogram"]
        for row in rows
        if row["label"] == label and isinstance(row["histogram"], list)
    ]
    found = np.array(counts, np.float64).reshape(len(counts), len(EDGES) - 1)
    return found / found.sum(axis=1, keepdims=True)
