"""config.json: the network, its classes and its input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from hub_model.contract.base import FormatVersion, Frozen, Share, is_none
from hub_model.contract.mask_spec import DecoderSpec, MaskSpec


class HuWindow(Frozen):
    """Hounsfield units that become one channel: those below are black, those above white."""

    name: str  # e.g. "brain"
    centre: float  # HU
    width: Annotated[float, Field(gt=0)]  # HU


class PreprocessSpec(Frozen):
    """How one slice becomes one model input; `preprocess.prepare` obeys it."""

    size: Annotated[int, Field(ge=32, le=1024)]  # pixels, both sides of the square input
    channels: Literal[1, 3]  # 3 repeats the grey channel, or shows three windows
    # "head": the tight box around what is brighter than background; "skull": around the bone of a
    # CT slice.
    crop: Literal["head", "skull", "none"]
    crop_threshold: Share  # of the robust maximum; what lies above counts as head
    crop_margin: Share  # of the box's longer side, added around it
    # How grey values become 0-255: between two percentiles of the slice, or so many standard
    # deviations around the mean of what is not 0; "hu" takes the Hounsfield units of a CT slice,
    # and no other.
    window: Literal["percentile", "zscore", "hu", "none"]
    window_low: Annotated[float, Field(ge=0, le=100)]  # percentile that becomes 0
    window_high: Annotated[float, Field(ge=0, le=100)]  # percentile that becomes 255
    fit: Literal["letterbox", "stretch"]  # "letterbox" keeps the aspect and pads with black
    mean: tuple[float, ...]  # per channel, of values scaled to 0-1
    std: tuple[Annotated[float, Field(gt=0)], ...]  # per channel, of values scaled to 0-1
    # Of window "hu", and left out of the file with any other: one window, or one a channel.
    windows: tuple[HuWindow, ...] = ()
    # Of window "zscore": standard deviations from the mean that become 0 and 255.
    window_z: Annotated[float, Field(gt=0)] | None = None
    # Of crop "skull": percentile of the slice's units from which on a pixel counts as bone.
    skull_percentile: Annotated[float, Field(ge=50, lt=100)] | None = None
    # Units at or below this percentile of the slice become air; None: they stay.
    floor_percentile: Annotated[float, Field(ge=0, lt=50)] | None = None

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A spec that reads no Hounsfield units is written as it was before there were any."""
        values: dict[str, Any] = write(self)
        for key in ("windows", "skull_percentile", "floor_percentile"):
            if not self.windows or getattr(self, key) is None:
                values.pop(key, None)
        if self.window_z is None:
            del values["window_z"]
        return values

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
        if (self.window == "zscore") != (self.window_z is not None):
            raise ValueError(
                f"window is {self.window!r}, window_z is {self.window_z}: it goes with 'zscore' "
                "alone, which needs it"
            )
        hu = self.window == "hu"
        if hu != bool(self.windows) or (not hu and self.floor_percentile is not None):
            raise ValueError(
                f"window is {self.window!r}, windows are {[one.name for one in self.windows]}, "
                f"floor_percentile is {self.floor_percentile}: the last two go with 'hu' alone, "
                "which needs a window"
            )
        if len(self.windows) > 1 and len(self.windows) != self.channels:
            raise ValueError(
                f"windows are {len(self.windows)}, channels is {self.channels}: give one window, "
                "or one a channel"
            )
        skull = self.crop == "skull"
        if skull != (self.skull_percentile is not None) or (skull and not hu):
            raise ValueError(
                f"crop is {self.crop!r}, skull_percentile is {self.skull_percentile}, window is "
                f"{self.window!r}: 'skull' needs a percentile and window 'hu', others have none"
            )
        return self


class FindingSpec(Frozen):
    """What labels say about the finding: those in `none_labels` deny it, all others assert it."""

    name: str  # what an accepted finding is called, e.g. "tumor"
    none_labels: Annotated[tuple[str, ...], Field(min_length=1)]

    def asserted_by(self, label_names: Sequence[str]) -> NDArray[np.bool_]:
        """`(K,)` which of the labels assert the finding."""
        return np.array([name not in self.none_labels for name in label_names])

    def likelier(
        self, probabilities: NDArray[np.floating], label_names: Sequence[str]
    ) -> NDArray[np.bool_]:
        """`(N,)` whether the finding is likelier than its absence, of `(N, K)`; a tie is one."""
        asserts = self.asserted_by(label_names)
        found: NDArray[np.bool_] = probabilities[:, asserts].sum(axis=1) >= probabilities[
            :, ~asserts
        ].sum(axis=1)
        return found


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
    decoder: DecoderSpec | None = Field(default=None, exclude_if=is_none)
    masks: MaskSpec | None = Field(default=None, exclude_if=is_none)

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
