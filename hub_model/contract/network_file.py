"""config.json: the network, its classes and its input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hub_model.contract.base import FormatVersion, Frozen, Share
from hub_model.contract.mask_spec import DecoderSpec, MaskSpec


def _is_none(value: object) -> bool:
    return value is None


class PreprocessSpec(Frozen):
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


class FindingSpec(Frozen):
    """What labels say about the finding: those in `none_labels` deny it, all others assert it."""

    name: str  # what an accepted finding is called, e.g. "tumor"
    none_labels: Annotated[tuple[str, ...], Field(min_length=1)]

    def asserted_by(self, label_names: Sequence[str]) -> NDArray[np.bool_]:
        """`(K,)` which of the labels assert the finding."""
        return np.array([name not in self.none_labels for name in label_names])


class ModelCardFacts(Frozen):
    """What a page must be able to say about the model without reading anything else."""

    title: str
    modality: str  # DICOM modality of what it was built on, e.g. "MR"
    phantom: bool  # True: trained on drawn images; every page says so


class GuardedConfig(Frozen):
    """Our part of config.json, under the key "neuroguard".

    A network without a decoder has neither `decoder` nor `masks`; one in training has no `masks`.
    """

    format_version: FormatVersion
    finding: FindingSpec
    preprocess: PreprocessSpec
    facts: ModelCardFacts
    decoder: DecoderSpec | None = Field(default=None, exclude_if=_is_none)
    masks: MaskSpec | None = Field(default=None, exclude_if=_is_none)

    @model_validator(mode="after")
    def _agree(self) -> GuardedConfig:
        if self.masks is not None and self.decoder is None:
            raise ValueError("masks is there and decoder is not: name one, or leave out both")
        return self


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
