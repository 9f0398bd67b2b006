"""domain_guard.json: what the tensors of a guard mean, and how it did."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hub_model.contract.base import Frozen, Share
from hub_model.contract.figures import Sample

COMBINED = "combined"  # what all members of a guard together are called

GuardKind = Literal[
    "logistic",
    "mahalanobis",
    "relative_mahalanobis",
    "knn",
    "residual",
    "vim",
    "energy",
    "max_softmax",
]
Layer = Literal["embedding", "middle", "logits", "statistics"]
Normalisation = Literal["none", "unit", "standard"]


class DomainResult(Frozen):
    """How one guard did on one domain that it had not seen when it was fitted.

    `_low` and `_high` bound 95 % of a bootstrap over the groups of both sides.
    """

    domain: str
    near: bool  # a brain, or what is easily taken for one
    guard: str  # name of a member on its own, or COMBINED
    n_images: int
    n_groups: int
    auroc: Share
    auroc_low: Share
    auroc_high: Share
    fpr95: Share  # share of the domain let in where 95 % of in-domain images are
    fpr95_low: Share
    fpr95_high: Share
    aupr: Share  # strangers are the positives
    aupr_low: Share
    aupr_high: Share
    admitted: Share  # share of the domain with p_in_domain >= tau_domain
    admitted_low: Share
    admitted_high: Share
    finding_calls: Share  # share of the domain accepted as showing the finding: the harm
    finding_calls_low: Share
    finding_calls_high: Share


class FeatureWidths(Frozen):
    """How many numbers a guard is shown of an image, by layer."""

    embedding: Annotated[int, Field(ge=1)]
    middle: Annotated[int, Field(ge=1)]
    logits: Annotated[int, Field(ge=2)]
    statistics: Annotated[int, Field(ge=1)]


class MemberFile(Frozen):
    """One member of a guard; its tensors are named "<name>.<tensor>"."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    kind: GuardKind
    layer: Layer
    normalise: Normalisation  # "unit": to unit length; "standard": as on in-domain images
    parameters: dict[str, float]  # what the kind counts or weighs with, e.g. its neighbours
    strangers: tuple[str, ...]  # known out-of-domain sources that it was fitted on


class GuardFile(Frozen):
    """domain_guard.json: what the tensors beside it mean."""

    members: Annotated[tuple[MemberFile, ...], Field(min_length=1)]
    widths: FeatureWidths
    scale: Literal["rank", "probability"]
    # "rank": p_in_domain is the share of in-domain calibration images at least as strange.
    # "probability": p_in_domain is the logistic model's output (converted from the old form).
    fitted_on: tuple[Sample, ...]
    leave_one_domain_out: tuple[DomainResult, ...]

    @model_validator(mode="after")
    def _agree(self) -> GuardFile:
        names = [member.name for member in self.members]
        if len(set(names)) < len(names) or COMBINED in names:
            raise ValueError(f"members {names} repeat a name or take that of {COMBINED!r}")
        if self.scale == "probability" and [one.kind for one in self.members] != ["logistic"]:
            raise ValueError(f"scale is 'probability', members are {names}: expected one logistic")
        return self

    @property
    def strangers(self) -> tuple[str, ...]:
        """Names of the known out-of-domain sources that any member was fitted on."""
        return tuple(dict.fromkeys(name for one in self.members for name in one.strangers))
