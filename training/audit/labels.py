"""Images that show the same and are labelled differently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from training.audit.copies import near
from training.audit.model import EXAMPLES, Finding, Severity
from training.audit.rows import UNSTATED, Row
from training.audit.ties import sharing
from training.sources.review import Doubt, shipped

if TYPE_CHECKING:
    from training.linkage import Link

Pair = tuple[int, int]


def conflicts(
    rows: Sequence[Row], links: Sequence[Link], stated: Callable[[Row], str]
) -> tuple[Pair, ...]:
    """Pairs of one slice that two different things are stated of; pixel-identical ones first.

    Args:
        rows: all images.
        links: between their row numbers.
        stated: label or finding of a row; `UNSTATED` contradicts nothing.
    """
    pairs = []
    for members in sharing([row.sha256 for row in rows]):
        by_name = {stated(rows[index]): index for index in reversed(members)}
        by_name.pop(UNSTATED, None)
        ordered = sorted(by_name.values())
        pairs += [(ordered[0], other) for other in ordered[1:]]
    for link in near(rows, links):
        names = {stated(rows[link.first]), stated(rows[link.second])}
        if len(names) == 2 and UNSTATED not in names:
            pairs.append((link.first, link.second))
    return tuple(pairs)


def findings(rows: Sequence[Row], links: Sequence[Link]) -> Iterator[Finding]:
    """What there is to say about them."""
    if pairs := conflicts(rows, links, lambda row: row.finding):
        yield Finding(
            code="two_findings_one_slice",
            topic="labels",
            severity=Severity.ERROR,
            found=f"{len(pairs)} pairs of images show one slice and state two findings of it.",
            means="One of the two is wrong: whatever a model says of them counts as an error once.",
            remedy="Ask the sources, then correct or leave out both images.",
            counts=_counts(pairs),
            examples=_examples(rows, pairs, lambda row: row.finding),
        )
    if pairs := conflicts(rows, links, lambda row: row.label):
        yield Finding(
            code="two_labels_one_slice",
            topic="labels",
            severity=Severity.WARNING,
            found=f"{len(pairs)} pairs of images show one slice under two labels.",
            means="One of the two labels is wrong: no model can be right on both.",
            remedy="Ask the sources, then correct or leave out both images.",
            counts=_counts(pairs),
            examples=_examples(rows, pairs, lambda row: row.label),
        )
    mixed = _mixed_groups(rows)
    if mixed:
        yield Finding(
            code="two_labels_one_group",
            topic="labels",
            severity=Severity.INFO,
            found=f"{len(mixed)} groups hold images of several labels.",
            means="Rightly so for a patient with slices above and below a finding, or for a group "
            "of look-alikes; a sign of a wrong label where a patient has one type of tumor.",
            remedy="Look at the groups named.",
            counts={"groups": len(mixed)},
            examples=tuple(f"{group}: {', '.join(names)}" for group, names in mixed)[:EXAMPLES],
        )

    yield from _doubted(rows)


_DOUBTS = {
    Doubt.MASS: "called tumor-free and showing a mass",
    Doubt.MODALITY: "of another modality than the source states",
    Doubt.TYPE: "of another type in the collection they were taken from",
}


def _doubted(rows: Sequence[Row]) -> Iterator[Finding]:
    """Images whose label the review that is shipped for their source puts under doubt."""
    reviews = {name: shipped(name) for name in {row.source for row in rows}}
    found = [
        (why, row)
        for row in rows
        if (why := reviews[row.source].get((row.group, row.label))) is not None
    ]
    if found:
        counts = Counter(why for why, _ in found)
        groups = len({row.group for _, row in found})
        listed = ", ".join(f"{counts[why]} {_DOUBTS[why]}" for why in Doubt if counts[why])
        yield Finding(
            code="labels_under_doubt",
            topic="labels",
            severity=Severity.WARNING,
            found=f"{len(found)} of {len(rows)} images in {groups} groups have a label that the "
            f"review shipped for their source puts under doubt: {listed}.",
            means="The review looked at images of every tumor-free group and is no radiologist's: "
            "its rows are doubts. A model that is right on such an image may count as wrong.",
            remedy="Set them aside (data.review in a recipe), and give figures with and without.",
            counts={
                "images": len(found),
                "groups": groups,
                **{str(why): n for why, n in counts.items()},
            },
            examples=tuple(f"{row.name} ({why})" for why, row in found[:EXAMPLES]),
        )


def _mixed_groups(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    found = []
    for members in sharing([row.group for row in rows]):
        names = sorted({rows[index].label for index in members} - {UNSTATED})
        if len(names) > 1:
            found.append((rows[members[0]].group, names))
    return sorted(found)


def _counts(pairs: Sequence[Pair]) -> dict[str, int]:
    return {"pairs": len(pairs), "images": len({index for pair in pairs for index in pair})}


def _examples(
    rows: Sequence[Row], pairs: Sequence[Pair], stated: Callable[[Row], str]
) -> tuple[str, ...]:
    return tuple(
        f"{rows[one].name} ({stated(rows[one])}) = {rows[other].name} ({stated(rows[other])})"
        for one, other in pairs[:EXAMPLES]
    )
