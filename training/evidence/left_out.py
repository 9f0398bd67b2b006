"""What the shipped policy says about a source that nothing was fitted on.

Both harms and what is left of use, with intervals over patients: apart for every sequence that the
source states, as a source can be met in one and not in another.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Figure, Row
from hub_model.guard import Guard
from training.evaluate import Judge
from training.scores import Scores
from training.statistics import figure


def figures(
    judge: Judge, source: str, scores: Scores, guard: Guard
) -> tuple[dict[str, Figure], list[Row]]:
    """Figures of one left-out source, and its rows of a table.

    Args:
        judge: temperature and policy, fitted without the source.
        source: its name.
        scores: its images; their finding is known, their type need not be.
        guard: the one that is shipped.

    Returns:
        Figures "left_out.<source>.<what>" of all its images and
        "left_out.<source>.<sequence>.<what>" of those of each stated sequence; and a row of counts
        for each. What: `tumor_called_none` (of the tumors, those accepted as none),
        `none_called_tumor` (of the tumor-free, those accepted as a tumor), `answered`, and where
        something was answered `answered_right` (tumor or not). A sequence without any tumor has no
        figure of tumors, and one without a tumor-free image none of those.
    """
    verdicts = judge.decide(scores, guard)
    accepted = np.array([one.verdict.accepted for one in verdicts], bool)
    found = np.array([one.finding == judge.finding.name for one in verdicts], bool)
    present = scores.inputs.present
    result: dict[str, Figure] = {}
    table: list[Row] = []
    for name, among in _parts(scores):
        place = ".".join(("left_out", source, *([name] if name else [])))
        words = f"source {source}, never learnt from{f', {name}' if name else ''}"
        groups = scores.inputs.groups

        asked = {
            "tumor_called_none": (accepted & ~found, among & present),
            "none_called_tumor": (accepted & found, among & ~present),
            "answered": (accepted, among),
            "answered_right": (found == present, among & accepted),
        }
        for what, (hits, of) in asked.items():
            if of.any():
                result[f"{place}.{what}"] = _share(words, groups[of], hits[of])
        table.append(
            {
                "source": source,
                "sequence": name or None,
                "n_images": int(among.sum()),
                "n_groups": len(np.unique(groups[among])),
                "n_tumor": int((among & present).sum()),
                "answered": int((among & accepted).sum()),
                "tumor_called_none": int((among & present & accepted & ~found).sum()),
                "none_called_tumor": int((among & ~present & accepted & found).sum()),
            }
        )
    return result, table


def _share(words: str, groups: NDArray[np.str_], hits: NDArray[np.bool_]) -> Figure:
    return figure(words, groups, lambda rows: float(hits[rows].mean()))


def _parts(scores: Scores) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """All images under the name "", then those of each sequence where one is stated."""
    yield "", np.ones(len(scores.logits), bool)
    stated = scores.inputs.sequences
    if stated is not None:
        for sequence in sorted({one for one in stated.tolist() if one}):
            yield sequence.lower(), stated == sequence
