"""A comparison of new images with a revision's reference, as one page and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from hub_model.contract import PHANTOM_WARNING, RESEARCH_ONLY
from hub_model.drift import LEVEL, SCORES, Seen, Shift, told
from training.bundle.plots import BLUE, ORANGE, picture
from training.report import html
from training.report.html import Html
from training.report.page import TEMPLATE

WORDS = {
    "p_in_domain": "how in-domain the images look",
    "top_probability": "how sure the network is of its likeliest class",
}


def document(
    reference: Seen, batch: Seen, shifts: Sequence[Shift], revision: str, refused: int
) -> dict[str, Any]:
    """The comparison as plain values for JSON.

    Args:
        reference: of the revision.
        batch: the new images.
        shifts: from `hub_model.drift.compare`.
        revision: 40 hex digits, or the content hash of a folder.
        refused: files that could not be read.
    """
    return {
        "revision": revision,
        "shifted": any(shift.alarm for shift in shifts),
        "level": LEVEL,
        "reference": {"images": reference.images, "counted_as": reference.groups},
        "batch": {"images": batch.images, "counted_as": batch.groups, "refused": refused},
        "shifts": [{**asdict(shift), "alarm": shift.alarm} for shift in shifts],
        "notice": RESEARCH_ONLY,
    }


def page(
    reference: Seen,
    batch: Seen,
    shifts: Sequence[Shift],
    revision: str,
    refused: int,
    *,
    phantom: bool,
) -> str:
    """The comparison as one HTML file that needs no other; see `document`."""
    notices = [RESEARCH_ONLY, *([PHANTOM_WARNING] if phantom else [])]
    title = "New images against what the revision was built on"
    facts = {
        "revision": revision,
        "reference": f"{reference.images} images, counted as {reference.groups:.0f}",
        "new": f"{batch.images} images, counted as {batch.groups:.0f}; {refused} files refused",
    }
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=html.text(title),
        heading=html.text(title),
        notice=html.join([html.paragraph(notice) for notice in notices]),
        on_paper=" ".join(notices),
        facts=html.element("dl", html.join(_fact(*fact) for fact in facts.items())),
        contents=Html(""),
        sections=html.join([_verdict(shifts), _table(shifts), _plots(reference, batch, phantom)]),
    )


def _fact(name: str, value: str) -> Html:
    pair = [html.element("dt", html.text(name)), html.element("dd", html.text(value))]
    return html.join(pair, "")


def _verdict(shifts: Sequence[Shift]) -> Html:
    about = (
        f"Of the shifts told, at most {LEVEL:.0%} are none (Benjamini and Hochberg over all rows). "
        "Images of one patient are alike, so images are not counted one by one: the reference "
        "counts as its groups, and the new images, whose patients are not stated, as so many "
        "groups as --images-per-patient says, by default as many images to one as in the "
        "reference. No shift shown is not the same as none: few images show little."
    )
    return html.join([html.paragraph(told(shifts)), html.paragraph(about)])


def _table(shifts: Sequence[Shift]) -> Html:
    heads = ("what", "reference", "new", "gap", "p", "adjusted", "shifted")
    return html.table(
        "Median of a score, rate of a verdict",
        heads,
        [
            (
                shift.what.replace("_", " "),
                *(f"{value:.3f}" for value in (shift.reference, shift.batch, shift.distance)),
                *(f"{value:.2g}" for value in (shift.p, shift.adjusted)),
                "yes" if shift.alarm else "no",
            )
            for shift in shifts
        ],
    )


def _plots(reference: Seen, batch: Seen, phantom: bool) -> Html:
    pieces = []
    with TemporaryDirectory() as folder:
        for name in SCORES:
            if not len(batch.scores[name]):
                continue
            path = Path(folder) / f"{name}.svg"
            with picture(path, (4.4, 3.2), phantom=phantom) as figure:
                axes = figure.subplots()
                for rows, colour, label in (
                    (reference.scores[name], BLUE, "reference"),
                    (batch.scores[name], ORANGE, "new"),
                ):
                    ranked = np.sort(rows)
                    share = np.arange(1, len(ranked) + 1) / len(ranked)
                    axes.step(ranked, share, where="post", color=colour, label=label)
                axes.set_xlabel(name.replace("_", " "))
                axes.set_ylabel("share of the images at or below")
                axes.set_ylim(0, 1)
                axes.legend(frameon=False)
            pieces.append(html.plot(path, f"Distribution of {WORDS[name]}", WORDS[name]))
    return html.beside(pieces, "plots")
