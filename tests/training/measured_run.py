"""Parts of a bundle as a run leaves them, every number drawn from a seed and none of them round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hub_model.contract import (
    COMBINED,
    FORMAT_VERSION,
    Aggregation,
    EnvironmentFile,
    FeatureWidths,
    Figure,
    FindingSpec,
    GuardedConfig,
    GuardFile,
    MemberFile,
    MetricsFile,
    ModelCardFacts,
    ModelConfig,
    PolicyFile,
    Promise,
    QualityLimits,
    Sample,
    TemperatureFile,
    Thresholds,
    Verdict,
)
from training.recipe import Recipe, load

GUARDS = ("embedding_logistic", "statistics_knn", COMBINED)
JUDGED = ("auroc", "fpr95", "aupr", "admitted", "finding_calls")
NEAR = ("dementia_mr", "stroke_ct")
DOMAINS = ("test", "dementia_mr", "stroke_ct", "chest_xray", "photographs")
FIGURES = (
    "accuracy",
    "macro_f1",
    "finding_accuracy",
    "nll",
    "ece_raw",
    "ece_calibrated",
    "coverage",
    "coverage_typed",
    "accepted_accuracy",
    "accepted_finding_accuracy",
    "tumor_called_none",
    "none_called_tumor",
    "refused_by_guard",
)


@dataclass(frozen=True)
class Parts:
    """What a card is rendered from, in the order of its arguments."""

    config: ModelConfig
    metrics: MetricsFile
    policy: PolicyFile
    temperature: TemperatureFile
    guard: GuardFile
    environment: EnvironmentFile


def parts(*, phantom: bool = False, official: bool = False, seed: int = 0) -> Parts:
    """All parts of one measured run; they fit each other."""
    rng = np.random.default_rng(seed)
    recipe = load("phantom" if phantom else "mri_tumor_4class")
    calibration = Sample(split="calibration", n_images=_count(rng), n_groups=_count(rng))
    return Parts(
        config=_config(recipe),
        metrics=metrics(rng, recipe, official=official),
        policy=_policy(rng),
        temperature=TemperatureFile(
            temperature=_share(rng) + 1,
            fitted_on=calibration,
            nll_before=_share(rng),
            nll_after=_share(rng),
            ece_before=_share(rng),
            ece_after=_share(rng),
        ),
        guard=GuardFile(
            members=(
                MemberFile(
                    name="embedding_logistic",
                    kind="logistic",
                    layer="embedding",
                    normalise="unit",
                    parameters={},
                    strangers=DOMAINS[1:],
                ),
            ),
            widths=FeatureWidths(
                embedding=512, middle=256, logits=len(recipe.labels), statistics=9
            ),
            scale="rank",
            fitted_on=(calibration,),
            leave_one_domain_out=(),
        ),
        environment=EnvironmentFile(
            python="3.11.9",
            packages={"timm": "1.0.31", "torch": "2.15.0"},
            recipe=recipe.model_dump(mode="json"),
            recipe_hash=recipe.digest,
            dataset_fingerprint="ab" * 32,
            sources={"phantom": "local"}
            if phantom
            else {
                "masoudnickparvar": "masoudnickparvar/brain-tumor-mri-dataset/versions/1",
                "br35h": "ahmedhamada0/brain-tumor-detection/versions/12",
                "folder": "local",
            },
            code_commit="cd" * 20,
            seed=0,
        ),
    )


def metrics(rng: np.random.Generator, recipe: Recipe, *, official: bool = False) -> MetricsFile:
    """Figures and tables as `evaluate` names them."""
    figures = {f"test.{name}": _figure(rng, name, "test groups") for name in FIGURES}
    if official:
        figures |= {
            f"official_split.{name}": _figure(rng, name, "the source's own test images (leaky)")
            for name in FIGURES
        }
    labels = recipe.labels
    return MetricsFile(
        phantom=recipe.phantom,
        figures=figures,
        tables={
            "verdicts": [_verdicts(rng, domain) for domain in DOMAINS],
            "guard": [
                {
                    "domain": domain,
                    "near": domain in NEAR,
                    "guard": guard,
                    "n_images": _count(rng),
                    "n_groups": _count(rng),
                    **{
                        f"{key}{end}": _share(rng)
                        for key in JUDGED
                        for end in ("", "_low", "_high")
                    },
                }
                for domain in DOMAINS[1:]
                for guard in GUARDS
            ],
            "confusion": [
                {"true": true, **{name: _count(rng) for name in labels}} for true in labels
            ],
            "reliability": [
                {
                    "kind": kind,
                    "confidence": 0.4 + 0.04 * bin_,
                    "accuracy": 0.3 + 0.045 * bin_,
                    "n": 40,
                }
                for kind in ("raw", "calibrated")
                for bin_ in range(15)
            ],
            "risk_coverage": [
                {"coverage": percent / 100, "error": 0.05 * (percent / 100) ** 3}
                for percent in range(5, 101, 5)
            ],
            "calibration": [{"measure": "ece", "on": "all", "value": _share(rng)}],
            "calibration_arms": [{"arm": "vector", "measure": "nll", "value": _share(rng)}],
            "policy": [{"threshold": "tau_none", "tau": _share(rng), "test_error": None}],
            "policy_outputs": [{"domain": "test", "verdict": "ACCEPT", "n_images": _count(rng)}],
            "severity": [
                {
                    "distortion": name,
                    "level": level,
                    "refused": share,
                    "poor_quality": 0.0,
                    "finding_calls": (1 - share) / 2,
                }
                for name in ("none", "rotated", "noise")
                for level in (0.1, 0.5)
                for share in (_share(rng),)
            ],
            "promise_check": [{"threshold": "tau_none", "counted": "group", "draws": 500}],
            "pooling": [{"kind": "vote", "level": 1.0, "with_called_none": _share(rng)}],
            "tau_sweep": [{"tau_domain": 0.03, "domain": "test", "admitted": _share(rng)}],
            "splits": [
                {"split": split, "label": label, "n_images": _count(rng), "n_groups": groups}
                for split, groups in (("train", 301), ("test", 67))
                for label in labels
            ],
        },
    )


def _config(recipe: Recipe) -> ModelConfig:
    spec = recipe.preprocess
    return ModelConfig(
        architecture=recipe.model.architecture,
        num_classes=len(recipe.labels),
        label_names=recipe.labels,
        pretrained_cfg={"input_size": [spec.channels, spec.size, spec.size]},
        neuroguard=GuardedConfig(
            format_version=FORMAT_VERSION,
            finding=FindingSpec(name="tumor", none_labels=("notumor",)),
            preprocess=spec,
            facts=ModelCardFacts(
                title=recipe.title, modality=recipe.modality, phantom=recipe.phantom
            ),
        ),
    )


def _policy(rng: np.random.Generator) -> PolicyFile:
    sample = Sample(split="threshold", n_images=_count(rng), n_groups=_count(rng))
    return PolicyFile(
        thresholds=Thresholds(
            tau_conf=_share(rng),
            tau_finding=_share(rng),
            tau_none=_share(rng),
            tau_none_slice=_share(rng),
            tau_domain=0.03,
            min_valid_slices=1,
            min_agreement=0.7,
            min_agreement_none=1,
        ),
        aggregation=Aggregation(kind="strongest", level=0.25),
        quality=QualityLimits(
            min_side=64, min_levels=24, min_contrast=0.04, min_foreground=0.1, max_colour=0.05
        ),
        promises=(
            Promise(
                threshold="tau_none",
                statement="Of in-domain images answered 'none', at most 3.0% hold a tumor.",
                target=0.03,
                confidence=0.95,
                bound=_share(rng),
                coverage=_share(rng),
                unit="group",
                sample=sample,
            ),
            Promise(
                threshold="tau_domain",
                statement="About 3.0% of in-domain images are refused as strange.",
                target=0.03,
                confidence=None,
                bound=None,
                coverage=_share(rng),
                unit="group",
                sample=sample,
            ),
        ),
    )


def _figure(rng: np.random.Generator, name: str, split: str) -> Figure:
    value = _share(rng)
    return Figure(
        value=value,
        low=0.9 * value,
        high=min(1.0, 1.1 * value),
        unit="nats" if name == "nll" else "share",
        sample=Sample(split=split, n_images=731, n_groups=67),
    )


def _verdicts(rng: np.random.Generator, domain: str) -> dict[str, str | int | float | None]:
    shares = rng.dirichlet(np.ones(len(Verdict))).tolist()
    return {
        "domain": domain,
        "n_images": _count(rng),
        **{verdict.value: share for verdict, share in zip(Verdict, shares, strict=True)},
        "tumor_calls": _share(rng),
        "none_calls": _share(rng),
    }


def _share(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.001, 0.999))


def _count(rng: np.random.Generator) -> int:
    return int(rng.integers(20, 2000))
