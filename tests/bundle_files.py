"""A bundle of a few kilobytes that `bundle.read` accepts; its weights belong to no network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel
from safetensors.numpy import load_file, save_file

from hub_model import bundle, contract
from hub_model.image_statistics import NAMES

SIZE = 32
WIDTH = 4  # of the embeddings
Make = Callable[..., Path]  # the fixture `make_bundle`
SAMPLE = contract.Sample(split="calibration", n_images=2, n_groups=2)


def write_bundle(folder: Path, *, seed: int = 0) -> Path:
    """`folder`, holding a verifying bundle whose weights depend on `seed`."""
    (folder / contract.REPORTS).mkdir(parents=True)
    random = np.random.default_rng(seed)
    save_file({"w": random.normal(size=(8, 8))}, folder / contract.WEIGHTS)
    save_file(
        {
            "known.weight": np.ones(WIDTH),
            "known.bias": np.zeros(()),
            "known.scores": np.arange(3.0),
        },
        folder / contract.GUARD_TENSORS,
    )
    save_file(
        {
            "images": np.zeros((1, SIZE, SIZE), np.uint8),
            "logits": np.zeros((1, 2)),
            "embedding": np.zeros((1, WIDTH)),
            "middle": np.zeros((1, WIDTH)),
            "statistics": np.zeros((1, len(NAMES))),
            "p_in_domain": np.ones(1),
        },
        folder / contract.GOLDEN,
    )
    for name, model in _json_files().items():
        bundle.write_json(folder / name, model)
    (folder / contract.CARD).write_text("---\nlicense: apache-2.0\n---\n# A model of nothing\n")
    (folder / contract.HANDLER).write_text("from hub_model.predictor import GuardedClassifier\n")
    (folder / contract.REQUIREMENTS).write_text("timm\n")
    (folder / contract.REPORTS / "risk.svg").write_text("<svg/>")
    bundle.write_manifest(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file's bytes by name, without what the Hub itself puts beside a bundle."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in bundle.HUB_FILES
    }


def change_json(folder: Path, name: str, change: Callable[[Any], object]) -> None:
    """Change a JSON file as `change` does, and the manifest so that it fits."""
    tree = json.loads((folder / name).read_text())
    change(tree)
    (folder / name).write_text(json.dumps(tree))
    bundle.write_manifest(folder)


def change_tensors(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """The same for a file of tensors."""
    tensors = load_file(folder / name)
    change(tensors)
    save_file(tensors, folder / name)
    bundle.write_manifest(folder)


def _json_files() -> dict[str, BaseModel]:
    preprocess = contract.PreprocessSpec(
        size=SIZE,
        channels=1,
        crop="head",
        crop_threshold=0.1,
        crop_margin=0.05,
        window="percentile",
        window_low=1,
        window_high=99,
        fit="letterbox",
        mean=(0.5,),
        std=(0.5,),
    )
    ours = contract.GuardedConfig(
        format_version=contract.FORMAT_VERSION,
        finding=contract.FindingSpec(name="tumor", none_labels=("no_tumor",)),
        preprocess=preprocess,
        facts=contract.ModelCardFacts(title="Nothing", modality="MR", phantom=True),
    )
    thresholds = contract.Thresholds(
        tau_conf=0.9,
        tau_finding=0.9,
        tau_none=0.9,
        tau_none_slice=0.1,
        tau_domain=0.05,
        min_valid_slices=1,
        min_agreement=0.5,
        min_agreement_none=0.9,
    )
    aggregation = contract.Aggregation(kind="strongest", level=0.5)
    quality = contract.QualityLimits(
        min_side=32, min_levels=8, min_contrast=0.02, min_foreground=0.05, max_colour=0.1
    )
    return {
        contract.CONFIG: contract.ModelConfig(
            architecture="resnet10t",
            num_classes=2,
            label_names=("no_tumor", "tumor"),
            pretrained_cfg={"input_size": [1, SIZE, SIZE]},
            neuroguard=ours,
        ),
        contract.TEMPERATURE: contract.TemperatureFile(
            temperature=1.5,
            fitted_on=SAMPLE,
            nll_before=0.5,
            nll_after=0.4,
            ece_before=0.1,
            ece_after=0.05,
        ),
        contract.GUARD: contract.GuardFile(
            members=(
                contract.MemberFile(
                    name="known",
                    kind="logistic",
                    layer="embedding",
                    normalise="unit",
                    parameters={},
                    strangers=("noise",),
                ),
            ),
            widths=contract.FeatureWidths(
                embedding=WIDTH, middle=WIDTH, logits=2, statistics=len(NAMES)
            ),
            scale="rank",
            fitted_on=(SAMPLE,),
            leave_one_domain_out=(),
        ),
        contract.POLICY: contract.PolicyFile(
            thresholds=thresholds, aggregation=aggregation, quality=quality, promises=()
        ),
        contract.METRICS: contract.MetricsFile(phantom=True, figures={}, tables={}),
        contract.ENVIRONMENT: contract.EnvironmentFile(
            python="3.11",
            packages={},
            recipe={},
            recipe_hash="0" * 64,
            dataset_fingerprint="0" * 64,
            sources={},
            code_commit="unknown",
            seed=0,
        ),
    }
