"""Evidence in, report out: every check over the same rows, files and links."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from hub_model.errors import UsageError
from training.audit import copies, defects, labels, leaks, shortcut
from training.audit.files import File
from training.audit.model import Finding, Form, Report, Severity, Shortcut, Size, Target
from training.audit.rows import Row
from training.audit.ties import chain as chained
from training.dataset.report import BuildReport
from training.linkage.ties import tied
from training.sources.table import SOURCES

if TYPE_CHECKING:
    from training.linkage import Link

SIZE_STEP = 16  # pixels to which sizes are rounded in the report


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a dataset shows.

    Args:
        fingerprint: of the dataset, 64 hex digits.
        rows: one an image.
        files: of the same images.
        links: between row numbers.
        build: its report; None where that is not known.
    """

    fingerprint: str
    rows: Sequence[Row]
    files: Sequence[File]
    links: Sequence[Link]
    build: BuildReport | None


def examine(evidence: Evidence, seed: int = 0) -> Report:
    """Run every check.

    Args:
        evidence: of one dataset.
        seed: of the shallow classifier's folds and of the intervals.
    """
    rows, files, links, build = evidence.rows, evidence.files, evidence.links, evidence.build
    groups = joined_groups(rows, links)
    leaking = leaks.leaks(rows, links)
    shortcuts, unmeasured = _shortcuts(rows, files, groups, seed)
    found = chain(
        leaks.findings(rows, links, leaking),
        copies.findings(rows, links),
        labels.findings(rows, links),
        shortcut.findings(shortcuts),
        unmeasured,
        defects.findings(rows, files, build.unreadable if build else ()),
        () if build else (_NO_BUILD_REPORT,),
    )
    sources = tuple(dict.fromkeys(row.source for row in rows))
    return Report(
        name=", ".join(sources),
        fingerprint=evidence.fingerprint,
        phantom=any(name in SOURCES and SOURCES[name].layout == "phantom" for name in sources),
        sources={name: _origin(name, build) for name in sources},
        images=_images(rows),
        groups=_groups(rows),
        origins=_origins(rows),
        n_groups=len({row.group for row in rows}),
        leaks=leaking,
        build_warnings=build.warnings if build else (),
        transforms=copies.transforms(rows, links),
        sizes=_sizes(rows, files),
        forms=_forms(rows, files),
        shortcuts=shortcuts,
        findings=tuple(sorted(found, key=lambda finding: -finding.severity.rank)),
    )


def joined_groups(rows: Sequence[Row], links: Sequence[Link]) -> NDArray[np.int64]:
    """Groups for judging a classifier: the dataset's own, joined wherever a link ties two.

    Returns:
        `(N,)` numbers.
    """
    pairs = [
        *chained([row.group for row in rows]),
        *chained([row.sha256 for row in rows]),
        *((link.first, link.second) for link in links),
    ]
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    return tied(len(rows), ends[:, 0], ends[:, 1])


def _shortcuts(
    rows: Sequence[Row], files: Sequence[File], groups: NDArray[np.int64], seed: int
) -> tuple[tuple[Shortcut, ...], list[Finding]]:
    found: list[Shortcut] = []
    unmeasured = []
    for target in get_args(Target):
        try:
            found += shortcut.shortcuts(target, rows, files, groups, seed)
        except UsageError as error:  # too few images or groups for the folds
            unmeasured.append(shortcut.not_measured(target, str(error)))
    return tuple(found), unmeasured


_NO_BUILD_REPORT = Finding(
    code="no_build_report",
    topic="files",
    severity=Severity.INFO,
    found="The dataset comes without the report of its build.",
    means="What the build left out, and why, is not known.",
    remedy="Build it again.",
    counts={},
)


def _origin(name: str, build: BuildReport | None) -> str:
    stated = build.origins.get(name) if build else None
    return stated or (SOURCES[name].origin if name in SOURCES else None) or "local"


def _images(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        found[row.split][row.label] += 1
    return {split: dict(sorted(counts.items())) for split, counts in found.items()}


def _groups(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        found[row.split][row.label].add(row.group)
    return {
        split: {label: len(names) for label, names in sorted(members.items())}
        for split, members in found.items()
    }


def _origins(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        found[f"{row.source}, {row.official}" if row.official else row.source][row.label] += 1
    return {origin: dict(sorted(counts.items())) for origin, counts in sorted(found.items())}


def _sizes(rows: Sequence[Row], files: Sequence[File]) -> tuple[Size, ...]:
    found = Counter(
        (row.label, _about(file.width), _about(file.height))
        for row, file in zip(rows, files, strict=True)
    )
    return tuple(
        Size(label=label, width=width, height=height, images=images)
        for (label, width, height), images in sorted(found.items())
    )


def _about(side: int) -> int:
    return SIZE_STEP * round(side / SIZE_STEP)


def _forms(rows: Sequence[Row], files: Sequence[File]) -> tuple[Form, ...]:
    found = Counter(
        (row.label, file.format, file.mode) for row, file in zip(rows, files, strict=True)
    )
    return tuple(
        Form(label=label, format=form, mode=mode, images=images)
        for (label, form, mode), images in sorted(found.items())
    )
