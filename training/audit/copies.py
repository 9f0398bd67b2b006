"""Images that show the same slice: pixel-identical ones by hash, the others by the linkage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from training.audit.model import EXAMPLES, Finding, Severity
from training.audit.rows import Row
from training.audit.ties import sharing

if TYPE_CHECKING:
    from training.linkage import Link

Pair = tuple[int, int]
Key = Callable[[Row], str]


@dataclass(frozen=True, slots=True)
class Copies:
    """Images that have a copy, by row number.

    Args:
        identical: those with a pixel-identical copy.
        others: those with a copy that is not pixel-identical; an image can be in both.
        pairs: of copies, as examples; the pixel-identical ones come first.
    """

    identical: frozenset[int]
    others: frozenset[int]
    pairs: tuple[Pair, ...]

    @property
    def images(self) -> int:
        """Images with a copy of either kind."""
        return len(self.identical | self.others)

    def counts(self) -> dict[str, int]:
        """For a finding."""
        return {
            "images": self.images,
            "identical": len(self.identical),
            "same_slice": len(self.others),
        }


def near(rows: Sequence[Row], links: Iterable[Link]) -> list[Link]:
    """The links of one slice whose two images are not pixel-identical, best first."""
    found = (
        link
        for link in links
        if link.same_slice and rows[link.first].sha256 != rows[link.second].sha256
    )
    return sorted(found, key=lambda link: (-link.score, link.first, link.second))


def within(rows: Sequence[Row], links: Iterable[Link], key: Key) -> Copies:
    """Images with a copy of the same key, e.g. in the same split."""
    keys = [key(row) for row in rows]
    same = sharing([(row.sha256, value) for row, value in zip(rows, keys, strict=True)])
    pairs = [pair for members in same for pair in pairwise(members)]
    found = [link for link in near(rows, links) if keys[link.first] == keys[link.second]]
    return _copies(pairs, (index for members in same for index in members), found)


def across(rows: Sequence[Row], links: Iterable[Link], key: Key) -> Copies:
    """Images with a copy of another key, e.g. in another split."""
    keys = [key(row) for row in rows]
    pairs: list[Pair] = []
    identical: list[int] = []
    for members in sharing([row.sha256 for row in rows]):
        first = members[0]
        others = [index for index in members if keys[index] != keys[first]]
        if others:
            identical += members
            pairs.append((first, others[0]))
    found = [link for link in near(rows, links) if keys[link.first] != keys[link.second]]
    return _copies(pairs, identical, found)


def _copies(pairs: Sequence[Pair], identical: Iterable[int], found: Sequence[Link]) -> Copies:
    others = [(link.first, link.second) for link in found]
    touched = frozenset(index for pair in others for index in pair)
    return Copies(frozenset(identical), touched, (*pairs, *others))


def transforms(rows: Sequence[Row], links: Iterable[Link]) -> dict[str, int]:
    """How the second image of each pair of one slice differs from the first, to pairs."""
    found = Counter(str(link.transform) for link in near(rows, links))
    return dict(found.most_common())


def findings(rows: Sequence[Row], links: Sequence[Link]) -> Iterable[Finding]:
    """What there is to say about copies that are no leak between splits."""
    if (inside := within(rows, links, lambda row: row.split)).images:
        yield Finding(
            code="copies_within_split",
            topic="copies",
            severity=Severity.INFO,
            found=f"{inside.images} of {len(rows)} images show a slice that another image of their "
            f"split shows too: {len(inside.identical)} pixel for pixel, {len(inside.others)} "
            "re-encoded, resized, cropped, turned or mirrored.",
            means="The set holds fewer different slices than files: its size, and every interval "
            "that counts images, promises more than is there.",
            remedy="Count groups beside images, and draw intervals over groups.",
            counts=inside.counts(),
            examples=examples(rows, inside.pairs),
        )
    if (abroad := across(rows, links, lambda row: row.source)).images:
        between = Counter(
            " and ".join(sorted({rows[one].source, rows[other].source}))
            for one, other in abroad.pairs
        )
        listed = ", ".join(f"{name}: {count} pairs" for name, count in between.most_common())
        yield Finding(
            code="copies_across_sources",
            topic="copies",
            severity=Severity.WARNING,
            found=f"{abroad.images} of {len(rows)} images show a slice that another source holds "
            f"too ({listed}).",
            means="The sources are not independent: none of them tests what was trained on the "
            "other.",
            remedy="Keep linked images of all sources in one group, or leave the copies out.",
            counts=abroad.counts(),
            examples=examples(rows, abroad.pairs),
        )


def examples(rows: Sequence[Row], pairs: Sequence[Pair]) -> tuple[str, ...]:
    """The first few pairs by name."""
    return tuple(f"{rows[one].name} = {rows[other].name}" for one, other in pairs[:EXAMPLES])
