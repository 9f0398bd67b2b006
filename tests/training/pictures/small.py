"""Material of a run of a few drawn patients: a real network, scores made up."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np

from hub_model import engine
from hub_model.calibration import probabilities
from hub_model.contract import Reason, Thresholds
from hub_model.network import build
from hub_model.policy import Decision, Evidence, decide
from tests.training.learning.tiny import recipe
from tests.training.measured_run import metrics, parts
from training import dataset, inputs, network_config, preparing
from training.learning.crossval import OutOfFold
from training.learning.history import Epoch
from training.pictures.write import Folded, Material
from training.scores import Scores
from training.sources.phantom import phantom_records

PATIENTS = 16
PER_CLASS = 2
FOLDS = 3
SPLITS = ("train", "test")
TEMPERATURE = 1.5
LIMITS = Thresholds(
    tau_conf=0.5,
    tau_finding=0.5,
    tau_none=0.5,
    tau_none_slice=0.0,
    tau_domain=0.1,
    min_valid_slices=1,
    min_agreement=0.7,
    min_agreement_none=1,
)


def material(run: Path) -> Material:
    """Everything that pictures are made from; dataset and prepared images lie in `run`."""
    effective = recipe(f"evaluate.top_per_class={PER_CLASS}")
    built, prepared = run / "split" / "dataset", run / "prepare"
    dataset.build(
        phantom_records(PATIENTS, seed=0),
        label_names=effective.labels,
        shares={"train": 0.5, "test": 0.5},
        seed=1,
        out=built,
        progress=False,
    )
    for name in SPLITS:
        rows = dataset.load(built)[name].cast_column("image", datasets.Image(decode=False))
        rows = rows.remove_columns("mask")
        images = ({**row, "image": row["image"]["bytes"]} for row in rows)
        preparing.write(prepared, name, images, len(rows), effective.preprocess, effective.quality)
    test = score(inputs.read(prepared, "test"))
    rng = np.random.default_rng(1)
    return Material(
        recipe=effective,
        ready=engine.from_network(
            build(network_config.model_config(effective)), effective.preprocess
        ),
        split="test groups",
        test=test,
        temperature=TEMPERATURE,
        decisions=decisions(test, effective.labels, effective.finding.none_labels),
        metrics=metrics(rng, effective),
        dataset=built,
        prepared=prepared,
        history=history(),
        folded=folded(test),
    )


def score(data: inputs.Inputs) -> Scores:
    """Scores that are right on most images, surer on some than on others."""
    rng = np.random.default_rng(0)
    said = np.where(rng.random(len(data)) < 0.75, data.labels, (data.labels + 1) % 4)
    sure = rng.uniform(1, 6, (len(data), 1))
    logits = (sure * np.eye(4)[said] + rng.normal(0, 0.3, (len(data), 4))).astype(np.float32)
    nothing = np.zeros((len(data), 4), np.float32)
    return Scores(data, logits, nothing, nothing, nothing)


def decisions(test: Scores, labels: tuple[str, ...], none: tuple[str, ...]) -> list[Decision]:
    """Verdicts of the policy; every third image looks like none of those learnt from."""
    policy = parts(phantom=True).policy.model_copy(update={"thresholds": LIMITS})
    probs = probabilities(test.logits, TEMPERATURE)
    return [
        decide(
            Evidence(
                label_names=labels,
                none_labels=none,
                finding="tumor",
                slice_reasons=(tuple[Reason, ...](),),
                logits=test.logits[row : row + 1],
                probabilities=probs[row : row + 1],
                p_in_domain=np.array([0.05 if row % 3 == 0 else 0.9]),
            ),
            policy,
            revision="",
        )
        for row in range(len(probs))
    ]


def history(seed: int = 0) -> tuple[Epoch, ...]:
    """One epoch of the head, four of everything."""
    rng = np.random.default_rng(seed)
    return tuple(
        Epoch(phase, epoch, 1e-3 / epoch, *rng.uniform(0.2, 0.9, 4).tolist())
        for phase, epochs in (("head", 1), ("finetune", 4))
        for epoch in range(1, epochs + 1)
    )


def folded(test: Scores) -> Folded:
    """Both ways of dividing the test images, with what folds might have said."""
    groups, number = np.unique(test.inputs.groups, return_inverse=True)
    rng = np.random.default_rng(2)
    by_group, by_image = rng.permutation(len(groups))[number], rng.permutation(len(test.labels))
    histories = tuple(history(seed) for seed in range(FOLDS))
    found = (
        OutOfFold("group", by_group % FOLDS, test.logits, histories),
        OutOfFold("image", by_image % FOLDS, test.logits, histories),
    )
    return Folded(test.labels, test.inputs.groups, found)
