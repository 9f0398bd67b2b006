"""Guards fitted on embeddings, and judged on domains that they did not see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from hub_model.contract import DomainResult, GuardFile, MetricsFile
from hub_model.guard import CALIBRATION_SCORES, MEMBERS, TENSORS, Guard, strangeness, unit_length
from training.recipe import GuardSpec
from training.scores import Scores
from training.statistics import sample

Arrays = dict[str, NDArray[Any]]
REGULARISATION = 0.1  # inverse strength C of the logistic regression, on standardised features


def fit(
    spec: GuardSpec, known: Scores, calibration: Scores, strangers: Mapping[str, Scores]
) -> Guard:
    """The recipe's guard, its scale set on calibration images.

    Args:
        spec: kind and normalisation.
        known: in-domain images to fit on.
        calibration: in-domain images of other groups; their scores are what ranks are taken in.
        strangers: known out-of-domain images by domain; a distance guard does not look at them.
    """
    if spec.kind == "combined":
        parts = [
            fit(spec.model_copy(update={"kind": kind}), known, calibration, strangers)
            for kind in MEMBERS
        ]
        return _combined(parts, calibration)
    tensors = _tensors(spec, known, strangers)
    scores = strangeness(spec.kind, tensors, calibration.embedding, normalise=spec.normalise)
    tensors[CALIBRATION_SCORES] = np.sort(scores)
    used = {} if spec.kind == "mahalanobis" else strangers
    return Guard(
        GuardFile(
            kind=spec.kind,
            layer="embedding",
            normalise=spec.normalise,
            scale="rank",
            fitted_on=(
                sample("train+validation", known.inputs.groups),
                sample("calibration", calibration.inputs.groups),
                *(sample(name, scores.inputs.groups) for name, scores in used.items()),
            ),
            strangers=tuple(used),
            leave_one_domain_out=(),
        ),
        tensors,
    )


def _combined(parts: Sequence[Guard], calibration: Scores) -> Guard:
    """One guard of the members' tensors, each with its scores of the calibration images.

    The members ranked the calibration images among themselves, so each of these counted itself
    twice, which a new image does not: left so, more than `tau_domain` would be refused, by up to
    two ranks. The scores are ranks, so they are not rounded: equal ones must stay equal.
    """
    tensors: Arrays = {}
    for part in parts:
        for name, tensor in part.tensors.items():
            own = f"{part.file.kind}_scores" if name == CALIBRATION_SCORES else name
            tensors[own] = tensor
    normalise = parts[0].file.normalise
    ranks = -strangeness("combined", tensors, calibration.embedding, normalise=normalise)
    whole = len(ranks) + 1
    tensors[CALIBRATION_SCORES] = np.sort((1 - np.rint(ranks * whole)) / whole)
    fullest = max((part.file for part in parts), key=lambda file: len(file.fitted_on))
    return Guard(fullest.model_copy(update={"kind": "combined"}), tensors)


@dataclass(frozen=True, eq=False)
class Guards:
    """The guard that is shipped, and for judging it those that never saw a domain.

    Args:
        shipped: fitted on every stranger.
        unseen: kind of guard, then domain, to the guard that was fitted without that domain.
    """

    shipped: Guard
    unseen: Mapping[str, Mapping[str, Guard]]

    def judged(self, metrics: MetricsFile) -> Guard:
        """The shipped guard with its kind's rows of the figures written into its file."""
        rows = [row for row in metrics.tables["guard"] if row["guard"] == self.shipped.file.kind]
        results = tuple(DomainResult.model_validate(row) for row in rows)
        file = self.shipped.file.model_copy(update={"leave_one_domain_out": results})
        return Guard(file, self.shipped.tensors)


def fit_all(
    spec: GuardSpec, known: Scores, calibration: Scores, strangers: Mapping[str, Scores]
) -> Guards:
    """The recipe's guard, and guards of every kind with each stranger domain left out in turn."""

    def arm(kind: str, others: Mapping[str, Scores]) -> Guard:
        return fit(spec.model_copy(update={"kind": kind}), known, calibration, others)

    distance = arm("mahalanobis", {})  # looks at no stranger: the same whoever is left out

    def every_kind(others: Mapping[str, Scores]) -> dict[str, Guard]:
        odds = arm("logistic", others)
        both = _combined((odds, distance), calibration)
        return {guard.file.kind: guard for guard in (odds, distance, both)}

    without = {
        name: every_kind({other: strangers[other] for other in strangers if other != name})
        for name in strangers
    }
    unseen = {kind: {name: without[name][kind] for name in strangers} for kind in TENSORS}
    return Guards(every_kind(strangers)[spec.kind], unseen)


def judge(name: str, guard: Guard, domain: Scores, test: Scores, tau_domain: float) -> DomainResult:
    """How well a guard tells a domain that it has not seen from unseen patients of its own."""
    kind, normalise = guard.file.kind, guard.file.normalise
    own = strangeness(kind, guard.tensors, test.embedding, normalise=normalise)
    strange = strangeness(kind, guard.tensors, domain.embedding, normalise=normalise)
    truth = np.repeat([0, 1], [len(own), len(strange)])
    return DomainResult(
        domain=name,
        guard=kind,
        n_images=len(strange),
        auroc=float(roc_auc_score(truth, np.concatenate([own, strange]))),
        fpr95=float((strange <= np.quantile(own, 0.95)).mean()),
        admitted=float((guard.p_in_domain(domain.embedding) >= tau_domain).mean()),
    )


def _tensors(spec: GuardSpec, known: Scores, strangers: Mapping[str, Scores]) -> Arrays:
    z = _embedding(spec, known)
    if spec.kind == "mahalanobis":
        return _mahalanobis(z, known.labels)
    return _logistic(z, np.concatenate([_embedding(spec, other) for other in strangers.values()]))


def _embedding(spec: GuardSpec, scores: Scores) -> NDArray[np.float64]:
    z = scores.embedding.astype(np.float64)
    return unit_length(z) if spec.normalise else z


def _mahalanobis(z: NDArray[np.float64], labels: NDArray[np.int64]) -> Arrays:
    """Class means and the shared covariance, shrunk after Ledoit & Wolf (2004)."""
    typed = labels >= 0
    classes = np.unique(labels[typed])
    means = np.stack([z[labels == label].mean(axis=0) for label in classes])
    residuals = z[typed] - means[np.searchsorted(classes, labels[typed])]
    precision = LedoitWolf(assume_centered=True).fit(residuals).precision_
    whitening = np.linalg.cholesky(precision)
    return {"means": means.astype(np.float32), "whitening": whitening.astype(np.float32)}


def _logistic(known: NDArray[np.float64], strange: NDArray[np.float64]) -> Arrays:
    """In domain (1) against known strangers (0), both sides weighing the same."""
    z = np.concatenate([known, strange])
    truth = np.repeat([1, 0], [len(known), len(strange)])
    scaler = StandardScaler().fit(z)
    model = LogisticRegression(C=REGULARISATION, class_weight="balanced", max_iter=2000)
    model.fit(scaler.transform(z), truth)
    weight = model.coef_[0] / scaler.scale_  # the scaling is folded into the weights
    bias = model.intercept_[0] - weight @ scaler.mean_
    return {"weight": weight.astype(np.float32), "bias": np.float32(bias).reshape(())}
