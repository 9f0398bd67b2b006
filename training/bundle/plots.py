"""Pictures and tables of a bundle's `reports/`, drawn from metrics.json and nothing else.

The same metrics give the same bytes: no date, a fixed salt for the ids inside an SVG, letters as
outlines so that no font of the viewer's machine is asked for.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hub_model import contract
from hub_model.contract import MetricsFile, Verdict
from hub_model.errors import BundleError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CALIBRATION = "calibration_metrics.json"

Row = Mapping[str, str | int | float | None]

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#767676"
# Answers in blues, what the network is unsure of in oranges, what it was not asked about in greys;
# neighbours differ in lightness, so that the bars also read without colour.
VERDICT_COLOURS = {
    Verdict.ACCEPT: "#08519c",
    Verdict.ACCEPT_FINDING: "#6baed6",
    Verdict.ABSTAIN_LOW_CONF: "#fdd0a2",
    Verdict.ABSTAIN_DISAGREEMENT: "#e6761b",
    Verdict.ABSTAIN_OOD: "#969696",
    Verdict.ABSTAIN_QUALITY: "#d9d9d9",
}
STYLE = {
    "svg.hashsalt": "neuroguard",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",  # ships with matplotlib
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
}


def write(metrics: MetricsFile, folder: Path) -> list[str]:
    """Draw every plot and table into `folder`; returns their file names.

    Args:
        metrics: with the tables "confusion", "reliability", "risk_coverage", "verdicts", "guard",
            "severity", "promise_check", "pooling", "policy", "policy_outputs", "tau_sweep",
            "calibration" and "calibration_arms".
        folder: is made if need be.

    Raises:
        BundleError: a table is missing or empty, or a value that must be a number is none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plots: dict[str, Callable[[MetricsFile, Path], None]] = {
        "confusion.svg": confusion,
        "reliability.svg": reliability,
        "risk_coverage.svg": risk_coverage,
        "verdicts.svg": verdicts,
        "severity.svg": severity,
    }
    tables = {
        "domain_guard.csv": "guard",
        "domain_guard_tau_sweep.csv": "tau_sweep",
        "verdicts.csv": "verdicts",
        "severity.csv": "severity",
        "promise_check.csv": "promise_check",
        "pooling.csv": "pooling",
        "policy_summary.csv": "policy",
        "challenge_policy_outputs.csv": "policy_outputs",
    }
    for name, draw in plots.items():
        draw(metrics, folder / name)
    for name, source in tables.items():
        _write_csv(table(metrics, source), folder / name)
    calibration = {name: table(metrics, name) for name in ("calibration", "calibration_arms")}
    text = json.dumps({"phantom": metrics.phantom, **calibration}, indent=2)
    (folder / CALIBRATION).write_text(text + "\n")
    return [*plots, *tables, CALIBRATION]


def table(metrics: MetricsFile, name: str) -> list[Row]:
    """The rows of a table that must be there.

    Raises:
        BundleError: the table is missing or empty.
    """
    rows: list[Row] = list(metrics.tables.get(name, ()))
    if not rows:
        raise BundleError(
            contract.METRICS, f"holds figures but no table {name!r}: evaluate the run again"
        )
    return rows


def number(row: Row, key: str) -> float:
    """The number under a key that must hold one.

    Raises:
        BundleError: there is none.
    """
    value = row.get(key)
    if not isinstance(value, int | float):
        raise BundleError(
            contract.METRICS, f"a table holds {value!r} under {key!r}, expected a number"
        )
    return float(value)


def confusion(metrics: MetricsFile, path: Path) -> None:
    """Counts by true class and by likeliest class; shaded by the share of the row."""
    rows = table(metrics, "confusion")
    names = [str(row["true"]) for row in rows]
    counts = np.array([[number(row, name) for name in names] for row in rows])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 1.6 + 0.75 * len(names)
    with _figure(metrics, path, (side, side)) as axes:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("likeliest class")
        axes.set_ylabel("true class")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        for i, j in np.ndindex(counts.shape):
            colour = "white" if shares[i, j] > 0.5 else "black"
            axes.text(j, i, f"{counts[i, j]:.0f}", ha="center", va="center", color=colour)
        axes.set_title("Test images before abstention")


def reliability(metrics: MetricsFile, path: Path) -> None:
    """Accuracy against mean confidence in equal-mass bins, before and after the temperature."""
    rows = table(metrics, "reliability")
    low = min(min(number(row, "confidence"), number(row, "accuracy")) for row in rows)
    low = np.floor(10 * low) / 10
    with _figure(metrics, path, (4.2, 4.0)) as axes:
        axes.plot([low, 1], [low, 1], color=GREY, linewidth=1, linestyle=":")
        for kind, colour, marker in (("raw", ORANGE, "s"), ("calibrated", BLUE, "o")):
            part = [row for row in rows if row["kind"] == kind]
            axes.plot(
                [number(row, "confidence") for row in part],
                [number(row, "accuracy") for row in part],
                color=colour,
                marker=marker,
                markersize=4,
                linewidth=1,
                label="before the temperature" if kind == "raw" else "after",
                clip_on=False,
                zorder=3,
            )
        axes.set_xlim(low, 1)
        axes.set_ylim(low, 1)
        axes.set_aspect("equal")
        axes.set_xlabel("mean confidence")
        axes.set_ylabel("accuracy")
        axes.legend(frameon=False, loc="best")
        axes.set_title("Reliability on test images")


def risk_coverage(metrics: MetricsFile, path: Path) -> None:
    """Error among the most confident images against the share of images kept."""
    rows = table(metrics, "risk_coverage")
    with _figure(metrics, path, (4.6, 3.2)) as axes:
        axes.plot(
            [100 * number(row, "coverage") for row in rows],
            [100 * number(row, "error") for row in rows],
            color=BLUE,
            marker="o",
            markersize=3,
            linewidth=1.5,
            clip_on=False,
            zorder=3,
        )
        axes.set_xlim(0, 100)
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, axis="y", color="#e5e5e5", linewidth=0.8)
        axes.set_xlabel("most confident test images kept, %")
        axes.set_ylabel("wrong class among them, %")
        axes.set_title("Risk and coverage, without the guard")


def verdicts(metrics: MetricsFile, path: Path) -> None:
    """Shares of the verdicts on the test images and on every out-of-domain source."""
    rows = table(metrics, "verdicts")
    names = [f"{row['domain']}\nn = {number(row, 'n_images'):.0f}" for row in rows]
    places, left = np.arange(len(rows)), np.zeros(len(rows))
    with _figure(metrics, path, (6.6, 1.4 + 0.45 * len(rows))) as axes:
        for verdict, colour in VERDICT_COLOURS.items():
            width = np.array([100 * number(row, verdict.value) for row in rows])
            axes.barh(places, width, left=left, color=colour, height=0.7, label=verdict.value)
            left += width
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("share of the images, %")
        axes.legend(
            frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), handlelength=1
        )


def severity(metrics: MetricsFile, path: Path) -> None:
    """Shares refused and called the finding as test images are distorted, one cell a level."""
    rows = table(metrics, "severity")
    names = list(dict.fromkeys(str(row["distortion"]) for row in rows))
    with _figure(metrics, path, (6.6, 1.2 + 0.5 * len(names))) as axes:
        for place, name in enumerate(names):
            for step, row in enumerate(one for one in rows if one["distortion"] == name):
                refused = number(row, "refused") + number(row, "poor_quality")
                axes.barh(place, 0.9 * refused, left=step, color=GREY, height=0.7)
                called = number(row, "finding_calls")
                axes.barh(place, 0.9 * called, left=step + 0.9 * refused, color=ORANGE, height=0.7)
                level = f"{number(row, 'level'):g}"
                axes.text(step, place - 0.42, level, fontsize=6, va="bottom")
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xticks([])
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, None)
        axes.set_xlabel("a cell a level: share refused (grey), then called a finding (orange)")


@contextmanager
def picture(path: Path, inches: tuple[float, float], *, phantom: bool) -> Iterator[Figure]:
    """An empty figure, saved as SVG at the end; a phantom's picture says so.

    Args:
        path: of the SVG; the same figure gives the same bytes.
        inches: width and height.
        phantom: whether it shows results of drawn images.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas  # draws without a display and without pyplot

    with rc_context(STYLE):
        figure: Figure = Canvas(figsize=inches, layout="constrained")
        yield figure
        if phantom:
            figure.supxlabel("PHANTOM: drawn images, no patient", fontsize=8, color=ORANGE)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


@contextmanager
def _figure(metrics: MetricsFile, path: Path, inches: tuple[float, float]) -> Iterator[Axes]:
    """One pair of axes in a picture."""
    with picture(path, inches, phantom=metrics.phantom) as figure:
        yield figure.subplots()


def _write_csv(rows: Sequence[Row], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
