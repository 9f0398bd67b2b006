"""What one side of a division shares with the side that is trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from training.audit.copies import across, examples
from training.audit.model import EXAMPLES, Finding, Leak, Severity
from training.audit.rows import Row
from training.audit.ties import sharing
from training.bundle.spoken import percent
from training.dataset.splits import SPLITS

if TYPE_CHECKING:
    from training.linkage import Link

TRAIN = SPLITS[0]


def leaks(rows: Sequence[Row], links: Sequence[Link]) -> tuple[Leak, ...]:
    """Every held-out side against the one that is trained on: the sources' own, then the build's.

    Args:
        rows: all images.
        links: between their row numbers.
    """
    found: list[Leak] = []
    for source in dict.fromkeys(row.source for row in rows):
        sides = [row.official if row.source == source else None for row in rows]
        found += _held_out("official", source, sides, rows, links)
    found += _held_out("build", "", [row.split for row in rows], rows, links)
    return tuple(found)


def _held_out(
    division: str,
    source: str,
    sides: Sequence[str | None],
    rows: Sequence[Row],
    links: Sequence[Link],
) -> Iterator[Leak]:
    if TRAIN not in sides:
        return
    order = {split: place for place, split in enumerate(SPLITS)}
    others = sorted({side for side in sides if side} - {TRAIN}, key=lambda s: (order.get(s, 9), s))
    for side in others:
        yield _leak(division, source, side, sides, rows, links)


def _leak(
    division: str,
    source: str,
    side: str,
    sides: Sequence[str | None],
    rows: Sequence[Row],
    links: Sequence[Link],
) -> Leak:
    """Counts of one side, against `TRAIN`."""
    held = [index for index, name in enumerate(sides) if name == side]
    known = [row for row, name in zip(rows, sides, strict=True) if name == TRAIN]
    hashes, groups = {row.sha256 for row in known}, {row.group for row in known}
    same_slice, tied = set[int](), set[int]()
    for link in links:
        for one, other in ((link.first, link.second), (link.second, link.first)):
            if sides[one] == side and sides[other] == TRAIN:
                tied.add(one)
                if link.same_slice:
                    same_slice.add(one)
    identical = {index for index in held if rows[index].sha256 in hashes}
    same_slice |= identical
    tied |= same_slice | {index for index in held if rows[index].group in groups}
    return Leak.model_validate(
        {
            "division": division,
            "source": source,
            "side": side,
            "against": TRAIN,
            "images": len(held),
            "identical": len(identical),
            "same_slice": len(same_slice),
            "same_group": len(tied),
        }
    )


def findings(
    rows: Sequence[Row], links: Sequence[Link], found: Iterable[Leak]
) -> Iterator[Finding]:
    """What there is to say about them.

    Args:
        rows: all images.
        links: between their row numbers.
        found: `leaks` of the same.
    """
    yield from _torn_groups(rows)
    yield from _copies_across(rows, links)
    yield from _ties_across(rows, links)
    for leak in found:
        if leak.division == "official" and leak.same_group:
            yield _official(leak)
    if len({(row.group, row.sha256) for row in rows}) == len({row.group for row in rows}):
        yield Finding(
            code="no_groups",
            topic="leaks",
            severity=Severity.WARNING,
            found=f"Every one of the {len(rows)} images is a group of its own, but for exact "
            "copies: no patient is known.",
            means="Slices of one patient can stand on two sides without anybody seeing it.",
            remedy="Build with a file of groups, or with groups found by the linkage.",
            counts={"images": len(rows)},
        )


def _torn_groups(rows: Sequence[Row]) -> Iterator[Finding]:
    torn = {
        rows[members[0]].group: sorted({rows[index].split for index in members})
        for members in sharing([row.group for row in rows])
        if len({rows[index].split for index in members}) > 1
    }
    if torn:
        images = sum(row.group in torn for row in rows)
        yield Finding(
            code="groups_across_splits",
            topic="leaks",
            severity=Severity.ERROR,
            found=f"{len(torn)} groups with {images} of {len(rows)} images stand in several splits "
            "of this dataset.",
            means="Its test images show patients that it is trained on: what is measured on them "
            "is memory.",
            remedy="Build again under the scheme 'group'.",
            counts={"groups": len(torn), "images": images},
            examples=tuple(
                f"{group} in {'+'.join(splits)}" for group, splits in sorted(torn.items())
            )[:EXAMPLES],
        )


def _copies_across(rows: Sequence[Row], links: Sequence[Link]) -> Iterator[Finding]:
    if (torn := across(rows, links, lambda row: row.split)).images:
        yield Finding(
            code="copies_across_splits",
            topic="leaks",
            severity=Severity.ERROR,
            found=f"{torn.images} of {len(rows)} images show a slice that stands in another split "
            f"too: {len(torn.identical)} pixel for pixel, {len(torn.others)} re-encoded, resized, "
            "cropped, turned or mirrored.",
            means="The same slice is trained on and tested.",
            remedy="Put linked images into one group and build again.",
            counts=torn.counts(),
            examples=examples(rows, torn.pairs),
        )


def _ties_across(rows: Sequence[Row], links: Sequence[Link]) -> Iterator[Finding]:
    """Links of weaker evidence than one slice, between groups on different sides."""
    torn = [
        (link.first, link.second)
        for link in links
        if not link.same_slice and rows[link.first].split != rows[link.second].split
        and rows[link.first].group != rows[link.second].group
    ]  # fmt: skip
    if torn:
        images = len({index for pair in torn for index in pair})
        yield Finding(
            code="neighbours_across_splits",
            topic="leaks",
            severity=Severity.WARNING,
            found=f"{images} of {len(rows)} images look like a neighbouring slice of an image in "
            f"another split and another group ({len(torn)} pairs).",
            means="Their groups may be parts of one patient.",
            remedy="Look at the pairs; join the groups where they are one head.",
            counts={"images": images, "pairs": len(torn)},
            examples=examples(rows, torn),
        )


def _official(leak: Leak) -> Finding:
    return Finding(
        code="official_split_leaks",
        topic="leaks",
        severity=Severity.WARNING,
        found=f"{leak.same_group} of {leak.images} '{leak.side}' images of {leak.source} "
        f"({percent(leak.same_group / leak.images)}) show a patient or look-alike group that is "
        f"also in '{leak.against}' as the source divides itself; {leak.same_slice} show the same "
        f"slice, {leak.identical} pixel for pixel.",
        means="A model can answer these from memory: a figure measured on the source's own split "
        "says little about a new patient.",
        remedy="Divide by group; where the source's split is used, say beside the figure that it "
        "leaks.",
        counts={
            "images": leak.images,
            "identical": leak.identical,
            "same_slice": leak.same_slice,
            "same_group": leak.same_group,
        },
    )
