"""Candidates of a recipe: what they are, how they did on the folds, and which one is taken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from hub_model.contract import Row
from hub_model.errors import UsageError
from training.operating import over_folds
from training.operating.table import write_csv
from training.recipe.grid_spec import GridSpec

RESULTS = "grid_results.csv"  # beside the stages of the run that goes on with the one that is taken


@dataclass(frozen=True)
class Candidate:
    """One combination of values.

    Args:
        run: id of the run that it was trained in.
        overrides: `"train.finetune.lr=0.0001"`, one a key.
        folds: rows of `areas.held_out`.
    """

    run: str
    overrides: tuple[str, ...]
    folds: tuple[Row, ...]

    @property
    def precision(self) -> float | None:
        """Mean over the folds of the average precision on images that were not met."""
        return over_folds.means(self.folds)["validation_ap"]["mean"]


def combinations(spec: GridSpec) -> list[tuple[str, ...]]:
    """The overrides of every candidate, the last key varying fastest.

    >>> combinations(GridSpec(values={"train.batch": (16, 32), "model.drop_rate": (0.1,)}))
    [('train.batch=16', 'model.drop_rate=0.1'), ('train.batch=32', 'model.drop_rate=0.1')]
    """
    return [
        tuple(f"{key}={json.dumps(value)}" for key, value in zip(spec.values, values, strict=True))
        for values in product(*spec.values.values())
    ]


def best(found: Sequence[Candidate]) -> int:
    """Number of the candidate of the highest mean average precision; of equal ones the first.

    Raises:
        UsageError: no fold of any candidate has images with and without the finding.
    """
    known = [
        (one.precision, -number) for number, one in enumerate(found) if one.precision is not None
    ]
    if not known:
        raise UsageError(
            "no fold has images with and without the finding, so no candidate can be judged: "
            "divide by fewer folds (crossval.folds), or bring more images with it"
        )
    return -max(known)[1]


def write(folder: Path, found: Sequence[Candidate], chosen: int) -> None:
    """Write a row a candidate into `RESULTS` of a run's folder.

    Args:
        folder: of the run.
        found: in their order.
        chosen: number of the one that is taken.
    """
    rows: list[Row] = []
    for number, one in enumerate(found):
        row: Row = {"candidate": number, "run": one.run, "chosen": int(number == chosen)}
        for key, text in (text.split("=", 1) for text in one.overrides):
            value = json.loads(text)
            row[key] = value if isinstance(value, str) else text  # YAML reads 1e-6 as a string
        row["folds"] = len(one.folds)
        for name, value in over_folds.means(one.folds).items():
            row |= {f"{name}_mean": value["mean"], f"{name}_std": value["std"]}
        rows.append(row)
    write_csv(folder / RESULTS, rows)


def told(folder: Path) -> str | None:
    """The choice in words, for the manifest; None where there was none."""
    file = folder / RESULTS
    if not file.is_file():
        return None
    count = len(file.read_text().splitlines()) - 1
    return f"{count} candidates, one taken by average precision on the folds, see {RESULTS}"
