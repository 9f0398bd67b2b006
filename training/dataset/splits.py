"""Which split a group belongs to: disjoint by group, the same for ever, and how even that came out.

A group's side, and its fold, depend on the seed and on its own name alone, so images and groups can
be added without moving anyone, and nothing has to be remembered between two builds. The price is
that classes and sources come out even only on average: a division that is even by construction has
to look at the other groups, and then an added group moves some of them. So `imbalance` measures
what came out and `balanced_seed` looks for a seed under which it came out well. Such a seed is
chosen once, by counts and never by results, and written into the recipe.

All this holds as long as a group keeps its name: patients do, and so must look-alike groups.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from hub_model.errors import NeuroguardError, UsageError

SPLITS = ("train", "validation", "calibration", "threshold", "test")
_FOLD = "fold"  # what the names of folds begin with that a source publishes


class LeakError(NeuroguardError):
    """A group is on two sides; nothing measured on such a division is worth keeping."""

    exit_code = 3


def check_shares(shares: Mapping[str, float]) -> None:
    """Refuse shares that are not positive or do not sum to 1."""
    if not shares or any(share <= 0 for share in shares.values()):
        raise UsageError(
            f"shares are {dict(shares)}: give every split more than 0, or leave it out"
        )
    if not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        raise UsageError(f"shares sum to {sum(shares.values()):.6g}: they must sum to 1")


def side(group: str, shares: Mapping[str, float], seed: int) -> str:
    """The split of one group.

    Args:
        group: patient or look-alike group.
        shares: split name to share, more than 0 each, 1 together; their order matters.
        seed: any whole number.

    Returns:
        A key of `shares`.
    """
    place = _place(f"{seed}\0{group}")
    for name, share in shares.items():
        place -= share
        if place < 0:
            return name
    return list(shares)[-1]  # rounding of the last sum


def fold(group: str, k: int, seed: int) -> int:
    """The fold of one group, drawn independently of its `side`.

    So both the whole and any one split can be cross-validated by it. Like the side it never
    changes; `folds` is more even, and changes with every group that is added.

    Args:
        group: patient or look-alike group.
        k: number of folds.
        seed: any whole number.

    Returns:
        0 to k - 1.
    """
    return min(int(k * _place(f"{seed}\0fold\0{group}")), k - 1)  # rounding can reach k


def _place(text: str) -> float:
    """A number from 0 to 1 that only the text decides."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def assign(groups: Sequence[str], shares: Mapping[str, float], seed: int) -> list[str]:
    """The split of every image, by its group.

    Args:
        groups: group of each image.
        shares: split name to share, e.g. ``{"train": 0.6, "test": 0.4}``.
        seed: any whole number.

    Returns:
        Split names, one an image. Adding images or groups never changes those of the others.

    Raises:
        UsageError: the shares do not sum to 1 or one is not positive.

    Example:
        >>> assign(["a", "b", "a"], {"train": 0.5, "test": 0.5}, seed=0)[0::2]
        ['train', 'train']
    """
    check_shares(shares)
    sides = {group: side(group, shares, seed) for group in set(groups)}
    return [sides[group] for group in groups]


def imbalance(strata: Sequence[str], splits: Sequence[str], shares: Mapping[str, float]) -> float:
    """How far the worst stratum is from its share in any split.

    Args:
        strata: stratum of each image, e.g. class and source.
        splits: split of each image.
        shares: as in `assign`.

    Returns:
        Largest of ``|found / expected - 1|`` over splits and strata, counted in images: 0 is
        perfect, 1 or more means that a stratum is missing from a split or takes twice its place.
    """
    return _off(strata, splits, shares)[0]


def _off(strata: Sequence[str], splits: Sequence[str], shares: Mapping[str, float]) -> list[float]:
    """The same of every stratum in every split, worst first."""
    found = Counter(zip(splits, strata, strict=True))
    return sorted(
        (
            abs(found[name, stratum] / (share * images) - 1)
            for stratum, images in Counter(strata).items()
            for name, share in shares.items()
        ),
        reverse=True,
    )


def balanced_seed(
    groups: Sequence[str],
    strata: Sequence[str],
    shares: Mapping[str, float],
    seeds: Iterable[int] = range(500),
) -> tuple[int, float]:
    """The seed under which the strata come out most even, and its `imbalance`.

    Where the worst of several seeds is the same, the next worst counts: a stratum too rare for the
    smallest split is off by 1 there under most seeds, and must not be missing from others as well.

    Args:
        groups: group of each image.
        strata: stratum of each image.
        shares: as in `assign`.
        seeds: candidates; the first of several equally good ones wins.

    Returns:
        A seed for `assign` and the imbalance it gives.

    Raises:
        UsageError: as in `assign`.
    """
    check_shares(shares)
    off, seed = min((_off(strata, assign(groups, shares, seed), shares), seed) for seed in seeds)
    return seed, off[0]


def assert_disjoint(groups: Sequence[str], splits: Sequence[str]) -> None:
    """Refuse a division in which a group is on two sides.

    Args:
        groups: group of each image.
        splits: split of each image.

    Raises:
        LeakError: names up to three groups and their splits.
    """
    sides: dict[str, set[str]] = defaultdict(set)
    for group, split in zip(groups, splits, strict=True):
        sides[group].add(split)
    torn = [
        f"{group} in {'+'.join(sorted(where))}"
        for group, where in sorted(sides.items())
        if len(where) > 1
    ]
    if torn:
        raise LeakError(
            f"{len(torn)} groups are in more than one split, none may be: {'; '.join(torn[:3])}"
        )


def folds(groups: Sequence[str], strata: Sequence[str], k: int, seed: int) -> list[int]:
    """Fold of every image for a cross-validation: disjoint by group, strata as even as can be.

    Unlike `assign` this looks at all groups at once; the folds live as long as one comparison.

    Args:
        groups: group of each image.
        strata: stratum of each image.
        k: number of folds, 2 or more, at most the number of groups.
        seed: any whole number from 0.

    Returns:
        Numbers 0 to k - 1, one an image.

    Raises:
        UsageError: there are fewer groups than folds, or fewer images of a stratum than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if not 2 <= k <= len(set(groups)):
        raise UsageError(
            f"{k} folds of {len(set(groups))} groups: ask for 2 up to the number of groups"
        )
    rarest, images = min(Counter(strata).items(), key=lambda item: (item[1], item[0]))
    if images < k:
        raise UsageError(
            f"stratum {rarest!r} has {images} images for {k} folds: ask for fewer folds"
        )
    kinds = {stratum: number for number, stratum in enumerate(sorted(set(strata)))}
    fold = [0] * len(groups)
    divider = StratifiedGroupKFold(k, shuffle=True, random_state=seed)
    divisions = divider.split(groups, [kinds[stratum] for stratum in strata], groups)
    for number, (_, held_out) in enumerate(divisions):
        for index in held_out:
            fold[index] = number
    return fold


def published_folds(
    groups: Sequence[str], stated: Sequence[str], strata: Sequence[str], k: int, seed: int
) -> list[int]:
    """Fold of every image as its source publishes it; groups without one are divided as by `folds`.

    Args:
        groups: group of each image.
        stated: what its source states: "fold1" to "fold" and k, anything else for no fold.
        strata: stratum of each image; they count where no fold is published.
        k: number of folds.
        seed: of what is divided here.

    Returns:
        Numbers 0 to k - 1, one an image; an image of a group with a published fold is in that one.

    Raises:
        UsageError: other folds than those k are published, or `folds` cannot divide the rest.
        LeakError: a group is in two of the published folds.
    """
    names = {f"{_FOLD}{number + 1}": number for number in range(k)}
    published = [name for name in stated if name.startswith(_FOLD)]
    if set(published) != set(names):
        raise UsageError(
            f"the sources publish the folds {sorted(set(published))}, asked for are {k}: expected "
            f"{', '.join(names)}; set crossval.folds to their number, or leave crossval.published "
            "out"
        )
    own = [group for group, name in zip(groups, stated, strict=True) if name in names]
    try:
        assert_disjoint(own, published)
    except LeakError as error:
        raise LeakError(
            f"of the published folds, {error}; leave crossval.published out, and the groups are "
            "divided anew"
        ) from error
    fold_of = {group: names[name] for group, name in zip(own, published, strict=True)}
    rest = [index for index, group in enumerate(groups) if group not in fold_of]
    if rest:
        divided = folds([groups[i] for i in rest], [strata[i] for i in rest], k, seed)
        fold_of |= {groups[index]: number for index, number in zip(rest, divided, strict=True)}
    return [fold_of[group] for group in groups]
