"""What can be said about a case, and why."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What is said about a case, in the order in which the abstentions are asked for."""

    ABSTAIN_QUALITY = "ABSTAIN_QUALITY"
    ABSTAIN_OOD = "ABSTAIN_OOD"
    ABSTAIN_LOW_CONF = "ABSTAIN_LOW_CONF"
    ABSTAIN_DISAGREEMENT = "ABSTAIN_DISAGREEMENT"
    ACCEPT_FINDING = "ACCEPT_FINDING"
    ACCEPT = "ACCEPT"

    @property
    def accepted(self) -> bool:
        """True for the two verdicts that carry a finding."""
        return self in (Verdict.ACCEPT, Verdict.ACCEPT_FINDING)


class Reason(StrEnum):
    """Why a verdict was given; `REASON_TEXT` says it in words."""

    TOO_SMALL = "too_small"
    BLANK = "blank"
    LOW_CONTRAST = "low_contrast"
    LITTLE_FOREGROUND = "little_foreground"
    COLOUR = "colour"
    OTHER_MODALITY = "other_modality"
    NO_HOUNSFIELD_UNITS = "no_hounsfield_units"
    TOO_FEW_VALID_SLICES = "too_few_valid_slices"
    OUT_OF_DOMAIN = "out_of_domain"
    LOW_CONFIDENCE = "low_confidence"
    TYPE_UNCERTAIN = "type_uncertain"
    SLICES_DISAGREE = "slices_disagree"
    SOME_SLICES_SHOW_A_FINDING = "some_slices_show_a_finding"
    MASK_DISAGREES = "mask_disagrees"
    ACCEPTED = "accepted"


REASON_TEXT: dict[Reason, str] = {
    Reason.TOO_SMALL: "The image has too few pixels to judge.",
    Reason.BLANK: "The image holds almost no grey levels: it looks blank.",
    Reason.LOW_CONTRAST: "The image has too little contrast to judge.",
    Reason.LITTLE_FOREGROUND: "Almost nothing in the image is brighter than its background.",
    Reason.COLOUR: "The image is coloured; a scanner's slice is grey.",
    Reason.OTHER_MODALITY: "The file is of another kind of scan than those of this model.",
    Reason.NO_HOUNSFIELD_UNITS: (
        "The file states no Hounsfield units: this model reads CT slices as DICOM files."
    ),
    Reason.TOO_FEW_VALID_SLICES: "Too few slices were good enough to judge.",
    Reason.OUT_OF_DOMAIN: "The image is unlike those this model was built on.",
    Reason.LOW_CONFIDENCE: "The model is not sure enough to answer.",
    Reason.TYPE_UNCERTAIN: "There is a finding, but its type is not sure enough to name.",
    Reason.SLICES_DISAGREE: "The slices of this case speak for different answers.",
    Reason.SOME_SLICES_SHOW_A_FINDING: "Some slices show a finding: the case is not called free.",
    Reason.MASK_DISAGREES: "What was outlined and the answer contradict each other.",
    Reason.ACCEPTED: "Quality, domain, confidence and agreement all passed.",
}
