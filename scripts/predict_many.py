"""Verdicts on many cases into one file: in batches, in several processes, and on after a stop.

Rows are collected in a folder beside the file, a part a process, and become the file when all cases
are answered, in their order. A row says which input and which revision it belongs to: one that is
there is not asked for again.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from hub_model import GuardedClassifier
from hub_model.case import Case
from hub_model.engine import MAX_BATCH
from hub_model.errors import InputRejected, UsageError
from hub_model.policy import Decision
from hub_model.reading import read_case
from scripts.options import report
from training.processes import Processes
from training.whole_file import whole_file


def named(where: Path) -> list[str]:
    """The cases that `--many` names.

    Args:
        where: a folder, of which every visible entry is a case, in the order of their names; or a
            text file with a path a line, empty lines left out.

    Raises:
        UsageError: it names none.
    """
    if where.is_dir():
        found = sorted(str(path) for path in where.iterdir() if not path.name.startswith("."))
    else:
        try:
            lines = where.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise UsageError(
                "--many takes a folder, or a text file with the path of a case a line: this file "
                "is neither"
            ) from error
        found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise UsageError("--many names no case: give a folder with files, or a list of paths")
    return found


def predict_many(
    classifier: GuardedClassifier,
    cases: Sequence[str],
    out: Path,
    team: Processes,
    *,
    batch: int = MAX_BATCH,
) -> int:
    """Answer all cases into `out` and return how many were refused and have no row.

    Memory holds the slices of a batch, and a number for each case. Every process of the team must
    call it with the same cases, and the folder of `out` must be one that all of them see.

    Args:
        classifier: of the revision that the rows are to be of.
        cases: paths, as they are to stand in the rows.
        out: JSON lines; what it holds of other revisions or cases is replaced at the end.
        team: this process and the others.
        batch: slices asked about at once; those of one case are never divided.

    Raises:
        UsageError: `out` is no file of rows, or another command is writing it.
    """
    parts = out.with_name(f".{out.name}.parts")
    revision = classifier.revision
    known = team.once(lambda: set(_index(_files(out, parts), revision)))
    mine = [case for case in dict.fromkeys(cases) if case not in known][team.rank :: team.count]
    parts.mkdir(parents=True, exist_ok=True)
    with (parts / f"{team.rank}.jsonl").open("ab+") as file:
        _claim(file)
        for asked in batches(mine, batch, []):
            decisions = classifier.predict_many([case for _, case in asked])
            for (name, case), decision in zip(asked, decisions, strict=True):
                file.write(line(name, case, decision).encode())
            file.flush()
    team.wait()
    return team.once(lambda: _merge(cases, out, parts, revision))


def line(name: str, case: Case, decision: Decision) -> str:
    """A row, with the line's end: the JSON document that `predict --json` prints.

    Args:
        name: of the case, as it was given.
        case: what was read.
        decision: on it.
    """
    document = {"input": name, "warnings": case.warnings, **decision.to_dict()}
    return json.dumps(document) + "\n"


def batches(
    cases: Iterable[str], batch: int, refused: list[str]
) -> Iterator[list[tuple[str, Case]]]:
    """Cases with `batch` slices or just over, as far as they can be read.

    Args:
        cases: paths.
        batch: slices to come together; those of one case are never divided.
        refused: gets the paths of those that cannot be read; why is reported.
    """
    held: list[tuple[str, Case]] = []
    for name in tqdm(cases, desc="predict"):
        try:
            case = read_case([name])
        except InputRejected as error:
            report(f"refused: {name}: {error} [{error.code}]")
            refused.append(name)
            continue
        for warning in case.warnings:
            report(f"warning: {name}: {warning}")
        held.append((name, case))
        if sum(len(one.slices) for _, one in held) >= batch:
            yield held
            held = []
    if held:
        yield held


def _files(out: Path, parts: Path) -> list[Path]:
    """Where rows may be: what was whole before, then what was being written."""
    return [path for path in (out, *sorted(parts.glob("*.jsonl"))) if path.is_file()]


def _index(files: Sequence[Path], revision: str) -> dict[str, tuple[Path, int]]:
    """File and first byte of the row of every input that has one of that revision."""
    found: dict[str, tuple[Path, int]] = {}
    for path in files:
        start = 0
        with path.open("rb") as file:
            for row in file:
                if row.endswith(b"\n"):  # a process that was killed may have left half of one
                    name, belongs = _belongs(row)
                    if belongs == revision:
                        found.setdefault(name, (path, start))
                start += len(row)
    return found


def _belongs(row: bytes) -> tuple[str, str]:
    """Input and revision of a row."""
    try:
        document = json.loads(row)
        return document["input"], document["revision"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            "--out names a file with a line that is no verdict: give another name, or remove it"
        ) from error


def _claim(part: BinaryIO) -> None:
    """Keep other commands from this part, and cut off half a row at its end."""
    try:
        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(
            "another command is writing the file of --out: wait for it, or give another name"
        ) from error
    part.seek(0)
    part.truncate(sum(len(row) for row in part if row.endswith(b"\n")))


def _merge(cases: Sequence[str], out: Path, parts: Path, revision: str) -> int:
    """Write the rows in the order of the cases; returns how many cases have none."""
    index = _index(_files(out, parts), revision)
    with ExitStack() as opened, whole_file(out) as file:
        sources = {
            path: opened.enter_context(path.open("rb")) for path in {p for p, _ in index.values()}
        }
        for case in cases:
            if case in index:
                path, start = index[case]
                sources[path].seek(start)
                file.write(sources[path].readline().decode("utf-8"))
    shutil.rmtree(parts)
    return sum(case not in index for case in cases)
