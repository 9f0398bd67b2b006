"""What a revision is: its file names, the typed form of its JSON files, verdicts and reasons.

Knows nothing about torch, pixels or the Hub. A number that decides something stands in one of these
models and nowhere else; a file that does not fit them is refused, never repaired.
"""

from hub_model.contract.base import FORMAT_VERSION, FormatVersion, Probability, Share
from hub_model.contract.figures import Figure, MetricsFile, Sample, TemperatureFile
from hub_model.contract.guard_file import (
    COMBINED,
    DomainResult,
    FeatureWidths,
    GuardFile,
    GuardKind,
    Layer,
    MemberFile,
    Normalisation,
)
from hub_model.contract.mask_spec import MaskSpec
from hub_model.contract.names import (
    CARD,
    CONFIG,
    ENVIRONMENT,
    FOLDERS,
    GOLDEN,
    GUARD,
    GUARD_TENSORS,
    HANDLER,
    MANIFEST,
    METRICS,
    PACKAGE,
    PHANTOM_WARNING,
    POLICY,
    REPORTS,
    REQUIRED_FILES,
    REQUIREMENTS,
    RESEARCH_ONLY,
    TEMPERATURE,
    WEIGHTS,
)
from hub_model.contract.network_file import (
    FindingSpec,
    GuardedConfig,
    ModelCardFacts,
    ModelConfig,
    PreprocessSpec,
)
from hub_model.contract.policy_file import (
    Aggregation,
    PolicyFile,
    Promise,
    QualityLimits,
    Thresholds,
)
from hub_model.contract.provenance import EnvironmentFile, FileEntry, ManifestFile
from hub_model.contract.verdicts import REASON_TEXT, Reason, Verdict

__all__ = [
    "CARD",
    "COMBINED",
    "CONFIG",
    "ENVIRONMENT",
    "FOLDERS",
    "FORMAT_VERSION",
    "GOLDEN",
    "GUARD",
    "GUARD_TENSORS",
    "HANDLER",
    "MANIFEST",
    "METRICS",
    "PACKAGE",
    "PHANTOM_WARNING",
    "POLICY",
    "REASON_TEXT",
    "REPORTS",
    "REQUIRED_FILES",
    "REQUIREMENTS",
    "RESEARCH_ONLY",
    "TEMPERATURE",
    "WEIGHTS",
    "Aggregation",
    "DomainResult",
    "EnvironmentFile",
    "FeatureWidths",
    "Figure",
    "FileEntry",
    "FindingSpec",
    "FormatVersion",
    "GuardFile",
    "GuardKind",
    "GuardedConfig",
    "Layer",
    "ManifestFile",
    "MaskSpec",
    "MemberFile",
    "MetricsFile",
    "ModelCardFacts",
    "ModelConfig",
    "Normalisation",
    "PolicyFile",
    "PreprocessSpec",
    "Probability",
    "Promise",
    "QualityLimits",
    "Reason",
    "Sample",
    "Share",
    "TemperatureFile",
    "Thresholds",
    "Verdict",
]
