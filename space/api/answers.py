"""What the API answers, as types; the OpenAPI document is made of them."""

from __future__ import annotations

from typing import Any

from hub_model.contract import (
    Aggregation,
    Figure,
    Promise,
    QualityLimits,
    Reason,
    Thresholds,
    Verdict,
)
from hub_model.policy import Decision
from space.api.batches import Base, Batch, InBatch


class SliceAnswer(Base):
    """One slice of a case: was it asked about, and how in-domain it looked. Names no class."""

    index: int
    valid: bool
    reasons: tuple[Reason, ...]
    p_in_domain: float | None  # 0-1


class Answer(Base):
    """The verdict on one case, as `hub_model.handler` gives it, field by field.

    An abstention has null for finding, label and probabilities.
    """

    verdict: Verdict
    finding: str | None
    label: str | None
    probabilities: dict[str, float] | None  # calibrated
    p_in_domain: float | None  # 0-1; higher is more like what the model was built on
    reasons: tuple[Reason, ...]
    slices: tuple[SliceAnswer, ...]
    thresholds: dict[str, int | float]
    revision: str
    reason_texts: tuple[str, ...]
    notice: str
    warnings: tuple[str, ...]  # about the files; no file name

    @classmethod
    def of(cls, decision: Decision, warnings: tuple[str, ...]) -> Answer:
        """The answer that a decision makes."""
        values: dict[str, Any] = decision.to_dict()
        return cls.model_validate({**values, "warnings": warnings})


class PictureAnswer(Base):
    """One slice as the model was shown it, and with the map of where the answer came from."""

    index: int
    seen: str  # data: address of a PNG
    mapped: str | None  # the same; null where the verdict names no class


class Explanation(Base):
    """A verdict and pictures of what it rests on, at most twelve slices evenly spread."""

    answer: Answer
    pictures: tuple[PictureAnswer, ...]


class MeasuresAnswer(Base):
    """What the quality of a slice is judged by; the limits have the same names."""

    side: int  # pixels, shorter side as received
    levels: int  # distinct grey values
    contrast: float  # 0-1
    foreground: float  # 0-1, share of the slice that is brighter than background
    colour: float  # 0-1


class QualitySlice(Base):
    """The quality of one slice."""

    index: int
    passed: bool
    measures: MeasuresAnswer
    reasons: tuple[Reason, ...]
    reason_texts: tuple[str, ...]


class QualityAnswer(Base):
    """The quality of a case's slices against the bundle's limits; the network was not asked."""

    passed: int  # slices
    min_valid_slices: int
    limits: QualityLimits
    slices: tuple[QualitySlice, ...]
    revision: str
    notice: str
    warnings: tuple[str, ...]


class PatientSlice(QualitySlice):
    """One slice of a stack."""

    position_mm: float | None  # along the slice normal, where the file says it
    p_in_domain: float | None  # 0-1; null where the slice was not judged
    p_finding: float | None  # 0-1, of this slice alone; null where the case has no answer, too


class PatientAnswer(Base):
    """The verdict on a stack, and a row for each of its slices; rows name no type."""

    answer: Answer
    judged: int  # slices that the verdict was made from
    slices: tuple[PatientSlice, ...]


class BatchCase(InBatch[Answer]):
    """One file of a batch: its verdict, or why there is none."""


class BatchAnswer(Batch[Answer]):
    """A verdict for each file, in the order sent, and how often each was given."""

    cases: tuple[BatchCase, ...]


class ModelInfo(Base):
    """What is known of one served revision, from its bundle alone."""

    name: str  # what `model=` names it by
    repo_id: str | None
    revision: str
    title: str
    modality: str  # DICOM modality of what it was built on
    phantom: bool  # true: trained on drawn images
    finding: str
    label_names: tuple[str, ...]
    thresholds: Thresholds
    aggregation: Aggregation
    quality: QualityLimits
    promises: tuple[Promise, ...]
    figures: dict[str, Figure]


class ModelsAnswer(Base):
    """Every served revision; `default` is asked where a request names none."""

    default: str
    models: tuple[ModelInfo, ...]
    notice: str


class Health(Base):
    """Whether the process answers, or is ready for cases."""

    status: str
