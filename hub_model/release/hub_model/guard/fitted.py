"""A fitted guard: its members, and the one number they make together.

Every member finds an image strange in its own units; ranked among in-domain calibration images it
speaks in shares. The smallest share counts, so that one member is enough to refuse, and is ranked
again: `p_in_domain` is the share of those images that look at least as strange, and `tau_domain` a
promised refusal rate in domain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import COMBINED, GUARD, GUARD_TENSORS, GuardFile, MemberFile
from hub_model.errors import BundleError
from hub_model.guard.features import Features
from hub_model.guard.kinds import KINDS, SCALING, strangeness
from hub_model.guard.ranks import combined, rank

SCORES = "scores"  # of in-domain calibration images, sorted; of each member and of all together
COMBINED_SCORES = f"{COMBINED}.{SCORES}"


@dataclass(frozen=True, eq=False)
class Guard:
    """What `domain_guard.json` says, and the tensors beside it.

    Args:
        file: members and scale.
        tensors: "<member>.<tensor>" of every member, its "<member>.scores" where the scale is that
            of ranks, and "combined.scores" where there are several members.

    Raises:
        BundleError: naming the member or tensor that is missing, unknown or of a wrong form.
    """

    file: GuardFile
    tensors: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        wanted: dict[str, int] = {}
        for member in self.file.members:
            _check_member(member)
            wanted |= {f"{member.name}.{name}": n for name, n in self._dimensions(member).items()}
        if len(self.file.members) > 1:
            wanted[COMBINED_SCORES] = 1
        found = {name: tensor.ndim for name, tensor in self.tensors.items()}
        if found != wanted:
            odd = sorted(name for name in found | wanted if found.get(name) != wanted.get(name))
            raise BundleError(
                GUARD_TENSORS,
                f"does not hold what the members need: {odd[0]} has {found.get(odd[0])} "
                f"dimensions, expected {wanted.get(odd[0])} (None: no such tensor): export the "
                "bundle again",
            )
        for name, tensor in self.tensors.items():
            if wrong := _unfit(name, tensor):
                raise BundleError(GUARD_TENSORS, f"{name} {wrong}: export the bundle again")
        for member in self.file.members:
            self._check_sides(member)

    def p_in_domain(self, features: Features) -> NDArray[np.float64]:
        """`(N,)` in 0-1, higher = more in-domain.

        Args:
            features: of N images, as wide as those that the guard was fitted on.

        Raises:
            BundleError: they are not as wide.
        """
        if features.widths != self.file.widths:
            raise BundleError(
                GUARD_TENSORS,
                f"was fitted on features of widths {self.file.widths.model_dump()}, these have "
                f"{features.widths.model_dump()}",
            )
        if self.file.scale == "probability":
            (member,) = self.file.members
            return 1 / (1 + np.exp(np.clip(self.strangeness(member, features), -700, 700)))
        ranks = self.ranks(features)
        if len(ranks) == 1:
            return ranks[0]
        return rank(combined(ranks), self.tensors[COMBINED_SCORES])

    def ranks(self, features: Features) -> NDArray[np.float64]:
        """`(members, N)`: share of calibration images that each member finds at least as strange.

        Args:
            features: of N images.
        """
        return np.stack(
            [
                rank(self.strangeness(member, features), self.tensors[f"{member.name}.{SCORES}"])
                for member in self.file.members
            ]
        )

    def strangeness(self, member: MemberFile, features: Features) -> NDArray[np.float64]:
        """`(N,)` scores of one of the members, in its own units, higher = stranger."""
        return strangeness(member, self.of(member), features)

    def of(self, member: MemberFile) -> dict[str, NDArray[Any]]:
        """A member's tensors by their own names, without its calibration scores."""
        names = self._dimensions(member).keys() - {SCORES}
        return {name: self.tensors[f"{member.name}.{name}"] for name in names}

    @property
    def least_p(self) -> float:
        """What the strangest of all images gets; only what lies above it can be refused."""
        if self.file.scale == "probability":
            return 0.0
        least = [1 / (len(self.tensors[f"{m.name}.{SCORES}"]) + 1) for m in self.file.members]
        if len(least) == 1:
            return least[0]
        return float(rank(np.array([-min(least)]), self.tensors[COMBINED_SCORES])[0])

    def _dimensions(self, member: MemberFile) -> dict[str, int]:
        """Names and numbers of dimensions of a member's tensors."""
        found = {name: len(sides) for name, sides in KINDS[member.kind].tensors.items()}
        if member.normalise == "standard":
            found |= SCALING
        if self.file.scale == "rank":
            found[SCORES] = 1
        return found

    def _check_sides(self, member: MemberFile) -> None:
        """Sides of one name are of one length, and "width" is that of the member's layer."""
        lengths = {"width": int(getattr(self.file.widths, member.layer))}
        tensors, sides = self.of(member), dict(KINDS[member.kind].tensors)
        if member.normalise == "standard":
            sides |= dict.fromkeys(SCALING, ("width",))
        for name, named in sides.items():
            for side, length in zip(named, tensors[name].shape, strict=True):
                if lengths.setdefault(side, length) != length:
                    raise BundleError(
                        GUARD_TENSORS,
                        f"{member.name}.{name} is {tensors[name].shape}, its {side} must be "
                        f"{lengths[side]}: export the bundle again",
                    )
        self._check_neighbours(member, tensors)

    def _check_neighbours(self, member: MemberFile, tensors: Mapping[str, NDArray[Any]]) -> None:
        if "neighbours" not in member.parameters:
            return
        k, images = member.parameters["neighbours"], len(tensors["bank"])
        if k != int(k) or not 1 <= k <= images:
            raise BundleError(
                GUARD,
                f"{member.name} counts {k:g} neighbours, its bank has {images} to count: export "
                "the bundle again",
            )


def _check_member(member: MemberFile) -> None:
    kind = KINDS[member.kind]
    if member.layer not in kind.layers:
        raise BundleError(
            GUARD, f"{member.name} looks at {member.layer}, {member.kind} at {list(kind.layers)}"
        )
    if member.parameters.keys() != set(kind.parameters):
        raise BundleError(
            GUARD,
            f"{member.name} has the parameters {sorted(member.parameters)}, {member.kind} takes "
            f"{sorted(kind.parameters)}",
        )


def _unfit(name: str, tensor: NDArray[Any]) -> str | None:
    """What is wrong with a tensor whatever it belongs to, or None."""
    if not tensor.size:  # without scores every image would rank first
        return "is empty"
    if not np.isfinite(tensor).all():
        return "holds a value that is not finite"
    if name.endswith(f".{SCORES}") and np.any(np.diff(tensor) < 0):
        return "is not sorted"
    if name.endswith(".scale") and not (tensor > 0).all():
        return "holds a value that is not above 0"
    return None
