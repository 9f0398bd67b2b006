"""What a revision is: its file names, the typed form of its JSON files, verdicts and reasons.

Knows nothing about torch, pixels or the Hub. A number that decides something stands in one of these
models and nowhere else; a file that does not fit them is refused, never repaired.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
TEMPERATURE = "temperature_scaling.json"
GUARD = "domain_guard.json"
GUARD_TENSORS = "domain_guard.safetensors"
POLICY = "final_policy_config.json"
METRICS = "metrics.json"
CARD = "README.md"
GOLDEN = "golden.safetensors"
ENVIRONMENT = "env_snapshot.json"
MANIFEST = "manifest.json"
HANDLER = "handler.py"
REQUIREMENTS = "requirements.txt"
COMBINED = "combined"  # what all members of a guard together are called
REPORTS = "reports"  # folder of plots and tables rendered from METRICS
PACKAGE = "hub_model"  # folder: this package, for Inference Endpoints

REQUIRED_FILES = (
    CONFIG,
    WEIGHTS,
    TEMPERATURE,
    GUARD,
    GUARD_TENSORS,
    POLICY,
    METRICS,
    CARD,
    GOLDEN,
    ENVIRONMENT,
    HANDLER,
    REQUIREMENTS,
)
FOLDERS = (REPORTS, PACKAGE)

RESEARCH_ONLY = "Research tool. Not for clinical use."
PHANTOM_WARNING = "PHANTOM: trained on drawn images, says nothing about any patient."

FORMAT_VERSION = 2


def _is_current(version: int) -> int:
    if version != FORMAT_VERSION:
        raise ValueError(
            f"the bundle is of format {version}, this package reads format {FORMAT_VERSION}: "
            "export it again, or load it with the hub_model that lies in it"
        )
    return version


FormatVersion = Annotated[int, AfterValidator(_is_current)]
Probability = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]


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
    TOO_FEW_VALID_SLICES = "too_few_valid_slices"
    OUT_OF_DOMAIN = "out_of_domain"
    LOW_CONFIDENCE = "low_confidence"
    TYPE_UNCERTAIN = "type_uncertain"
    SLICES_DISAGREE = "slices_disagree"
    SOME_SLICES_SHOW_A_FINDING = "some_slices_show_a_finding"
    ACCEPTED = "accepted"


REASON_TEXT: dict[Reason, str] = {
    Reason.TOO_SMALL: "The image has too few pixels to judge.",
    Reason.BLANK: "The image holds almost no grey levels: it looks blank.",
    Reason.LOW_CONTRAST: "The image has too little contrast to judge.",
    Reason.LITTLE_FOREGROUND: "Almost nothing in the image is brighter than its background.",
    Reason.COLOUR: "The image is coloured; a scanner's slice is grey.",
    Reason.TOO_FEW_VALID_SLICES: "Too few slices were good enough to judge.",
    Reason.OUT_OF_DOMAIN: "The image is unlike those this model was built on.",
    Reason.LOW_CONFIDENCE: "The model is not sure enough to answer.",
    Reason.TYPE_UNCERTAIN: "There is a finding, but its type is not sure enough to name.",
    Reason.SLICES_DISAGREE: "The slices of this case speak for different answers.",
    Reason.SOME_SLICES_SHOW_A_FINDING: "Some slices show a finding: the case is not called free.",
    Reason.ACCEPTED: "Quality, domain, confidence and agreement all passed.",
}


class _Frozen(BaseModel):
    """Unknown keys are errors and values cannot be changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PreprocessSpec(_Frozen):
    """How one slice becomes one model input; `preprocess.prepare` obeys it."""

    size: Annotated[int, Field(ge=32, le=1024)]  # pixels, both sides of the square input
    channels: Literal[1, 3]  # 3 repeats the grey channel
    crop: Literal["head", "none"]  # "head": the tight box around what is brighter than background
    crop_threshold: Share  # of the robust maximum; what lies above counts as head
    crop_margin: Share  # of the box's longer side, added around it
    window: Literal["percentile", "none"]  # how grey values become 0-255
    window_low: Annotated[float, Field(ge=0, le=100)]  # percentile that becomes 0
    window_high: Annotated[float, Field(ge=0, le=100)]  # percentile that becomes 255
    fit: Literal["letterbox", "stretch"]  # "letterbox" keeps the aspect and pads with black
    mean: tuple[float, ...]  # per channel, of values scaled to 0-1
    std: tuple[Annotated[float, Field(gt=0)], ...]  # per channel, of values scaled to 0-1

    @model_validator(mode="after")
    def _agree(self) -> PreprocessSpec:
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(
                f"mean has {len(self.mean)} and std {len(self.std)} values, channels is "
                f"{self.channels}: give one value a channel"
            )
        if self.window_low >= self.window_high:
            raise ValueError(
                f"window_low {self.window_low} is not below window_high {self.window_high}"
            )
        return self


class FindingSpec(_Frozen):
    """What labels say about the finding: those in `none_labels` deny it, all others assert it."""

    name: str  # what an accepted finding is called, e.g. "tumor"
    none_labels: Annotated[tuple[str, ...], Field(min_length=1)]


class ModelCardFacts(_Frozen):
    """What a page must be able to say about the model without reading anything else."""

    title: str
    modality: str  # DICOM modality of what it was built on, e.g. "MR"
    phantom: bool  # True: trained on drawn images; every page says so


class GuardedConfig(_Frozen):
    """Our part of config.json, under the key "neuroguard"."""

    format_version: FormatVersion
    finding: FindingSpec
    preprocess: PreprocessSpec
    facts: ModelCardFacts


class ModelConfig(BaseModel):
    """config.json: timm's Hub format (its keys are timm's to define) with our part beside it.

    `label_names` is the only place where the order of the classes stands.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    architecture: str
    num_classes: Annotated[int, Field(ge=2)]
    label_names: tuple[str, ...]
    model_args: dict[str, Any] = Field(default_factory=dict)
    pretrained_cfg: dict[str, Any]
    neuroguard: GuardedConfig

    @model_validator(mode="after")
    def _agree(self) -> ModelConfig:
        if len(self.label_names) != self.num_classes:
            raise ValueError(
                f"label_names has {len(self.label_names)} names, num_classes is {self.num_classes}"
            )
        if len(set(self.label_names)) != len(self.label_names):
            raise ValueError(f"label_names repeats a name: {list(self.label_names)}")
        none = set(self.neuroguard.finding.none_labels)
        if not none < set(self.label_names):
            raise ValueError(
                f"finding.none_labels {sorted(none)} must be some, not all, of {self.label_names}"
            )
        return self


class Sample(_Frozen):
    """The images a number was earned on."""

    split: str
    n_images: Annotated[int, Field(ge=0)]
    n_groups: Annotated[int, Field(ge=0)]  # patients, or look-alike groups where none is known


class Figure(_Frozen):
    """One measured number: value, 95 % interval, and what it was measured on."""

    value: float
    low: float | None  # 2.5 % and 97.5 % of a bootstrap over groups; None where one makes no sense
    high: float | None
    unit: Literal["share", "nats", "score", "pixels", "count"]
    sample: Sample


class TemperatureFile(_Frozen):
    """temperature_scaling.json: probabilities are softmax(logits / temperature)."""

    temperature: Annotated[float, Field(gt=0)]
    fitted_on: Sample
    nll_before: float | None  # nats a image, at temperature 1; None: converted, not measured
    nll_after: float | None
    ece_before: Share | None  # 15 equal-mass bins
    ece_after: Share | None


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


class DomainResult(_Frozen):
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


class FeatureWidths(_Frozen):
    """How many numbers a guard is shown of an image, by layer."""

    embedding: Annotated[int, Field(ge=1)]
    middle: Annotated[int, Field(ge=1)]
    logits: Annotated[int, Field(ge=2)]
    statistics: Annotated[int, Field(ge=1)]


class MemberFile(_Frozen):
    """One member of a guard; its tensors are named "<name>.<tensor>"."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    kind: GuardKind
    layer: Layer
    normalise: Normalisation  # "unit": to unit length; "standard": as on in-domain images
    parameters: dict[str, float]  # what the kind counts or weighs with, e.g. its neighbours
    strangers: tuple[str, ...]  # known out-of-domain sources that it was fitted on


class GuardFile(_Frozen):
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


class Thresholds(_Frozen):
    """Every number `policy.decide` compares with."""

    tau_conf: Probability  # a named class needs at least this calibrated probability
    tau_finding: Probability  # a finding without a type needs at least this probability
    tau_none: Probability  # "no finding" needs at least this probability
    tau_none_slice: Probability  # and at least this one in every valid slice of the case
    tau_domain: Probability  # a case needs at least this p_in_domain
    min_valid_slices: Annotated[int, Field(ge=1)]
    min_agreement: Share  # of valid slices that share a finding's answer
    min_agreement_none: Share  # the same for "no finding"


class Aggregation(_Frozen):
    """How the slices of a case become one answer; `aggregation.pool` obeys it."""

    kind: Literal["mean_probability", "mean_logit", "vote", "noisy_or", "strongest"]
    level: Share
    # "strongest": share of the slices that is averaged, those that show most of the finding.
    # "noisy_or": least finding probability of a slice that counts. 1 and unused in the others.


class QualityLimits(_Frozen):
    """Below (or, for colour, above) these a slice is not asked about."""

    min_side: Annotated[int, Field(ge=1)]  # pixels, shorter side as received
    min_levels: Annotated[int, Field(ge=1)]  # distinct grey values in the cropped slice
    min_contrast: Share  # standard deviation of the prepared slice, 0-1
    min_foreground: Share  # share of prepared pixels above the crop threshold
    max_colour: Share  # mean spread between the colour channels, 0-1


class Promise(_Frozen):
    """What a threshold was chosen to keep, and how sure that is."""

    threshold: str  # name of the threshold
    statement: str  # one sentence for the card and the Space
    target: Share
    confidence: Share | None  # 1 - delta; None: an empirical quantile, no guarantee
    bound: Share | None  # exact upper bound at the chosen threshold
    coverage: Share | None  # of the sample, answered at the threshold
    unit: Literal["group", "image"]  # what is taken as independent, and what the rate is a mean of
    sample: Sample


class PolicyFile(_Frozen):
    """final_policy_config.json."""

    thresholds: Thresholds
    aggregation: Aggregation
    quality: QualityLimits
    promises: tuple[Promise, ...]


class MetricsFile(_Frozen):
    """metrics.json: every figure once, by name; card and plots are rendered from it."""

    phantom: bool
    figures: dict[str, Figure]
    tables: dict[str, list[dict[str, str | int | float | None]]]


class EnvironmentFile(_Frozen):
    """env_snapshot.json: what would be needed to make this revision again."""

    python: str
    packages: dict[str, str]
    recipe: dict[str, Any]
    recipe_hash: str
    dataset_fingerprint: str  # sha256 over every row's pixels, label, group and split
    sources: dict[str, str]  # name -> pinned handle and version
    code_commit: str  # 40 hex digits, or "unknown", with "+changes" when the tree was not clean
    seed: int


class FileEntry(_Frozen):
    """Size and hash of one file."""

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ManifestFile(_Frozen):
    """manifest.json: every other file of the bundle."""

    format_version: FormatVersion
    files: dict[str, FileEntry]
