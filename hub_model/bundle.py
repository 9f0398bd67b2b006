"""A bundle folder: write its manifest, verify it, read it.

Any missing, extra or altered file is an error. Verification goes from cheap to dear: names, sizes
and hashes, schemas, cross-references. The golden outputs are compared by the predictor, which has
the network.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from hub_model import contract, graph_file, image_statistics
from hub_model.contract import (
    EnvironmentFile,
    FeatureWidths,
    FileEntry,
    GuardFile,
    ManifestFile,
    MetricsFile,
    ModelConfig,
    PolicyFile,
    TemperatureFile,
)
from hub_model.errors import BundleError
from hub_model.guard import Guard

Model = TypeVar("Model", bound=BaseModel)
HUB_FILES = frozenset({".gitattributes"})  # what the Hub itself puts beside a bundle
HUB_FOLDER = ".cache"  # the client's own notes in a folder it downloaded to
COMPILED = "__pycache__"  # appears when a bundle's own package is imported
SUFFIXES = {
    contract.REPORTS: (".svg", ".csv", ".json"),
    contract.PACKAGE: (".py", ".md", ".txt", ".typed"),
}  # what a folder of the bundle may hold
GOLDEN_TENSORS = {
    "images": 3,
    "logits": 2,
    "embedding": 2,
    "middle": 2,
    "statistics": 2,
    "p_in_domain": 1,
}  # name: dimensions
GOLDEN_MASKS = {"masks": 3}  # what a bundle with a decoder holds besides


@dataclass(frozen=True, eq=False)
class Bundle:
    """A verified bundle in memory; `content` is the sha256 of its manifest."""

    folder: Path
    config: ModelConfig
    temperature: TemperatureFile
    guard: Guard
    policy: PolicyFile
    metrics: MetricsFile
    environment: EnvironmentFile
    golden: dict[str, NDArray[Any]]
    content: str


def read(folder: Path) -> Bundle:
    """A bundle whose files, schemas and cross-references all hold.

    Args:
        folder: a bundle folder.

    Raises:
        BundleError: naming the first file at fault.
    """
    verify_files(folder)
    config = _model(folder, contract.CONFIG, ModelConfig)
    guard = Guard(
        _model(folder, contract.GUARD, GuardFile), _tensors(folder, contract.GUARD_TENSORS)
    )
    bundle = Bundle(
        folder=folder,
        config=config,
        temperature=_model(folder, contract.TEMPERATURE, TemperatureFile),
        guard=guard,
        policy=_model(folder, contract.POLICY, PolicyFile),
        metrics=_model(folder, contract.METRICS, MetricsFile),
        environment=_model(folder, contract.ENVIRONMENT, EnvironmentFile),
        golden=_tensors(folder, contract.GOLDEN),
        content=sha256(folder / contract.MANIFEST),
    )
    _cross_check(bundle)
    return bundle


def verify_files(folder: Path) -> ManifestFile:
    """The manifest, after every file named in it was found with its size and hash, and no other.

    Raises:
        BundleError: naming the first file that is missing, extra or altered.
    """
    if not folder.is_dir():
        raise BundleError(contract.MANIFEST, "the bundle folder does not exist")
    manifest = _model(folder, contract.MANIFEST, ManifestFile)
    for name in contract.REQUIRED_FILES:
        if name not in manifest.files:
            raise BundleError(name, "is not in the manifest: export the bundle again")
    for name in manifest.files:
        _check_name(name)
    present = set(list_files(folder))
    if missing := sorted(manifest.files.keys() - present):
        raise BundleError(missing[0], "is missing: download or export the bundle again")
    if extra := sorted(present - manifest.files.keys()):
        raise BundleError(extra[0], "is not in the manifest: remove it or export the bundle again")
    for name, entry in sorted(manifest.files.items()):
        path = folder / name
        size = path.stat().st_size
        if size != entry.size:
            raise BundleError(name, f"has {size} bytes, the manifest says {entry.size}")
        found = sha256(path)
        if found != entry.sha256:
            raise BundleError(
                name, f"was altered: sha256 {found[:12]}…, the manifest says {entry.sha256[:12]}…"
            )
    return manifest


def write_manifest(folder: Path) -> ManifestFile:
    """Write `manifest.json` over the files that are there, and return it."""
    entries = {
        name: FileEntry(size=(folder / name).stat().st_size, sha256=sha256(folder / name))
        for name in list_files(folder)
    }
    manifest = ManifestFile(format_version=contract.FORMAT_VERSION, files=entries)
    write_json(folder / contract.MANIFEST, manifest)
    return manifest


def write_json(path: Path, model: BaseModel) -> None:
    """Write one JSON file of the bundle: two spaces, a final newline, keys in the model's order."""
    path.write_text(json.dumps(model.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")


def list_files(folder: Path) -> list[str]:
    """Names, relative and with slashes, of every file but the manifest and the Hub's own."""
    skip = HUB_FILES | {contract.MANIFEST}
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        path.as_posix()
        for path in paths
        if path.as_posix() not in skip
        and path.parts[0] != HUB_FOLDER
        and COMPILED not in path.parts[:-1]
    )


def sha256(path: Path) -> str:
    """64 hex digits over a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_name(name: str) -> None:
    top, *rest = name.split("/")
    if rest:
        known = name.endswith(SUFFIXES.get(top, ())) and not {"", ".", ".."} & set(rest)
    else:
        known = name in (*contract.REQUIRED_FILES, *contract.OPTIONAL_FILES)
    if not known:
        folders = [f"{folder}/*{suffix}" for folder in SUFFIXES for suffix in SUFFIXES[folder]]
        raise BundleError(
            name,
            "has no place in a bundle: expected "
            + ", ".join((*contract.REQUIRED_FILES, *contract.OPTIONAL_FILES, *folders)),
        )


def _model(folder: Path, name: str, model: type[Model]) -> Model:
    path = folder / name
    if not path.is_file():
        raise BundleError(name, "is missing: download or export the bundle again")
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleError(
            name, f"breaks the contract in {error.error_count()} places; {where}: {first['msg']}"
        ) from error


def _tensors(folder: Path, name: str) -> dict[str, NDArray[Any]]:
    try:
        found = dict(load_file(folder / name))
    except (OSError, SafetensorError, TypeError) as error:  # TypeError: a type numpy has not
        raise BundleError(name, f"cannot be read as safetensors: {error}") from error
    # Libraries may teach numpy types such as bfloat16; which of them are loaded must not count.
    for key, tensor in found.items():
        if tensor.dtype.isbuiltin != 1:
            raise BundleError(
                name,
                f"cannot be read as safetensors: {key!r} holds {tensor.dtype}, not a numpy type",
            )
    return found


def _cross_check(bundle: Bundle) -> None:
    """What one file says about another must be true."""
    config = bundle.config
    spec = config.neuroguard.preprocess
    _check_decoder(bundle)
    found = {name: tensor.ndim for name, tensor in bundle.golden.items()}
    expected = GOLDEN_TENSORS | ({} if config.neuroguard.decoder is None else GOLDEN_MASKS)
    if found != expected:
        raise BundleError(contract.GOLDEN, f"holds {found}, expected {expected}")
    images = bundle.golden["images"]
    if images.shape[1:] != (spec.size, spec.size) or images.dtype != np.uint8 or not len(images):
        raise BundleError(
            contract.GOLDEN,
            f"images are {images.dtype} {images.shape}, config.json prepares uint8 "
            f"(1 or more, {spec.size}, {spec.size})",
        )
    wanted = {
        "logits": (len(images), config.num_classes),
        "embedding": (len(images), bundle.golden["embedding"].shape[1]),
        "middle": (len(images), bundle.golden["middle"].shape[1]),
        "statistics": (len(images), len(image_statistics.NAMES)),
        "p_in_domain": (len(images),),
    }
    if config.neuroguard.decoder is not None:
        wanted["masks"] = images.shape
    for name, shape in wanted.items():
        if bundle.golden[name].shape != shape:
            raise BundleError(
                contract.GOLDEN,
                f"{name} are {bundle.golden[name].shape} for {len(images)} images and "
                f"{config.num_classes} classes",
            )
    widths = FeatureWidths(
        embedding=bundle.golden["embedding"].shape[1],
        middle=bundle.golden["middle"].shape[1],
        logits=config.num_classes,
        statistics=len(image_statistics.NAMES),
    )
    if bundle.guard.file.widths != widths:
        raise BundleError(
            contract.GUARD,
            f"was fitted on features of widths {bundle.guard.file.widths.model_dump()}, this "
            f"network and package give {widths.model_dump()}",
        )
    if tuple(config.pretrained_cfg.get("input_size", ())) != (spec.channels, spec.size, spec.size):
        raise BundleError(
            contract.CONFIG,
            f"pretrained_cfg.input_size is {config.pretrained_cfg.get('input_size')}, "
            f"neuroguard.preprocess makes ({spec.channels}, {spec.size}, {spec.size})",
        )
    for graph, weights in contract.GRAPHS.items():
        if (bundle.folder / graph).is_file():
            graph_file.verify(bundle.folder, graph, weights)
    if bundle.metrics.phantom != config.neuroguard.facts.phantom:
        raise BundleError(contract.METRICS, "and config.json disagree on whether this is a phantom")


def _check_decoder(bundle: Bundle) -> None:
    """A decoder, its weights and how its masks are read come together or not at all.

    So do its graph and the network's: with one of them alone no engine could give a verdict.
    """
    ours = bundle.config.neuroguard
    weights, graph, network = (
        (bundle.folder / name).is_file()
        for name in (contract.DECODER_WEIGHTS, contract.DECODER_GRAPH, contract.GRAPH)
    )
    for name, there in ((contract.DECODER_WEIGHTS, weights), (contract.DECODER_GRAPH, graph)):
        if ours.decoder is None and there:
            raise BundleError(
                name, f"is there, and {contract.CONFIG} names no decoder: export the bundle again"
            )
    if ours.decoder is not None and not weights:
        raise BundleError(
            contract.DECODER_WEIGHTS,
            f"is missing, and {contract.CONFIG} names a decoder: export the bundle again",
        )
    if ours.decoder is not None and graph != network:
        both = (contract.DECODER_GRAPH, contract.GRAPH)
        missing, there_is = both if network else both[::-1]
        raise BundleError(missing, f"is missing, and {there_is} is there: export the bundle again")
    if ours.decoder is not None and ours.masks is None:
        raise BundleError(
            contract.CONFIG, "names a decoder and no masks, which say how its output is read"
        )
