"""Two runs side by side: which results are the same, and what makes the others differ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hub_model.errors import UsageError
from training.content import differences
from training.pipeline import manifest, record
from training.pipeline.plan import changes, code_changes
from training.pipeline.record import StageRecord
from training.pipeline.table import NAMES


@dataclass(frozen=True)
class Compared:
    """One stage of two runs.

    Args:
        stage: name.
        same: whether both left the same bytes; None where one of them has no result.
        why: what shaped the results differently, with both values; then which files differ.
    """

    stage: str
    same: bool | None
    why: tuple[str, ...]


def compare(first: Path, second: Path) -> list[Compared]:
    """Every stage of two runs, in order.

    Args:
        first: folder of a run.
        second: folder of the other.

    Raises:
        UsageError: one of them is no run.
        RunError: a record does not read.
    """
    for folder in (first, second):
        if not (folder / manifest.NAME).is_file():
            raise UsageError(f"{folder.name} is no run: it has no {manifest.NAME}")
    return [_stage(name, record.read(first / name), record.read(second / name)) for name in NAMES]


def _stage(name: str, one: StageRecord | None, other: StageRecord | None) -> Compared:
    if one is None or other is None:
        here = [which for which, found in (("first", one), ("second", other)) if found is not None]
        return Compared(name, None, (f"only the {here[0]} run has it",) if here else ())
    files = differences(one.outputs, other.outputs)
    why = [*changes(one, other), *code_changes(one, other)]
    if one.digest != other.digest:
        why += [f"{file} differs" for file in files[:5]]
        why += [f"and {len(files) - 5} files more"] if len(files) > 5 else []
    return Compared(name, one.digest == other.digest, tuple(why))
