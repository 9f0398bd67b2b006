"""A verifying bundle with a decoder, made in a second: an untrained network, and a small guard."""

from __future__ import annotations

import shutil
from pathlib import Path

from hub_model import contract
from hub_model.contract import MaskSpec, ModelConfig
from tests import drawn_bundle
from tests.bundle_files import change_json
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


def write(
    folder: Path, *, decoder: bool = True, says: str | None = None, graphs: bool = False
) -> Path:
    """`folder / "bundle"`: its thresholds let everything pass.

    Args:
        folder: of the bundle and what it is made of.
        decoder: whether it has one.
        says: the class that it names whatever it sees; None: what an untrained network says.
        graphs: whether it runs without torch, if its engines draw what torch draws.
    """
    made = config(decoder=decoder)
    return drawn_bundle.write(folder, RECIPE, made, says=says, graphs=graphs).folder


def strict(whole: Path, folder: Path) -> Path:
    """A copy of a bundle that refuses every image as strange.

    Args:
        whole: the bundle.
        folder: of the copy.
    """
    shutil.copytree(whole, folder)
    change_json(folder, contract.POLICY, lambda tree: tree["thresholds"].update(tau_domain=1.0))
    return folder
