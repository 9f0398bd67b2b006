"""Rows, files and links made by hand, for the checks of the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.audit.examine import Evidence
from training.audit.files import POINTS, File
from training.audit.rows import Row
from training.linkage import Link

RIM = np.zeros(4 * POINTS + 4, np.float32)
PLAIN = File(
    width=256,
    height=256,
    mode="L",
    format="PNG",
    size=30_000,
    quantisation=0.0,
    colour=0.0,
    levels=200,
    contrast=0.2,
    rim=RIM,
)


def row(number: int, **changes: object) -> Row:
    """An image of its own in the split "train", unlike all others."""
    plain = Row(
        split="train",
        label="a",
        finding="tumor",
        group=f"g{number}",
        sha256=f"{number:064x}",
        source="drawn",
        path=f"a/{number}.png",
    )
    return replace(plain, **changes)


def file(**changes: object) -> File:
    """A file that nothing is wrong with."""
    return replace(PLAIN, **changes)


def link(first: int, second: int, **changes: object) -> Link:
    """Two images of one slice."""
    plain = Link(first=first, second=second, score=0.99, transform="identity", same_slice=True)
    return replace(plain, **changes)


def evidence(rows: Sequence[Row], links: Sequence[Link] = (), **changes: object) -> Evidence:
    """A dataset of such images; every file is plain unless `files` says otherwise."""
    plain = Evidence(
        fingerprint="f" * 64,
        rows=rows,
        files=[file() for _ in rows],
        links=links,
        build=None,
    )
    return replace(plain, **changes)


def leaking() -> Evidence:
    """Something of everything: leaks, copies, contradictions, a shortcut, a tiny file."""
    rows = []
    for number in range(48):
        finding = ("tumor", "none")[number // 4 % 2]
        rows.append(
            row(
                number,
                label="a" if finding == "tumor" else "free",
                finding=finding,
                group=f"p{number // 4}",
                split=("train", "test")[number // 24],
                official=("train", "test")[number % 2],
            )
        )
    rows[24] = replace(rows[24], sha256=rows[0].sha256)
    rows[2] = replace(rows[2], label="b")
    files = [file(width=200 if one.finding == "none" else 500) for one in rows]
    files[5] = replace(files[5], height=20)
    links = (link(1, 25, transform="mirror"), link(2, 3), link(8, 40, same_slice=False))
    return evidence(rows, links, files=files)
