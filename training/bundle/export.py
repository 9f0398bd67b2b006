"""Fitted parts become a bundle: written to a temporary name, verified by loading, then renamed."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file as save_tensors
from torch import Tensor

from hub_model import bundle, contract, engine, golden
from hub_model.case import Slice
from hub_model.contract import (
    EnvironmentFile,
    MetricsFile,
    ModelConfig,
    PolicyFile,
    PreprocessSpec,
    Row,
    TemperatureFile,
)
from hub_model.guard import Guard
from hub_model.network import build, divided, load_state
from hub_model.predictor import GuardedClassifier
from hub_model.preprocess import prepare
from training.bundle import bf16, card, graph, parity, plots
from training.bundle.parity import Parts
from training.checkout import code_commit
from training.scores import Scores
from training.sources import drawing, phantom, phantom_ct

PACKAGE = Path(bundle.__file__).parent
WITHOUT_GRAPH = "requirements-torch.txt"  # besides, for what torch has to run
GOLDEN_IMAGES = 6
PACKAGES = (
    "accelerate", "datasets", "huggingface_hub", "numpy", "onnx", "onnxruntime", "onnxscript",
    "openvino", "pillow", "pydicom", "safetensors", "scikit-learn", "scipy", "timm", "torch",
    "torchvision",
)  # fmt: skip


def environment(
    *, recipe: dict[str, object], digest: str, fingerprint: str, sources: dict[str, str], seed: int
) -> EnvironmentFile:
    """Versions, recipe, data and code of this run."""
    return EnvironmentFile(
        python=platform.python_version(),
        packages={name: importlib.metadata.version(name) for name in PACKAGES},
        recipe=recipe,
        recipe_hash=digest,
        dataset_fingerprint=fingerprint,
        sources=sources,
        code_commit=code_commit(),
        seed=seed,
    )


def write_bundle(
    out: Path,
    *,
    config: ModelConfig,
    state: dict[str, Tensor],
    temperature: TemperatureFile,
    guard: Guard,
    policy: PolicyFile,
    metrics: MetricsFile,
    environment: EnvironmentFile,
    shown: Scores | None = None,
) -> Path:
    """The bundle folder `out`, complete and verified; an older one there is replaced.

    `state` is what `network.state_of` gives, the decoder's tensors beside the backbone's. With
    images `shown`, which the network has scored, the bundle gets a graph as well, and one of the
    decoder, if every engine answers on them as torch does.

    Raises:
        BundleError: the parts do not fit together. Nothing is left under `out` then.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=out.name + ".") as temporary:
        partial = Path(temporary) / out.name
        partial.mkdir()
        _fill(partial, config, state, temperature, guard, policy, metrics, environment, shown)
        GuardedClassifier.from_folder(partial)  # fails closed: hashes, schemas, golden outputs
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    return out


def _fill(
    partial: Path,
    config: ModelConfig,
    state: dict[str, Tensor],
    temperature: TemperatureFile,
    guard: Guard,
    policy: PolicyFile,
    metrics: MetricsFile,
    environment: EnvironmentFile,
    shown: Scores | None,
) -> None:
    """Write every file of the bundle, the manifest last."""
    backbone, decoder = divided(state)
    save_tensors(backbone, partial / contract.WEIGHTS, metadata={"format": "pt"})
    if decoder:
        save_tensors(decoder, partial / contract.DECODER_WEIGHTS, metadata={"format": "pt"})
    if shown is not None:
        parts = Parts(config, temperature, guard, policy)
        rows = _with_graphs(partial, parts, state, shown)
        metrics = metrics.model_copy(update={"tables": {**metrics.tables, parity.TABLE: rows}})
    tensors = {name: np.array(value, order="C") for name, value in guard.tensors.items()}
    save_arrays(tensors, partial / contract.GUARD_TENSORS)
    for name, model in (
        (contract.CONFIG, config),
        (contract.TEMPERATURE, temperature),
        (contract.GUARD, guard.file),
        (contract.POLICY, policy),
        (contract.METRICS, metrics),
        (contract.ENVIRONMENT, environment),
    ):
        bundle.write_json(partial / name, model)
    save_arrays(_golden(config, state, guard), partial / contract.GOLDEN)
    reports = plots.write(metrics, partial / contract.REPORTS) if metrics.figures else []
    text = card.render(config, metrics, policy, temperature, guard.file, environment, reports)
    (partial / contract.CARD).write_text(text)
    _copy_package(partial)
    bundle.write_manifest(partial)


def _with_graphs(partial: Path, parts: Parts, state: dict[str, Tensor], shown: Scores) -> list[Row]:
    """Write the graphs, and take them away again where an engine fails; how each of them did."""
    network = build(parts.config)
    load_state(network, state)
    written = graph.write(partial, network, parts.config.neuroguard.preprocess)
    rows = parity.check(partial, parts, shown)
    if parity.passes(rows):
        return [*rows, *bf16.asked(partial, parts, shown)]
    for file in written:
        file.unlink()
    return rows


def _golden(
    config: ModelConfig, state: dict[str, Tensor], guard: Guard
) -> dict[str, NDArray[np.generic]]:
    """A few drawn heads, prepared, with what the shipped weights and guard make of them."""
    spec = config.neuroguard.preprocess
    images = np.stack([prepare(piece, spec).image for piece in _golden_slices(spec)])
    network = build(config)
    load_state(network, state)
    return {"images": images, **golden.outputs(engine.from_network(network, spec), guard, images)}


def _golden_slices(spec: PreprocessSpec) -> list[Slice]:
    from training.preparing import slice_of

    drawn = phantom_ct.SOURCE if spec.window == "hu" else phantom.SOURCE
    records = drawing.HEADS[drawn](GOLDEN_IMAGES, 0)
    first = {record.group: record for record in records}
    return [slice_of(record.image) for record in list(first.values())[:GOLDEN_IMAGES]]


def _copy_package(folder: Path) -> None:
    """What an endpoint needs to run the revision without this repository."""
    for path in sorted(PACKAGE.rglob("*")):
        relative = path.relative_to(PACKAGE)
        if path.suffix in bundle.SUFFIXES[contract.PACKAGE] and relative.parts[0] != "release":
            target = folder / contract.PACKAGE / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    shutil.copyfile(PACKAGE / contract.HANDLER, folder / contract.HANDLER)
    needed = [contract.REQUIREMENTS] + [WITHOUT_GRAPH] * (not (folder / contract.GRAPH).is_file())
    text = "".join((PACKAGE / name).read_text() for name in needed)
    (folder / contract.REQUIREMENTS).write_text(text)
