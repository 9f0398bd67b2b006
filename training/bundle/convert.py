"""A bundle of the older form, once and for all, into one of this form.

The older form is a folder of four files:

- `best_model.pth`: `model_state_dict` of torchvision's ResNet18 (timm's names are the same) and
  `label_map`, index to name or name to index; read with `weights_only=True`.
- `temperature_scaling.json`: `temperature`.
- `final_policy_config.json`: `tau_conf`, `tau_domain`, `temperature_T`.
- `domain_guard_lr.npz`: a logistic model on the network's embedding, `coef` and `intercept` or `w`
  and `b`; read with `allow_pickle=False`.

What that form left to its serving code is written down here as it was there: the input (RGB, the
whole image stretched to 224 x 224) and the quality limits. One rule changes on purpose: a case
needed three valid slices, here it needs one. Under the older rule a single image could never be
answered; here a single image is a case of one slice.

Nothing is measured on the way: the converted bundle holds no figure, and its card says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hub_model import image_statistics
from hub_model.bundle import sha256
from hub_model.contract import (
    FORMAT_VERSION,
    Aggregation,
    EnvironmentFile,
    FeatureWidths,
    FindingSpec,
    GuardedConfig,
    GuardFile,
    MemberFile,
    MetricsFile,
    ModelCardFacts,
    ModelConfig,
    PolicyFile,
    PreprocessSpec,
    QualityLimits,
    Sample,
    TemperatureFile,
    Thresholds,
)
from hub_model.errors import UsageError
from training.bundle.card import CONVERTED_FROM
from training.bundle.older_form import FILES, WEIGHTS, ConversionError, OlderBundle, read

if TYPE_CHECKING:
    from torch import Tensor

ARCHITECTURE = "resnet18"
FINDING = "tumor"  # what every label but the tumor-free ones asserted
# Letters of a label that denies the finding, lower case and without what stands between them.
NONE_WORDS = frozenset(
    {"no", "none", "normal", "healthy", "negative", "notumor", "nontumor", "tumorfree", "nofinding"}
)
PREPROCESS = PreprocessSpec(
    size=224,
    channels=3,
    crop="none",
    crop_threshold=10 / 255,  # brighter than this counted as foreground
    crop_margin=0,
    window="none",
    window_low=0,
    window_high=100,
    fit="stretch",
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)
QUALITY = QualityLimits(
    min_side=1,  # the older form asked for no size and no number of grey levels
    min_levels=1,
    min_contrast=5 / 255,
    min_foreground=0.05,
    max_colour=0.05,
)
MIN_VALID_SLICES = 1  # was 3, see above
MIN_AGREEMENT = 0.5
UNKNOWN = Sample(split="not known", n_images=0, n_groups=0)


def convert(old: Path, out: Path, *, none_labels: Sequence[str] = ()) -> Path:
    """Write the bundle `out` from the older bundle `old`; returns `out`.

    The classes' order is that of `label_map`. Weights are rounded to fp16, as every bundle's are.

    Args:
        old: folder with the four files.
        out: a name that is free; nothing is left there when the conversion fails.
        none_labels: labels that deny the finding; empty: those that say so by themselves.

    Raises:
        UsageError: `out` is taken, or `none_labels` are not some of the labels.
        ConversionError: a file is missing, broken or contradicts another; the message names it.
    """
    from hub_model.network import build, middle_width
    from training import network_config
    from training.bundle import export

    if out.exists():
        raise UsageError("the target exists already: name a folder that does not")
    older = read(old)
    config = network_config.hub_config(
        architecture=ARCHITECTURE,
        label_names=older.label_names,
        guarded=GuardedConfig(
            format_version=FORMAT_VERSION,
            finding=FindingSpec(name=FINDING, none_labels=_none_labels(older, none_labels)),
            preprocess=PREPROCESS,
            facts=ModelCardFacts(
                title="Brain tumor MRI, converted from an older bundle",
                modality="MR",
                phantom=False,
            ),
        ),
    )
    state = _shipped(config, older)
    hashes = {name: sha256(old / name) for name in FILES}
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".convert-", dir=out.parent) as folder:
        written = export.write_bundle(
            Path(folder, "bundle"),
            config=config,
            state=state,
            temperature=TemperatureFile(
                temperature=older.temperature,
                fitted_on=UNKNOWN,
                nll_before=None,
                nll_after=None,
                ece_before=None,
                ece_after=None,
            ),
            guard=older.guard(_guard_file(older, middle_width(build(config)))),
            policy=_policy(older),
            metrics=MetricsFile(phantom=False, figures={}, tables={}),
            environment=_environment(hashes, older),
        )
        written.rename(out)
    return out


def _none_labels(older: OlderBundle, asked: Sequence[str]) -> tuple[str, ...]:
    """Labels that deny the finding, in the network's order."""
    names = older.label_names
    if unknown := sorted(set(asked) - set(names)):
        raise UsageError(
            f"--none-label {unknown[0]!r} is not a label of the older bundle: {', '.join(names)}"
        )
    found = tuple(name for name in names if name in asked or (not asked and _denies(name)))
    if not found or len(found) == len(names):
        raise ConversionError(
            WEIGHTS,
            f"label_map holds {', '.join(names)}: {'all' if found else 'none'} of them deny the "
            "finding, expected some; name them with --none-label",
        )
    return found


def _denies(name: str) -> bool:
    return "".join(letter for letter in name.lower() if letter.isalpha()) in NONE_WORDS


def _shipped(config: ModelConfig, older: OlderBundle) -> dict[str, Tensor]:
    """The state dict as it is shipped, once it is known to fit the architecture."""
    import torch

    from hub_model.network import build, to_half

    wanted = {name: _form(value) for name, value in build(config).backbone.state_dict().items()}
    found = {name: _form(value) for name, value in older.state.items()}
    if wrong := sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    ):
        first = wrong[0]
        raise ConversionError(
            WEIGHTS,
            f"does not fit {ARCHITECTURE} with {config.num_classes} classes: {len(wrong)} tensors "
            f"differ, first {first} (expected {wanted.get(first)}, found {found.get(first)})",
        )
    state = to_half(older.state)
    for name, value in state.items():
        if not bool(torch.isfinite(value).all()):
            raise ConversionError(
                WEIGHTS,
                f"{name} holds a value that is not finite, or too large for fp16 (65504)",
            )
    return state


def _form(value: Tensor) -> str:
    return f"{'floats' if value.is_floating_point() else 'counts'} {tuple(value.shape)}"


def _guard_file(older: OlderBundle, middle: int) -> GuardFile:
    return GuardFile(
        members=(
            MemberFile(
                name="embedding_logistic",
                kind="logistic",
                layer="embedding",
                normalise="none",
                parameters={},
                strangers=(),
            ),
        ),
        widths=FeatureWidths(
            embedding=len(older.weight),
            middle=middle,
            logits=len(older.label_names),
            statistics=len(image_statistics.NAMES),
        ),
        scale="probability",
        fitted_on=(),
        leave_one_domain_out=(),
    )


def _policy(older: OlderBundle) -> PolicyFile:
    """The older form's one confidence is asked of a class, of the finding and of its absence."""
    return PolicyFile(
        thresholds=Thresholds(
            tau_conf=older.tau_conf,
            tau_finding=older.tau_conf,
            tau_none=older.tau_conf,
            tau_none_slice=0.0,  # it asked nothing of single slices
            tau_domain=older.tau_domain,
            min_valid_slices=MIN_VALID_SLICES,
            min_agreement=MIN_AGREEMENT,
            min_agreement_none=MIN_AGREEMENT,
        ),
        aggregation=Aggregation(kind="mean_probability", level=1.0),
        quality=QUALITY,
        promises=(),
    )


def _environment(hashes: dict[str, str], older: OlderBundle) -> EnvironmentFile:
    from training.bundle import export

    recipe: dict[str, object] = {CONVERTED_FROM: hashes, "notes": older.notes}
    return export.environment(
        recipe=recipe,
        digest=hashlib.sha256(json.dumps(recipe).encode()).hexdigest(),
        fingerprint="not known",
        sources={},
        seed=-1,  # not known either; a recipe's seed is never negative
    )
