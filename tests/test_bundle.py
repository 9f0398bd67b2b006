"""A bundle is whole and true or it is refused, and the refusal names the file at fault."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model import bundle, contract
from hub_model.contract import (
    CARD,
    CONFIG,
    GOLDEN,
    GUARD,
    GUARD_TENSORS,
    MANIFEST,
    METRICS,
    POLICY,
    TEMPERATURE,
    WEIGHTS,
)
from hub_model.engine.choice import OF_GRAPHS
from hub_model.errors import BundleError
from hub_model.predictor import GuardedClassifier
from tests.bundle_files import (
    SIZE,
    WIDTH,
    change_json,
    change_tensors,
    contents,
    write_bundle,
)
from tests.untrained import write_untrained

PLOT, MODULE = f"{contract.REPORTS}/risk.svg", f"{contract.PACKAGE}/__init__.py"
EVERY_FILE = (*contract.REQUIRED_FILES, PLOT, MODULE)


@pytest.fixture
def folder(tmp_path):
    """A bundle that verifies; its weights belong to no network."""
    made = write_bundle(tmp_path / "bundle")
    (made / contract.PACKAGE).mkdir()
    (made / MODULE).write_text('"""What a revision is."""\n')
    bundle.write_manifest(made)
    return made


def refusal(folder, name):
    """The message with which the bundle is refused for the file of that name."""
    with pytest.raises(BundleError) as caught:
        bundle.read(folder)
    assert caught.value.file == name
    assert str(caught.value).startswith(f"{name}: ")
    return str(caught.value)


def test_what_was_written_is_what_is_read(folder):
    read = bundle.read(folder)
    assert read.content == bundle.sha256(folder / MANIFEST)
    for name, model in (
        (CONFIG, read.config),
        (TEMPERATURE, read.temperature),
        (GUARD, read.guard.file),
        (POLICY, read.policy),
        (METRICS, read.metrics),
        (contract.ENVIRONMENT, read.environment),
    ):
        before = (folder / name).read_bytes()
        bundle.write_json(folder / name, model)
        assert (folder / name).read_bytes() == before
    assert bundle.write_manifest(folder) == bundle.verify_files(folder)
    assert bundle.read(folder).content == read.content


@pytest.mark.parametrize("name", [*EVERY_FILE, MANIFEST])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    assert "is missing" in refusal(folder, name)


@pytest.mark.parametrize("name", contract.REQUIRED_FILES)
def test_a_file_that_the_manifest_forgets_is_named(folder, name):
    (folder / name).unlink()
    bundle.write_manifest(folder)
    assert "is not in the manifest" in refusal(folder, name)


@pytest.mark.parametrize("name", EVERY_FILE)
def test_one_altered_byte_is_noticed(folder, name):
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    assert "was altered" in refusal(folder, name)


@pytest.mark.parametrize("name", EVERY_FILE)
def test_one_byte_too_many_is_noticed(folder, name):
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    assert "bytes, the manifest says" in refusal(folder, name)


@settings(deadline=None, max_examples=100)
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_no_byte_of_the_manifest_can_be_changed_unnoticed(tmp_path_factory, place, value):
    made = tmp_path_factory.getbasetemp() / "manifest-bundle"
    if not made.exists():
        write_bundle(made)
    before = (made / MANIFEST).read_bytes()
    data = bytearray(before)
    data[int(place * len(data))] = value
    (made / MANIFEST).write_bytes(data)
    found = None
    with suppress(BundleError):
        found = bundle.verify_files(made)
    (made / MANIFEST).write_bytes(before)
    assert found in (None, bundle.verify_files(made))  # the same where it was only white space


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "model.pkl",
        "pytorch_model.bin",
        f"{contract.REPORTS}/model.pkl",
        f"{contract.REPORTS}/tensors.npz",
        f"{contract.REPORTS}/page.html",
        f"{contract.PACKAGE}/extra.so",
        f"{contract.PACKAGE}/weights.PT",
        "more/card.md",
        ".cache_of_mine/x.svg",
    ],
)
def test_an_extra_file_is_refused_whether_the_manifest_names_it_or_not(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"?")
    assert "is not in the manifest" in refusal(folder, name)
    bundle.write_manifest(folder)
    assert "has no place in a bundle" in refusal(folder, name)


def test_a_folder_that_only_looks_like_python_s_own_is_not_overlooked(folder):
    name = f"{contract.REPORTS}/my__pycache__/x.svg"
    (folder / name).parent.mkdir()
    (folder / name).write_bytes(b"?")
    assert "is not in the manifest" in refusal(folder, name)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.svg",
        f"{contract.REPORTS}/../../outside.svg",
        f"{contract.REPORTS}//risk.svg",
        f"{contract.REPORTS}/./risk.svg",
        "/etc/hostname",
        f"./{CONFIG}",
        "",
        f"{contract.REPORTS}/",
        f"{contract.REPORTS}\\risk.svg",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(folder, name):
    (folder.parent / "outside.svg").write_text("<svg/>")
    tree = json.loads((folder / MANIFEST).read_text())
    tree["files"][name] = tree["files"][PLOT]
    (folder / MANIFEST).write_text(json.dumps(tree))
    assert "has no place in a bundle" in refusal(folder, name)


def test_only_the_notes_of_hub_and_python_are_let_lie_beside_a_bundle(folder):
    for name in (".gitattributes", ".cache/x.metadata", f"{contract.PACKAGE}/__pycache__/x.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("?")
    before = contents(folder)[MANIFEST]
    bundle.read(folder)
    bundle.write_manifest(folder)
    assert contents(folder)[MANIFEST] == before


def put(*path, value):
    """A change that sets the value at the end of the path of keys."""

    def change(tree):
        for key in path[:-1]:
            tree = tree[key]
        tree[path[-1]] = value

    return change


UNFIT = "does not hold what the members need"
JSON_CHANGES = {
    "temperature of 0": (TEMPERATURE, put("temperature", value=0), "temperature"),
    "temperature below 0": (TEMPERATURE, put("temperature", value=-1), "temperature"),
    "temperature not a number": (TEMPERATURE, put("temperature", value=np.nan), "temperature"),
    "no temperature": (TEMPERATURE, lambda tree: tree.pop("temperature"), "temperature"),
    "unknown threshold": (POLICY, put("thresholds", "tau_more", value=0.5), "thresholds.tau_more"),
    "missing threshold": (POLICY, lambda t: t["thresholds"].pop("tau_conf"), "thresholds.tau_conf"),
    "threshold above 1": (POLICY, put("thresholds", "tau_none", value=1.1), "thresholds.tau_none"),
    "format of tomorrow": (CONFIG, put("neuroguard", "format_version", value=3), "format_version"),
    "format of yesterday": (
        CONFIG,
        put("neuroguard", "format_version", value=1),
        "the bundle is of format 1, this package reads format 2",
    ),
    "one label too few": (CONFIG, put("label_names", value=["tumor"]), "1 names, num_classes is 2"),
    "a label twice": (CONFIG, put("label_names", value=["tumor"] * 2), "repeats a name"),
    "finding of no label": (
        CONFIG,
        put("neuroguard", "finding", "none_labels", value=["healthy"]),
        "none_labels",
    ),
    "finding of every label": (
        CONFIG,
        put("neuroguard", "finding", "none_labels", value=["no_tumor", "tumor"]),
        "none_labels",
    ),
    "mean of three channels": (
        CONFIG,
        put("neuroguard", "preprocess", "mean", value=[0.1] * 3),
        "mean has 3",
    ),
    "window upside down": (
        CONFIG,
        put("neuroguard", "preprocess", "window_low", value=99.5),
        "window_low 99.5 is not below window_high 99",
    ),
    "input size": (CONFIG, put("pretrained_cfg", "input_size", value=[3, 32, 32]), "input_size"),
    "phantom or not": (METRICS, put("phantom", value=False), "phantom"),
    "unknown guard": (GUARD, put("members", 0, "kind", value="oracle"), "members.0.kind"),
    "another guard": (GUARD, put("members", 0, "kind", value="mahalanobis"), UNFIT),
    "another scale": (GUARD, put("scale", value="probability"), UNFIT),
    "another name": (GUARD, put("members", 0, "name", value="other"), UNFIT),
    "a guard of none": (GUARD, put("members", value=[]), "members"),
    "a guard of other statistics": (GUARD, put("widths", "statistics", value=7), "widths"),
    "a guard of other classes": (GUARD, put("widths", "logits", value=3), "widths"),
}


@pytest.mark.parametrize("name", JSON_CHANGES)
def test_a_file_that_breaks_the_contract_is_named_though_its_hash_fits(folder, name):
    file, change, message = JSON_CHANGES[name]
    change_json(folder, file, change)
    at_fault = GUARD_TENSORS if message == UNFIT else file
    assert message in refusal(folder, at_fault)


TENSOR_CHANGES = {
    "guard of another width": (GUARD_TENSORS, put("known.weight", value=np.ones(WIDTH + 1)), "5"),
    "guard without bias": (GUARD_TENSORS, lambda tensors: tensors.pop("known.bias"), UNFIT),
    "guard not finite": (
        GUARD_TENSORS,
        put("known.bias", value=np.array(np.inf)),
        "known.bias holds",
    ),
    "guard without scores": (
        GUARD_TENSORS,
        put("known.scores", value=np.zeros(0)),
        "known.scores is empty",
    ),
    "golden of another size": (
        GOLDEN,
        put("images", value=np.zeros((1, 8, 8), np.uint8)),
        "images are uint8 (1, 8, 8)",
    ),
    "golden of floats": (
        GOLDEN,
        put("images", value=np.zeros((1, SIZE, SIZE), np.float32)),
        "images are float32",
    ),
    "golden without images": (
        GOLDEN,
        put("images", value=np.zeros((0, SIZE, SIZE), np.uint8)),
        "1 or more",
    ),
    "golden of three classes": (GOLDEN, put("logits", value=np.zeros((1, 3))), "logits are (1, 3)"),
    "golden of two embeddings": (
        GOLDEN,
        put("embedding", value=np.zeros((2, WIDTH))),
        "embedding are (2, 4) for 1 images",
    ),
    "golden of other statistics": (
        GOLDEN,
        put("statistics", value=np.zeros((1, 3))),
        "statistics are (1, 3)",
    ),
    "golden of two p": (GOLDEN, put("p_in_domain", value=np.ones(2)), "p_in_domain are (2,)"),
    "golden in part": (GOLDEN, lambda tensors: tensors.pop("logits"), "holds"),
}


@pytest.mark.parametrize("name", TENSOR_CHANGES)
def test_tensors_that_do_not_fit_are_named_though_their_hash_fits(folder, name):
    file, change, message = TENSOR_CHANGES[name]
    change_tensors(folder, file, change)
    assert message in refusal(folder, file)


@pytest.mark.parametrize("name", [GOLDEN, GUARD_TENSORS])
def test_what_is_no_safetensors_is_refused(folder, name):
    import onnx  # noqa: F401 - teaches numpy bfloat16
    import torch
    from safetensors.torch import save_file as save_torch

    (folder / name).write_bytes(b"\x80\x04K\x01.")  # a pickle of 1
    bundle.write_manifest(folder)
    assert "cannot be read as safetensors" in refusal(folder, name)
    save_torch({"weight": torch.zeros(4, dtype=torch.bfloat16)}, folder / name)
    bundle.write_manifest(folder)
    assert "cannot be read as safetensors" in refusal(folder, name)


@pytest.mark.parametrize("name", [CONFIG, TEMPERATURE, GUARD, POLICY, METRICS, MANIFEST])
def test_what_is_no_json_is_refused(folder, name):
    (folder / name).write_text("{'temperature': 1}")
    if name != MANIFEST:
        bundle.write_manifest(folder)
    assert "breaks the contract" in refusal(folder, name)


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    refusal(tmp_path / "nowhere", MANIFEST)


@pytest.fixture
def trained(phantom_bundle, tmp_path):
    """A copy of a trained bundle, to be spoilt; torch runs it, as it has no graph."""
    copy = shutil.copytree(phantom_bundle, tmp_path / "bundle")
    (copy / contract.GRAPH).unlink(missing_ok=True)
    bundle.write_manifest(copy)
    return copy


def not_a_number(tensors):
    name = next(name for name, value in tensors.items() if value.ndim == 4)
    tensors[name] = tensors[name].copy()
    tensors[name].flat[0] = np.nan


def shifted(key):
    """A change that adds 0.01 to one value of a tensor."""

    def change(tensors):
        tensors[key] = tensors[key].copy()
        tensors[key].flat[0] += 0.01

    return change


def fewer(tensors):
    del tensors[next(iter(tensors))]


TRAINED_CHANGES = {
    "weights hold NaN": (WEIGHTS, not_a_number, WEIGHTS, "not finite"),
    "weights lack a tensor": (WEIGHTS, fewer, WEIGHTS, "does not fit resnet10t"),
    "other weights": (WEIGHTS, shifted("fc.bias"), GOLDEN, "logits differ by 0.01"),
    "other golden logits": (GOLDEN, shifted("logits"), GOLDEN, "logits differ by 0.01"),
    "other golden embedding": (GOLDEN, shifted("embedding"), GOLDEN, "embedding differ by 0.01"),
    "other golden p": (GOLDEN, shifted("p_in_domain"), GOLDEN, "p_in_domain differ by 0.01"),
}


@pytest.mark.parametrize("name", TRAINED_CHANGES)
def test_a_network_that_is_not_of_this_bundle_is_refused_though_all_hashes_fit(trained, name):
    file, change, at_fault, message = TRAINED_CHANGES[name]
    change_tensors(trained, file, change)
    with pytest.raises(BundleError, match=message) as caught:
        GuardedClassifier.from_folder(trained)
    assert caught.value.file == at_fault


@pytest.mark.parametrize("kind", OF_GRAPHS)
@pytest.mark.parametrize("name", TRAINED_CHANGES)
def test_nor_does_an_engine_of_graphs_take_it(tmp_path, name, kind):
    whole = write_untrained(tmp_path / "bundle", graph=4)
    file, change, _, _ = TRAINED_CHANGES[name]
    change_tensors(whole, file, change)
    with pytest.raises(BundleError):
        GuardedClassifier.from_folder(whole, kind)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("architecture", value="resnet18"), "does not fit resnet18"),
        (put("architecture", value="resnet11"), "'resnet11' is not one that timm"),
        (put("architecture", value="hf-hub:owner/name"), "'hf-hub:owner/name' is not one"),
        (put("model_args", "pretrained", value=True), "model_args holds pretrained"),
        (put("model_args", "checkpoint_path", value="x.pth"), "model_args holds checkpoint_path"),
        (put("model_args", "depth", value=3), "timm cannot build resnet10t"),
        (put("model_args", "in_chans", value=-1), "timm cannot build resnet10t"),
    ],
)
def test_a_network_that_cannot_be_built_from_the_bundle_alone_is_refused(trained, change, message):
    change_json(trained, CONFIG, change)
    with pytest.raises(BundleError, match=message):
        GuardedClassifier.from_folder(trained)


def test_swapped_labels_are_noticed_by_the_hash(trained):
    """Nothing else can notice: no other file names a class."""
    tree = json.loads((trained / CONFIG).read_text())
    names = tree["label_names"]
    names[0], names[1] = names[1], names[0]
    size = (trained / CONFIG).stat().st_size
    (trained / CONFIG).write_text(json.dumps(tree, indent=2, ensure_ascii=False) + "\n")
    assert (trained / CONFIG).stat().st_size == size
    assert "was altered" in refusal(trained, CONFIG)


def test_the_card_is_part_of_what_is_pinned(trained):
    (trained / CARD).write_text((trained / CARD).read_text().replace("1", "2", 1))
    assert "was altered" in refusal(trained, CARD)
