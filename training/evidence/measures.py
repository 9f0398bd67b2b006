"""How much of an answer rests on the lesion: where it looks, and what it says once that is changed.

A network that tells where an image came from looks anywhere, keeps saying "tumor" when the tumor is
covered, and does not notice one that is pasted in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hub_model import calibration, engine, windows
from hub_model.contract import Figure, FindingSpec, Row
from hub_model.engine import TorchEngine
from hub_model.explain import activation_map
from training.evidence import alike
from training.evidence.edit import SMALLEST, Editor
from training.inputs import Inputs, Masks
from training.recipe import CoverSpec, PasteSpec
from training.statistics import figure

Shares = NDArray[np.float64]
BATCH = 16


@dataclass(frozen=True, eq=False)
class Subject:
    """What is measured.

    Args:
        ready: the network.
        label_names: of its classes.
        finding: which of them deny it.
        temperature: of its probabilities.
    """

    ready: TorchEngine
    label_names: tuple[str, ...]
    finding: FindingSpec
    temperature: float

    @property
    def asserts(self) -> NDArray[np.bool_]:
        """`(K,)` which classes assert the finding."""
        return self.finding.asserted_by(self.label_names)

    def p_finding(self, images: NDArray[np.uint8]) -> Shares:
        """`(N,)` calibrated probability of the finding."""
        logits = engine.run(self.ready, images, maps=False).logits
        probs = calibration.probabilities(logits, self.temperature)
        found: Shares = probs[:, self.asserts].sum(axis=1)
        return found


def measure(
    subject: Subject, data: Inputs, split: str, *, most: int = 300, seed: int = 0
) -> tuple[dict[str, Figure], list[Row]]:
    """Figures "evidence.…" with intervals over groups, and a row a way of making images equal.

    Args:
        subject: network and classes.
        data: images that nothing was fitted on; those with masks are looked into.
        split: what they are, in words.
        most: images of each kind at most, drawn by the seed; gradients cost three passes each.
        seed: of that draw, and of places and donors.

    Returns:
        `evidence.activation_inside` and `evidence.gradient_inside`: mean share of the finding's
        class activation, and of the input's gradient, that lies in the mask;
        `evidence.area_inside`: what an answer that looks at all of the head alike would have;
        `evidence.covered.before|after`: mean probability of the finding before and after its lesion
        is covered; `evidence.pasted.before|after`: the same of tumor-free images and a lesion
        pasted in, `evidence.pasted_tissue.after` and `evidence.covered_beside.after` with an edit
        that changes no truth; `evidence.alike.<way>`: share of images whose finding is told
        rightly, `evidence.alike.as_it_is` being the plain one. What has no images is left out.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, Figure] = {}

    def mean(name: str, values: Shares, rows: NDArray[np.int64]) -> None:
        if len(rows):
            found[f"evidence.{name}"] = figure(
                split, data.groups[rows], lambda drawn: float(values[drawn].mean())
            )

    def some(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.sort(rng.permutation(rows)[:most])

    free = some(np.flatnonzero(~data.present & data.valid))
    if data.masks is not None:
        lesions = some(_with_lesion(data, data.masks))
        inside = _inside(subject, data, data.masks, lesions)
        for name, values in inside.items():
            mean(name, values, lesions)
        for name, rows, spec in (
            ("covered", lesions, CoverSpec(probability=1)),
            ("covered_beside", lesions, CoverSpec(sham=1)),
            ("pasted", free, PasteSpec(probability=1)),
            ("pasted_tissue", free, PasteSpec(sham=1)),
        ):
            before, after, kept = _edited(subject, data, rows, spec, rng)
            mean(f"{name}.before", before, kept)
            mean(f"{name}.after", after, kept)
    table: list[Row] = []
    rows = some(np.flatnonzero(data.valid))
    present, images = data.present[rows], np.asarray(data.images[rows])
    for name, way in {"as_it_is": None, **alike.WAYS}.items():
        changed = images if way is None else np.stack([way(image) for image in images])
        right = (subject.p_finding(changed) >= 0.5) == present
        mean(f"alike.{name}", right.astype(float), rows)
        table.append(
            {
                "images": name,
                "n_images": len(rows),
                "tumor_called_none": float((~right)[present].mean()) if present.any() else None,
                "none_called_tumor": float((~right)[~present].mean()) if (~present).any() else None,
            }
        )
    return found, table


def _with_lesion(data: Inputs, masks: Masks) -> NDArray[np.int64]:
    """Rows whose mask is large enough to see."""
    masked = np.flatnonzero(masks.known & data.present & data.valid)
    large = [masks.of(int(row)).mean() >= SMALLEST for row in masked]
    return masked[np.array(large, bool)]


def _inside(
    subject: Subject, data: Inputs, masks: Masks, rows: NDArray[np.int64]
) -> dict[str, Shares]:
    """Shares in the mask, of images that the finding is known to be in."""
    side = data.images.shape[-1]
    shares: dict[str, list[float]] = {
        "activation_inside": [], "gradient_inside": [], "area_inside": []
    }  # fmt: skip
    asserts = np.flatnonzero(subject.asserts)
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        images = np.asarray(data.images[part])
        outputs = engine.run(subject.ready, images, maps=True)
        gradients = _gradients(subject, images)
        for place, row in enumerate(part):
            mask = masks.of(int(row))
            label = int(asserts[outputs.logits[place, asserts].argmax()])
            heat = activation_map(
                outputs.feature_map[place], subject.ready.classifier_weight, label, side
            )
            head = images[place] > 0.08 * 255
            for name, plane in (
                ("activation_inside", heat), ("gradient_inside", gradients[place]),
                ("area_inside", head | mask),
            ):  # fmt: skip
                whole = float(plane.sum())
                shares[name].append(float(plane[mask].sum()) / whole if whole else 0.0)
    return {name: np.array(values) for name, values in shares.items()}


def _gradients(subject: Subject, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """`(N, S, S)` magnitude of the change of the finding's log odds with each pixel."""
    spec = subject.ready.preprocess
    batch = torch.from_numpy(images.astype(np.float32))[:, None].div_(255).requires_grad_()
    mean = torch.tensor(spec.mean).view(1, -1, 1, 1)
    std = torch.tensor(spec.std).view(1, -1, 1, 1)
    shown = windows.channels(batch, spec, torch.cat)
    logits = subject.ready.network((shown - mean) / std).logits
    asserts = torch.from_numpy(subject.asserts)
    odds = logits[:, asserts].logsumexp(dim=1) - logits[:, ~asserts].logsumexp(dim=1)
    (slope,) = torch.autograd.grad(odds.sum(), batch)
    found: NDArray[np.float32] = slope[:, 0].abs().numpy()
    return found


def _edited(
    subject: Subject,
    data: Inputs,
    rows: NDArray[np.int64],
    spec: PasteSpec | CoverSpec,
    rng: np.random.Generator,
) -> tuple[Shares, Shares, NDArray[np.int64]]:
    """Probability of the finding before and after the edit, and the rows that could be edited."""
    paste = spec if isinstance(spec, PasteSpec) else PasteSpec()
    cover = spec if isinstance(spec, CoverSpec) else CoverSpec()
    if data.masks is None or not (data.masks.known & data.present).any():
        return np.empty(0), np.empty(0), rows[:0]
    plain = np.asarray(data.images[rows])
    edited = Editor(data, subject.label_names, paste, cover)(rows, rng).images
    done = (edited != plain).any(axis=(1, 2))
    if not done.any():
        return np.empty(0), np.empty(0), rows[:0]
    return subject.p_finding(plain[done]), subject.p_finding(edited[done]), rows[done]
