"""The usual way to classify a case, written out as the yardstick for `neuroguard bench`.

Slice after slice: open as RGB, work in floating point, find the box with percentiles by sorting and
`argwhere`, stretch all three channels, check the quality, resize with Pillow, normalise, run the
network, and run it once more for the embedding. The mathematics is that of the bundle's own
preprocessing, so that the probabilities must agree with `GuardedClassifier` on grey 8-bit files;
only the way there is the usual one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from hub_model import bundle as bundles
from hub_model import calibration, image_statistics, policy
from hub_model.case import Slice
from hub_model.contract import WEIGHTS, PreprocessSpec, Reason
from hub_model.guard import Features
from hub_model.network import build
from hub_model.policy import Decision, Evidence
from hub_model.preprocess import MIN_BOX_SHARE, MIN_LINE_SHARE, ROBUST_MAXIMUM, Prepared

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedSlice:
    """Normalised `(C, size, size)` input, image statistics, and what spoke against the slice."""

    tensor: Tensor
    statistics: Floats
    reasons: tuple[Reason, ...]


class PeerClassifier:
    """A bundle run the usual way, in float32 on the CPU.

    Args:
        folder: a bundle folder.

    Raises:
        BundleError: the bundle does not verify.
    """

    def __init__(self, folder: Path) -> None:
        self.bundle = bundles.read(folder)
        self.spec = self.bundle.config.neuroguard.preprocess
        network = build(self.bundle.config)
        network.backbone.load_state_dict(load_file(folder / WEIGHTS))
        self.backbone: Any = network.backbone.float().eval()

    def predict(self, images: Sequence[Image.Image]) -> tuple[Decision, Evidence]:
        """The verdict on one case of grey 8-bit images, and the figures behind it."""
        logits, embeddings, middles, seen, reasons = [], [], [], [], []
        for image in images:
            prepared = self.prepare(image)
            reasons.append(prepared.reasons)
            if prepared.reasons:
                continue
            seen.append(prepared.statistics)
            batch = prepared.tensor.unsqueeze(0)
            with torch.inference_mode():
                logits.append(self.backbone(batch).numpy())
                stage = len(self.backbone.feature_info) - 2
                features, (middle,) = self.backbone.forward_intermediates(batch, indices=[stage])
                middles.append(middle.mean(dim=(2, 3)).numpy())
                embeddings.append(self.backbone.forward_head(features, pre_logits=True).numpy())
        config = self.bundle.config
        rows = np.concatenate(logits) if logits else np.empty((0, config.num_classes), np.float32)
        widths = self.bundle.guard.file.widths
        z = np.concatenate(embeddings) if embeddings else np.empty((0, widths.embedding))
        middle = np.concatenate(middles) if middles else np.empty((0, widths.middle))
        evidence = Evidence(
            label_names=config.label_names,
            none_labels=config.neuroguard.finding.none_labels,
            finding=config.neuroguard.finding.name,
            slice_reasons=tuple(reasons),
            logits=rows,
            probabilities=calibration.probabilities(rows, self.bundle.temperature.temperature),
            p_in_domain=self.bundle.guard.p_in_domain(
                Features(z, middle, rows, image_statistics.table(seen))
            ),
        )
        return policy.decide(evidence, self.bundle.policy, self.bundle.content), evidence

    def prepare(self, image: Image.Image) -> PreparedSlice:
        """One RGB image cropped, windowed, checked, resized and normalised."""
        spec = self.spec
        rgb = np.asarray(image).astype(np.float32)
        grey = np.asarray(image.convert("L")).astype(np.float32)
        piece = Slice(np.asarray(image.convert("L")), "raster", spread(image))
        box = (0, grey.shape[0], 0, grey.shape[1])
        if spec.crop == "head":
            top, bottom, left, right = box = head_box(grey, spec)
            rgb, grey = rgb[top:bottom, left:right], grey[top:bottom, left:right]
        resized = resize(window(rgb, grey, spec), spec)
        scaled = resized.astype(np.float32) / 255.0
        tensor = torch.from_numpy(scaled).permute(2, 0, 1)
        if spec.channels == 1:
            tensor = tensor[:1]  # of a grey file all three are the same
        mean = torch.tensor(spec.mean).view(-1, 1, 1)
        std = torch.tensor(spec.std).view(-1, 1, 1)
        levels = len(np.unique(grey.astype(np.uint8)))
        prepared = Prepared(np.ascontiguousarray(resized[..., 0]), box, levels)
        return PreparedSlice(
            (tensor - mean) / std,
            image_statistics.statistics(piece, prepared),
            self._reasons(image, levels, resized),
        )

    def _reasons(
        self, image: Image.Image, levels: int, resized: NDArray[np.uint8]
    ) -> tuple[Reason, ...]:
        limits = self.bundle.policy.quality
        seen = resized[..., 0].astype(np.float32)
        found = {
            Reason.TOO_SMALL: min(image.size) < limits.min_side,
            Reason.BLANK: levels < limits.min_levels,
            Reason.LOW_CONTRAST: seen.std() < limits.min_contrast * 255,
            Reason.LITTLE_FOREGROUND: (seen > self.spec.crop_threshold * 255).mean()
            < limits.min_foreground,
            Reason.COLOUR: spread(image) > limits.max_colour,
        }
        return tuple(reason for reason, holds in found.items() if holds)


def spread(image: Image.Image) -> float:
    """Mean difference between the strongest and the weakest of the three channels, 0-1."""
    red, green, blue = (np.asarray(channel).astype(np.int16) for channel in image.split())
    widest = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return float(widest.mean() / 255)


def opened(files: Sequence[Path]) -> list[Image.Image]:
    """Decoded RGB images of raster files, or of one ZIP of a DICOM series from the base upwards."""
    if files[0].suffix == ".zip":
        return dicom_images(files[0])
    return [open_rgb(file) for file in files]


def open_rgb(file: Path) -> Image.Image:
    """A decoded RGB image."""
    with Image.open(file) as image:
        return image.convert("RGB")


def dicom_images(archive: Path) -> list[Image.Image]:
    """What pydicom makes of a series, by its window, in 8 bits."""
    from pydicom import dcmread
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    with ZipFile(archive) as content:
        datasets = [dcmread(BytesIO(content.read(name))) for name in content.namelist()]
    datasets.sort(key=lambda dataset: float(dataset.ImagePositionPatient[2]))
    images = []
    for dataset in datasets:
        values = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
        scaled = values.astype(np.float32) / np.float32(max(1.0, float(values.max()))) * 255
        images.append(Image.fromarray(scaled.astype(np.uint8)).convert("RGB"))
    return images


def pipeline(folder: Path) -> Callable[[list[Image.Image]], list[Any]]:
    """The image-classification pipeline of transformers on a bundle's network, in float32.

    Args:
        folder: a bundle folder; it is read as one of timm's.
    """
    from transformers import pipeline as build_pipeline

    ask = build_pipeline("image-classification", model=str(folder), dtype=torch.float32)
    channels = bundles.read(folder).config.neuroguard.preprocess.channels
    # It makes every image RGB; of a grey one all three channels are the same.
    ask.model.timm_model.register_forward_pre_hook(
        lambda _, given: (given[0][:, :channels], *given[1:])
    )
    return ask


def head_box(grey: Floats, spec: PreprocessSpec) -> tuple[int, int, int, int]:
    """`preprocess.head_box` on `(H, W)` floats, from the places of all bright pixels."""
    height, width = grey.shape
    low, high = percentiles(grey, (0.5, ROBUST_MAXIMUM))
    bright = grey > low + spec.crop_threshold * (high - low)
    places = np.argwhere(bright)
    in_row = np.bincount(places[:, 0], minlength=height)
    in_column = np.bincount(places[:, 1], minlength=width)
    lines = np.flatnonzero(in_row > MIN_LINE_SHARE * width)
    columns = np.flatnonzero(in_column > MIN_LINE_SHARE * height)
    if len(lines) < MIN_BOX_SHARE * height or len(columns) < MIN_BOX_SHARE * width:
        return 0, height, 0, width
    top, bottom = int(lines[0]), int(lines[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    pad = round(spec.crop_margin * max(bottom - top, right - left))
    return max(0, top - pad), min(height, bottom + pad), max(0, left - pad), min(width, right + pad)


def percentiles(values: Floats, wanted: tuple[float, float]) -> tuple[float, float]:
    """Smallest values below or at which the wanted percentages lie, by sorting."""
    low, high = np.percentile(values, wanted, method="inverted_cdf")
    return float(low), float(high)


def window(rgb: Floats, grey: Floats, spec: PreprocessSpec) -> NDArray[np.uint8]:
    """Values between two percentiles of the grey plane stretched to 0-255, on every channel."""
    low, high = 0.0, 255.0
    if spec.window == "percentile":
        low, high = percentiles(grey, (spec.window_low, spec.window_high))
    stretched = (rgb - np.float32(low)) * np.float32(255 / max(1.0, high - low))
    return np.rint(np.clip(stretched, 0, 255)).astype(np.uint8)


def resize(rgb: NDArray[np.uint8], spec: PreprocessSpec) -> NDArray[np.uint8]:
    """`(size, size, 3)`: stretched, or fitted into a black square."""
    image = Image.fromarray(rgb)
    size = (spec.size, spec.size)
    if spec.fit == "stretch" or image.width == image.height:
        return np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    scale = spec.size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    square = Image.new("RGB", size)
    place = ((spec.size - width) // 2, (spec.size - height) // 2)
    square.paste(image.resize((width, height), Image.Resampling.BILINEAR), place)
    return np.asarray(square)
