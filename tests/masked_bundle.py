"""A verifying bundle with a decoder, made in a second: an untrained network, and a small guard."""

from __future__ import annotations

from pathlib import Path

from hub_model import contract
from hub_model.contract import MaskSpec, ModelConfig
from tests import drawn_bundle
from tests.unmeasured import NOTHING_KNOWN
from training import network_config, recipe

SIZE = 64
RECIPE = recipe.load("phantom", [f"preprocess.size={SIZE}", "guard.members=[{kind: logistic}]"])
MASKS = MaskSpec(
    temperature=2.0,
    threshold=0.4,
    smallest_object=0,
    fill_holes=False,
    max_masked_none=0.0,
    chosen_on=NOTHING_KNOWN,
)
CHANNELS = (8, 8, 4, 4, 4)


def config(*, decoder: bool) -> ModelConfig:
    """config.json with a decoder, or without."""
    found = network_config.model_config(RECIPE)
    if not decoder:
        return found
    spec = contract.DecoderSpec(kind="unet", channels=CHANNELS)
    ours = found.neuroguard.model_copy(update={"decoder": spec, "masks": MASKS})
    return found.model_copy(update={"neuroguard": ours})


def write(folder: Path, *, decoder: bool = True) -> Path:
    """`folder / "bundle"`: its thresholds let everything pass."""
    return drawn_bundle.write(folder, RECIPE, config(decoder=decoder)).folder
