"""A verdict with its masks on the slices' own pixels, what they amount to, and how sure they are.

What the policy allows to be shown is decided before (`mask_policy.to_show`): a case without an
accepted finding has no mask here, no size and no doubt about one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_model import calibration, engine, preprocess, uncertainty
from hub_model.case import Case
from hub_model.contract import DECODER_WEIGHTS, PreprocessSpec
from hub_model.engine.base import Engine, Floats, Outputs
from hub_model.errors import UsageError
from hub_model.policy import Decision
from hub_model.predictor import Explained, GuardedClassifier, Progress
from hub_model.preprocess import Placement
from hub_model.uncertainty import LEFT_RIGHT, Doubt
from hub_model.volumes import mask_on_slice, measure
from hub_model.volumes.grid import NO_GRID_TEXT
from hub_model.volumes.measured import Measured
from hub_model.volumes.placing import on_slice

Mask = NDArray[np.bool_]
DRAWS = 100  # of dropout; their figures then differ by some percent from those of infinitely many
SEED = 0  # of the draws


class NoDecoderError(UsageError):
    """Masks were asked of a revision that draws none."""

    def __init__(self) -> None:
        super().__init__(
            f"this revision draws no masks, it has no {DECODER_WEIGHTS}: ask one whose recipe has "
            "model.decoder"
        )


@dataclass(frozen=True, slots=True, eq=False)
class SliceDoubt:
    """How sure the mask of a slice is.

    Args:
        index: of the slice in the case.
        entropy: predictive entropy, nats, mean over the pixels of its mask.
        information: mutual information, the same.
        map: `(H, W)` float32 predictive entropy of every pixel of the slice, 0 to ln 2; 0 outside
            the crop, where the network was shown nothing.
    """

    index: int
    entropy: float
    information: float
    map: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DropoutDoubt:
    """How much the class depends on single units of the head: Monte-Carlo dropout before it.

    The same draws are made of every case, so the same case gets the same figures of a revision.

    Args:
        samples: draws, each a network of its own that judges all slices.
        rate: share of units that a draw drops, the one that was trained with.
        entropy: predictive entropy of the class, nats.
        information: mutual information of the class, nats.
    """

    samples: int
    rate: float
    entropy: float
    information: float


@dataclass(frozen=True, slots=True, eq=False)
class CaseDoubt:
    """How much the network's looks at a case and at its mirror image differ.

    Args:
        looks: at each slice.
        entropy: predictive entropy of the class, nats.
        information: mutual information of the class, nats.
        slices: of the masks that are shown.
        dropout: the same of the class by dropout; None where the revision does not say that its
            head was trained with any.
    """

    looks: int
    entropy: float
    information: float
    slices: tuple[SliceDoubt, ...]
    dropout: DropoutDoubt | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the maps."""
        return {
            "looks": self.looks,
            "class_entropy": self.entropy,
            "class_information": self.information,
            "dropout": None if self.dropout is None else asdict(self.dropout),
            "slices": [
                {"index": one.index, "entropy": one.entropy, "information": one.information}
                for one in self.slices
            ],
        }


@dataclass(frozen=True, slots=True, eq=False)
class Segmented:
    """What is said of a case, and where.

    Args:
        decision: as `GuardedClassifier.predict` gives it.
        masks: `(H, W)` over the own pixels of every slice, in reading order; all of them empty
            where the verdict abstains or denies the finding.
        measured: what they amount to; None where the verdict accepts no finding.
        doubt: None where it was not asked for, or the verdict abstains.
    """

    decision: Decision
    masks: tuple[Mask, ...]
    measured: Measured | None
    doubt: CaseDoubt | None

    @property
    def shown(self) -> tuple[int, ...]:
        """Which slices have a mask."""
        return tuple(index for index, mask in enumerate(self.masks) if mask.any())

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the decision, the slices with a mask, sizes in mm, doubt."""
        measured = None
        if self.measured is not None:
            why = self.measured.why
            measured = {
                **asdict(self.measured),
                "why": None if why is None else why.value,
                "why_text": None if why is None else NO_GRID_TEXT[why],
            }
        return {
            **self.decision.to_dict(),
            "masked_slices": list(self.shown),
            "measured": measured,
            "uncertainty": None if self.doubt is None else self.doubt.to_dict(),
        }


def draws(classifier: GuardedClassifier) -> bool:
    """Whether a revision draws masks."""
    return classifier.bundle.config.neuroguard.masks is not None


def segment(
    classifier: GuardedClassifier,
    case: Case,
    *,
    doubt: bool = False,
    progress: Progress | None = None,
) -> Segmented:
    """The verdict on a case with masks, sizes and, if asked for, how sure they are.

    Args:
        classifier: of a revision that draws masks.
        case: any case.
        doubt: ask the network about the mirror image of every slice as well.
        progress: as of `GuardedClassifier.predict`.

    Raises:
        NoDecoderError: the revision draws no masks.
    """
    if not draws(classifier):
        raise NoDecoderError
    return of_explained(classifier, case, classifier.explain(case, progress), doubt=doubt)


def of_explained(
    classifier: GuardedClassifier, case: Case, found: Explained, *, doubt: bool = False
) -> Segmented:
    """The same where `GuardedClassifier.explain` has been asked about the case already."""
    spec = classifier.engine.preprocess
    masks = on_slices(case, found, spec)
    decision = found.decision
    accepted = decision.verdict.accepted
    return Segmented(
        decision=decision,
        masks=masks,
        measured=measure(masks, case.slices) if accepted and decision.finding != "none" else None,
        doubt=_doubt(classifier, case, found) if doubt and accepted else None,
    )


def on_slices(case: Case, found: Explained, spec: PreprocessSpec) -> tuple[Mask, ...]:
    """`(H, W)` masks over the own pixels of every slice; empty where none may be shown.

    Args:
        case: any case.
        found: what `GuardedClassifier.explain` says of it.
        spec: the bundle's preprocessing.
    """
    places, drawn = _places(found, spec), {one.index: one.mask for one in found.masks}
    return tuple(
        mask_on_slice(drawn[index], places[index], case.slices[index].shape)
        if index in drawn
        else np.zeros(piece.shape, bool)
        for index, piece in enumerate(case.slices)
    )


def _places(found: Explained, spec: PreprocessSpec) -> dict[int, Placement]:
    """Where the prepared pictures with a mask lie in their slices."""
    return {
        one.index: preprocess.placement(found.examined[one.index].prepared.box, spec)
        for one in found.masks
    }


def _doubt(classifier: GuardedClassifier, case: Case, found: Explained) -> CaseDoubt:
    """From one batch of each few slices and their mirror images."""
    places = _places(found, classifier.engine.preprocess)
    masks = {one.index: one.mask for one in found.masks}
    spec = classifier.bundle.config.neuroguard.masks
    valid = [report.index for report in found.decision.slices if report.valid]
    step = max(1, engine.MAX_BATCH // len(LEFT_RIGHT))
    classes, slices, plain = [], [], []
    for group in (sorted(masks), [index for index in valid if index not in masks]):
        for start in range(0, len(group), step):
            indices = group[start : start + step]
            images = np.stack([found.images[index] for index in indices])
            outputs, probs, pixels = looks(
                classifier.engine,
                images,
                temperature=classifier.bundle.temperature.temperature,
                mask_temperature=spec.temperature if spec and indices[0] in masks else None,
            )
            classes.append(probs)
            plain.append((outputs.embedding[: len(images)], outputs.logits[: len(images)]))
            if pixels is not None:
                cleaned = np.stack([masks[index] for index in indices])
                slices += _of_slices(case, indices, pixels, cleaned, places)
    whole = uncertainty.of_case(np.concatenate(classes, axis=1))
    embedding, logits = (np.concatenate(part) for part in zip(*plain, strict=True))
    return CaseDoubt(
        looks=len(LEFT_RIGHT),
        entropy=float(whole.entropy[0]),
        information=float(whole.information[0]),
        slices=tuple(slices),
        dropout=_dropout(classifier, embedding, logits),
    )


def _dropout(
    classifier: GuardedClassifier, embedding: Floats, logits: Floats
) -> DropoutDoubt | None:
    """From what one pass over the `N` valid slices gave, `(N, D)` and `(N, K)`."""
    stated = classifier.bundle.environment.recipe.get("model")
    rate = stated.get("drop_rate") if isinstance(stated, dict) else None
    if not isinstance(rate, float) or not 0 < rate < 1:
        return None
    samples = uncertainty.head_samples(
        embedding,
        classifier.engine.classifier_weight,
        logits,
        rate=rate,
        draws=DRAWS,
        temperature=classifier.bundle.temperature.temperature,
        seed=SEED,
    )
    whole = uncertainty.of_case(samples)
    return DropoutDoubt(DRAWS, rate, float(whole.entropy[0]), float(whole.information[0]))


def looks(
    ready: Engine,
    images: NDArray[np.uint8],
    *,
    temperature: float,
    mask_temperature: float | None,
) -> tuple[Outputs, NDArray[np.float64], Doubt | None]:
    """What one pass says of images and their mirror images.

    Args:
        ready: the network.
        images: `(N, S, S)` prepared slices.
        temperature: of the class probabilities.
        mask_temperature: of those of masks; None: no mask is asked for.

    Returns:
        The pass, whose first `N` rows are the images as they lie, probabilities `(T, N, K)` of the
        classes, and doubt about each pixel of the masks, if asked for.
    """
    outputs = engine.run(
        ready,
        uncertainty.flipped(images, LEFT_RIGHT),
        maps=False,
        masks=None if mask_temperature is None else engine.every,
    )
    flat = calibration.probabilities(outputs.logits, temperature)
    probs = flat.reshape(len(LEFT_RIGHT), len(images), -1)
    if mask_temperature is None:
        return outputs, probs, None
    drawn = calibration.mask_probabilities(outputs.masks.logits, mask_temperature)
    samples = drawn.reshape(len(LEFT_RIGHT), *images.shape)
    return outputs, probs, uncertainty.of_masks(uncertainty.flipped_back(samples, LEFT_RIGHT))


def _of_slices(
    case: Case,
    indices: Sequence[int],
    pixels: Doubt,
    cleaned: Mask,
    places: dict[int, Placement],
) -> list[SliceDoubt]:
    rows = zip(
        indices,
        uncertainty.over_masks(pixels.entropy, cleaned),
        uncertainty.over_masks(pixels.information, cleaned),
        pixels.entropy,
        strict=True,
    )
    return [
        SliceDoubt(
            index,
            float(entropy),
            float(information),
            on_slice(plane, places[index], case.slices[index].shape),
        )
        for index, entropy, information, plane in rows
    ]
