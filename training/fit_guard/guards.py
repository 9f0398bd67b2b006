"""The guard that is shipped, and those of every kind that never saw one domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub_model.contract import COMBINED, DomainResult, MetricsFile
from hub_model.guard import Guard
from training.fit_guard.fit import LEARNS_STRANGERS, Fitted, Material, fit_member, join
from training.recipe import GuardSpec, MemberSpec

# What is fitted and judged in every run, whether it is shipped or not.
BENCH = (
    MemberSpec(kind="logistic"),
    MemberSpec(kind="mahalanobis"),
    MemberSpec(kind="relative_mahalanobis"),
    MemberSpec(kind="knn", normalise="unit"),
    MemberSpec(kind="residual"),
    MemberSpec(kind="vim"),
    MemberSpec(kind="energy", layer="logits"),
    MemberSpec(kind="max_softmax", layer="logits"),
    MemberSpec(kind="logistic", layer="middle"),
    MemberSpec(kind="mahalanobis", layer="middle"),
    MemberSpec(kind="knn", layer="middle", normalise="standard"),
    MemberSpec(kind="logistic", layer="statistics", normalise="standard"),
    MemberSpec(kind="mahalanobis", layer="statistics", normalise="standard"),
    MemberSpec(kind="knn", layer="statistics", normalise="standard"),
)


@dataclass(frozen=True, eq=False)
class Guards:
    """The guard that is shipped, and for judging it those that never saw a domain.

    Args:
        shipped: fitted on every stranger.
        unseen: name of a member on its own, or `COMBINED` for all that are shipped together; then
            domain, to the guard that was fitted without that domain.
    """

    shipped: Guard
    unseen: Mapping[str, Mapping[str, Guard]]

    def judged(self, metrics: MetricsFile) -> Guard:
        """The shipped guard with its rows of the figures written into its file."""
        rows = [row for row in metrics.tables["guard"] if row["guard"] == COMBINED]
        results = tuple(DomainResult.model_validate(row) for row in rows)
        file = self.shipped.file.model_copy(update={"leave_one_domain_out": results})
        return Guard(file, self.shipped.tensors)


def fit_all(spec: GuardSpec, material: Material) -> Guards:
    """The recipe's guard, and guards of every kind with each stranger domain left out in turn."""
    arms = {member.name: member for member in (*BENCH, *spec.members)}  # the recipe's come last
    once = {  # look at no stranger: the same whoever is left out
        name: fit_member(member, spec, material)
        for name, member in arms.items()
        if member.kind not in LEARNS_STRANGERS
    }

    def fitted(name: str, seen: Material) -> Fitted:
        return once[name] if name in once else fit_member(arms[name], spec, seen)

    unseen: dict[str, dict[str, Guard]] = {name: {} for name in (*arms, COMBINED)}
    for domain in material.strangers:
        seen = material.without(domain)
        members = {name: fitted(name, seen) for name in arms}
        for name, member in members.items():
            unseen[name][domain] = join([member], seen)
        shipped = [members[member.name] for member in spec.members]
        unseen[COMBINED][domain] = join(shipped, seen)
    whole = join([fitted(member.name, material) for member in spec.members], material)
    return Guards(whole, unseen)
