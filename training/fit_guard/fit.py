"""One guard out of the members a recipe names, its scales set on calibration images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import GuardFile, MemberFile
from hub_model.guard import Guard, rank, strangeness
from hub_model.guard.fitted import COMBINED_SCORES, SCORES
from hub_model.guard.kinds import normalised
from hub_model.guard.ranks import among_themselves
from training.fit_guard import tensors as fitting
from training.recipe import GuardSpec, MemberSpec
from training.scores import Scores
from training.statistics import sample

Tensors = dict[str, NDArray[Any]]
LEARNS_STRANGERS = frozenset({"logistic"})


@dataclass(frozen=True, eq=False)
class Head:
    """The network's last layer: logits are `embedding @ weight.T + bias`."""

    weight: NDArray[np.float32]  # (K, D)
    bias: NDArray[np.float32]  # (K,)


@dataclass(frozen=True, eq=False)
class Material:
    """What guards are fitted on.

    Args:
        known: in-domain images; those without a type have no part in class means.
        calibration: in-domain images of other groups; their scores are what ranks are taken in.
        strangers: known out-of-domain images by domain; only some kinds look at them.
        head: the network's last layer.
    """

    known: Scores
    calibration: Scores
    strangers: Mapping[str, Scores]
    head: Head

    def without(self, domain: str) -> Material:
        """The same with one domain of strangers never seen."""
        others = {name: found for name, found in self.strangers.items() if name != domain}
        return Material(self.known, self.calibration, others, self.head)


@dataclass(frozen=True, eq=False)
class Fitted:
    """One member with its tensors, and its sorted scores of the calibration images."""

    file: MemberFile
    tensors: Tensors
    scores: NDArray[np.float64]  # (M,) in the order of the calibration images

    def named(self) -> Tensors:
        """The tensors as a guard holds them."""
        own = {f"{self.file.name}.{name}": value for name, value in self.tensors.items()}
        return {**own, f"{self.file.name}.{SCORES}": np.sort(self.scores)}


def fit(spec: GuardSpec, material: Material) -> Guard:
    """The guard of the members that the recipe ships."""
    return join([fit_member(member, spec, material) for member in spec.members], material)


def join(members: Sequence[Fitted], material: Material) -> Guard:
    """Members that were fitted on the same material as one guard."""
    tensors: Tensors = {}
    for member in members:
        tensors |= member.named()
    if len(members) > 1:
        ranks = np.stack([rank(member.scores, np.sort(member.scores)) for member in members])
        tensors[COMBINED_SCORES] = among_themselves(ranks)
    used = dict.fromkeys(name for member in members for name in member.file.strangers)
    file = GuardFile(
        members=tuple(member.file for member in members),
        widths=material.known.features.widths,
        scale="rank",
        fitted_on=(
            sample("train+validation", material.known.inputs.groups),
            sample("calibration", material.calibration.inputs.groups),
            *(sample(name, material.strangers[name].inputs.groups) for name in used),
        ),
        leave_one_domain_out=(),
    )
    return Guard(file, tensors)


def fit_member(member: MemberSpec, spec: GuardSpec, material: Material) -> Fitted:
    """One member: its tensors, and how strange it finds the calibration images.

    Args:
        member: kind, layer and normalisation.
        spec: what all members count and weigh with.
        material: what it is fitted on.
    """
    learns = member.kind in LEARNS_STRANGERS
    file = MemberFile(
        name=member.name,
        kind=member.kind,
        layer=member.layer,
        normalise=member.normalise,
        parameters={},
        strangers=tuple(material.strangers) if learns else (),
    )
    known = material.known.features.layer(file.layer)
    scaling = fitting.scaling(known) if file.normalise == "standard" else {}

    def shown(scores: Scores) -> NDArray[np.float64]:
        return normalised(file, scaling, scores.features.layer(file.layer))

    own, parameters = _BY_KIND[member.kind](spec, material, shown)
    file = file.model_copy(update={"parameters": parameters})
    tensors = {**own, **scaling}
    return Fitted(file, tensors, strangeness(file, tensors, material.calibration.features))


Shown = Callable[[Scores], NDArray[np.float64]]
Found = tuple[Tensors, dict[str, float]]


def _logistic(spec: GuardSpec, material: Material, shown: Shown) -> Found:
    strange = np.concatenate([shown(other) for other in material.strangers.values()])
    return fitting.logistic(shown(material.known), strange, spec.regularisation), {}


def _mahalanobis(_spec: GuardSpec, material: Material, shown: Shown) -> Found:
    return fitting.mahalanobis(shown(material.known), material.known.labels), {}


def _relative(_spec: GuardSpec, material: Material, shown: Shown) -> Found:
    return fitting.relative_mahalanobis(shown(material.known), material.known.labels), {}


def _knn(spec: GuardSpec, material: Material, shown: Shown) -> Found:
    bank = fitting.knn(shown(material.known), spec.bank)
    return bank, {"neighbours": min(spec.neighbours, len(bank["bank"]))}


def _residual(spec: GuardSpec, material: Material, shown: Shown) -> Found:
    head = material.head
    return fitting.residual(shown(material.known), head.weight, head.bias, spec.principal), {}


def _vim(spec: GuardSpec, material: Material, shown: Shown) -> Found:
    subspace, _ = _residual(spec, material, shown)
    known = material.known
    return subspace, {"alpha": fitting.alpha(shown(known), known.logits, subspace)}


def _nothing(_spec: GuardSpec, _material: Material, _shown: Shown) -> Found:
    return {}, {}


_BY_KIND: dict[str, Callable[[GuardSpec, Material, Shown], Found]] = {
    "logistic": _logistic,
    "mahalanobis": _mahalanobis,
    "relative_mahalanobis": _relative,
    "knn": _knn,
    "residual": _residual,
    "vim": _vim,
    "energy": _nothing,
    "max_softmax": _nothing,
}
