"""A bundle of the older form answers as the old code did, or is refused by its file's name."""

from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torchvision import transforms

from hub_model import GuardedClassifier, contract
from hub_model.contract import Verdict
from hub_model.errors import BundleError, UsageError
from hub_model.reading import read_bytes
from training.bundle.convert import convert
from training.bundle.older_form import (
    FILES,
    GUARD,
    POLICY,
    TEMPERATURE,
    WEIGHTS,
    ConversionError,
    label_order,
)
from training.sources.phantom import phantom_records

ORDER = ("pituitary", "notumor", "glioma", "meningioma")  # not alphabetical, as it must not matter
T = 1.37
WIDTH = 512


@pytest.fixture(scope="module")
def network():
    """torchvision's own ResNet18, in float32, as the older code trained it."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18(num_classes=len(ORDER))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
        model.fc.weight.mul_(5)  # sure enough to be answered
    return model.eval()


@pytest.fixture(scope="module")
def guard():
    rng = np.random.default_rng(1)
    return {"coef": rng.normal(0, 0.01, (1, WIDTH)), "intercept": np.array([0.3])}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, network, guard):
    """The four files; tests work on copies."""
    folder: Path = tmp_path_factory.mktemp("older")
    save_weights(folder, network.state_dict())
    write_json(folder / TEMPERATURE, {"temperature": T, "method": "nll"})
    write_json(folder / POLICY, {"tau_conf": 0.6, "tau_domain": 0.2, "temperature_T": 1.3704})
    np.savez(folder / GUARD, **guard)
    return folder


@pytest.fixture
def old(tmp_path, whole):
    """A copy whose files may be replaced, never written into: they are links."""
    folder: Path = tmp_path / "old"
    folder.mkdir()
    for name in FILES:
        os.link(whole / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def converted(tmp_path_factory, whole):
    return convert(whole, tmp_path_factory.mktemp("converted") / "deep" / "bundle")


@pytest.fixture(scope="module")
def classifier(converted):
    return GuardedClassifier.from_folder(converted)


@pytest.fixture(scope="module")
def pictures():
    """Drawn heads, cut so that they are not square, as PNG files."""
    files = []
    for record in list(phantom_records(3, seed=5))[::6]:
        image = Image.open(io.BytesIO(record.image))
        file = io.BytesIO()
        image.crop((10, 0, image.width - 30, image.height)).save(file, "PNG")
        files.append(file.getvalue())
    return files


def save_weights(folder: Path, state: dict[str, Any], **changes: Any) -> None:
    content = {
        "model_state_dict": state,
        "label_map": {name: index for index, name in enumerate(ORDER)},
        "num_classes": len(ORDER),
    } | changes
    replace(folder / WEIGHTS)
    torch.save(content, folder / WEIGHTS)


def write_json(path: Path, value: Any) -> None:
    replace(path)
    path.write_text(json.dumps(value))


def replace(path: Path) -> None:
    path.unlink(missing_ok=True)


def old_way(network: torch.nn.Module, data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and embedding as the older code made them, from weights rounded to fp16."""
    model = torchvision.models.resnet18(num_classes=len(ORDER))
    rounded = {
        name: value.half().float() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    model.load_state_dict(rounded)
    prepare = transforms.Compose(
        [
            transforms.Resize((224, 224)),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    batch = prepare(Image.open(io.BytesIO(data)).convert("RGB"))[None]
    body = torch.nn.Sequential(*list(model.eval().children())[:-1])
    with torch.inference_mode():
        probabilities = torch.softmax(model(batch) / T, dim=1)[0].numpy()
        embedding = body(batch).flatten().numpy()
    return probabilities, embedding


def test_probabilities_are_those_of_the_old_way(classifier, network, pictures):
    for data in pictures:
        expected, _ = old_way(network, data)
        found = classifier.evidence(read_bytes(data)).probabilities[0]
        np.testing.assert_allclose(found, expected, atol=1e-4)
        assert expected.max() > 0.4  # far from uniform, so that a wrong order would show


def test_p_in_domain_is_the_logistic_models_output(classifier, network, guard, pictures):
    for data in pictures:
        _, embedding = old_way(network, data)
        log_odds = guard["coef"][0] @ embedding + guard["intercept"][0]
        found = classifier.evidence(read_bytes(data)).case_p_in_domain
        assert found == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1e-4)


def test_the_label_is_the_one_at_the_old_index(classifier, network, pictures):
    assert classifier.label_names == ORDER
    for data in pictures:
        expected, _ = old_way(network, data)
        decision = classifier.predict(read_bytes(data))
        assert decision.verdict is Verdict.ACCEPT
        assert decision.label == ORDER[int(expected.argmax())]


def test_numbers_are_carried_over(classifier):
    limits = classifier.bundle.policy.thresholds
    assert (limits.tau_conf, limits.tau_finding, limits.tau_none) == (0.6, 0.6, 0.6)
    assert limits.tau_domain == 0.2
    assert limits.min_valid_slices == 1
    assert classifier.bundle.temperature.temperature == T
    assert classifier.bundle.config.neuroguard.finding.none_labels == ("notumor",)


def test_nothing_measured_is_claimed(classifier, converted):
    assert classifier.bundle.metrics.figures == {}
    assert classifier.bundle.policy.promises == ()
    card = (converted / contract.CARD).read_text()
    assert "not measured" in card
    assert "model-index" not in card
    assert not (converted / contract.REPORTS).exists()


def test_the_bundle_names_the_bytes_it_was_made_of(classifier, whole):
    from hub_model.bundle import sha256

    recipe = classifier.bundle.environment.recipe
    assert recipe["converted_from"] == {name: sha256(whole / name) for name in FILES}
    assert recipe["notes"][TEMPERATURE] == {"method": "nll"}


@pytest.mark.parametrize(
    "label_map",
    [
        {"b": 1, "a": 0, "c": 2},
        {"b": "1", "a": "0", "c": "2"},
        {2: "c", 0: "a", 1: "b"},
        {"2": "c", "0": "a", "1": "b"},
    ],
)
def test_both_directions_and_both_kinds_of_key_give_one_order(label_map):
    assert label_order(label_map) == ("a", "b", "c")


@pytest.mark.parametrize(
    "label_map",
    [
        {"a": 0, "b": 2},
        {"a": 1, "b": 2},
        {"a": 0, "b": 0},
        {0: "a", "0": "b"},
        {0: "a", 1: "a"},
        {0: "a", 1: ""},
        {"0": "1", "1": "0"},
        {"a": "b", "c": "d"},
        {"a": 0, "b": True},
        {"a": 0, "b": -1},
        {"a": 0},
        {},
    ],
)
def test_what_is_no_permutation_is_refused(label_map):
    with pytest.raises(ConversionError, match=WEIGHTS):
        label_order(label_map)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(old, tmp_path, name):
    (old / name).unlink()
    refused(old, tmp_path, name, "is missing")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"{", b"\x80\x04garbage", b"PK\x03\x04garbage"])
def test_a_broken_file_is_refused_by_name(old, tmp_path, name, content):
    replace(old / name)
    (old / name).write_bytes(content)
    refused(old, tmp_path, name, "cannot be read")


def test_a_truncated_weights_file_is_refused(old, tmp_path):
    content = (old / WEIGHTS).read_bytes()
    replace(old / WEIGHTS)
    (old / WEIGHTS).write_bytes(content[: len(content) // 2])
    refused(old, tmp_path, WEIGHTS, "cannot be read")


class Evil:
    """Unpickled by an unguarded loader, it would leave a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


def test_code_inside_the_weights_is_never_run(old, tmp_path):
    trace = tmp_path / "trace"
    replace(old / WEIGHTS)
    torch.save({"model_state_dict": Evil(trace), "label_map": {}}, old / WEIGHTS)
    refused(old, tmp_path, WEIGHTS, "cannot be read")
    assert not trace.exists()


def test_code_inside_the_guard_is_never_run(old, tmp_path):
    trace = tmp_path / "trace"
    replace(old / GUARD)
    with (old / GUARD).open("wb") as file:
        np.savez(file, coef=np.array([Evil(trace)], object), intercept=np.zeros(1))
    refused(old, tmp_path, GUARD, "cannot be read")
    replace(old / GUARD)
    (old / GUARD).write_bytes(pickle.dumps(Evil(trace)))
    refused(old, tmp_path, GUARD, "cannot be read")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (TEMPERATURE, {"temperature": T + 0.01}, r"temperature_T in final_policy.* is 1\.37"),
        (TEMPERATURE, {"temperature": 0}, "temperature is 0"),
        (TEMPERATURE, {"temperature": -T}, "temperature is -1"),
        (TEMPERATURE, {"temperature": float("nan")}, "holds NaN"),
        (TEMPERATURE, {"temperature": float("inf")}, "holds Infinity"),
        (TEMPERATURE, {"temperature": "1.37"}, "expected a finite number"),
        (TEMPERATURE, {"temperature": True}, "expected a finite number"),
        (TEMPERATURE, {"T": T}, "has no 'temperature'"),
        (POLICY, {"tau_conf": 0.6, "tau_domain": 0.2}, "has no 'temperature_T'"),
        (POLICY, {"tau_conf": 1.6, "tau_domain": 0.2, "temperature_T": T}, "tau_conf is 1.6"),
        (POLICY, {"tau_conf": 0.6, "tau_domain": -1, "temperature_T": T}, "tau_domain is -1"),
        (
            POLICY,
            {"tau_conf": 0.6, "tau_domain": 0.2, "temperature_T": T, "tau_energy": 3},
            "tau_energy is 3",
        ),
        (POLICY, [0.6, 0.2, T], "holds a list"),
    ],
)
def test_a_number_that_cannot_be_believed_is_refused_by_file(old, tmp_path, name, changes, message):
    write_json(old / name, changes)
    refused(old, tmp_path, name, message)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"coef": np.zeros((1, 511)), "intercept": np.zeros(1)}, r"coef is \(1, 511\)"),
        ({"coef": np.zeros((2, WIDTH)), "intercept": np.zeros(2)}, r"coef is \(2, 512\)"),
        ({"w": np.zeros(WIDTH), "b": np.zeros(3)}, r"b \(3,\)"),
        ({"coef": np.zeros((1, WIDTH))}, "expected coef and intercept"),
        ({"coef": np.zeros((1, WIDTH)), "b": np.zeros(1)}, "expected coef and intercept"),
        (
            {"w": np.zeros(WIDTH), "b": np.zeros(1), "mean": np.zeros(WIDTH)},
            "another array would change",
        ),
        ({"w": np.full(WIDTH, np.nan), "b": np.zeros(1)}, "w holds a value"),
        ({"w": np.full(WIDTH, 1e300), "b": np.zeros(1)}, "w holds a value"),
        ({"w": np.zeros(WIDTH), "b": np.array([np.inf])}, "b holds a value"),
        ({"w": np.zeros(WIDTH, complex), "b": np.zeros(1)}, "w holds a value"),
        ({"w": np.array(["x"] * WIDTH), "b": np.zeros(1)}, "w holds a value"),
    ],
)
def test_a_guard_of_another_form_is_refused(old, tmp_path, arrays, message):
    replace(old / GUARD)
    np.savez(old / GUARD, **arrays)
    refused(old, tmp_path, GUARD, message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_map": {"a": 0, "notumor": 2, "b": 1, "c": 4}}, "indices"),
        ({"num_classes": 5}, "num_classes is 5"),
        ({"label_map": {"notumor": 0, "a": 1, "b": 2}, "num_classes": 3}, r"first fc\.bias"),
        ({"label_map": {"a": 0, "b": 1, "c": 2, "d": 3}}, "none of them deny.*--none-label"),
        ({"label_map": {"no": 0, "normal": 1, "none": 2, "No Tumor": 3}}, "all of them deny"),
        ({"model_state_dict": [1, 2]}, "expected the dicts"),
        ({"model_state_dict": {"fc.bias": 1.0}}, "not a tensor"),
        ({"model_state_dict": {}}, "62 tensors|122 tensors"),
    ],
)
def test_weights_of_another_form_are_refused(old, tmp_path, network, changes, message):
    save_weights(old, network.state_dict(), **changes)
    refused(old, tmp_path, WEIGHTS, message)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_a_weight_that_fp16_cannot_hold_is_refused(old, tmp_path, network, value):
    state = {**network.state_dict(), "fc.bias": torch.full((len(ORDER),), value)}
    save_weights(old, state)
    refused(old, tmp_path, WEIGHTS, "fc.bias holds a value")


def test_prefixed_weights_and_the_other_spelling_of_the_guard_are_the_same_bundle(
    old, tmp_path, network, guard, converted
):
    save_weights(old, {f"module.{name}": value for name, value in network.state_dict().items()})
    replace(old / GUARD)
    np.savez(old / GUARD, w=guard["coef"][0], b=guard["intercept"])
    again = convert(old, tmp_path / "again")
    for name in (contract.WEIGHTS, contract.GUARD_TENSORS, contract.CONFIG, contract.GOLDEN):
        assert (again / name).read_bytes() == (converted / name).read_bytes(), name


def test_a_named_none_label_is_taken_where_none_says_so_by_itself(old, tmp_path, network):
    names = ("a", "b", "c", "d")
    save_weights(old, network.state_dict(), label_map=dict(enumerate(names)))
    bundle = convert(old, tmp_path / "new", none_labels=["c"])
    config = json.loads((bundle / contract.CONFIG).read_text())
    assert config["neuroguard"]["finding"]["none_labels"] == ["c"]
    with pytest.raises(UsageError, match="'e' is not a label"):
        convert(old, tmp_path / "other", none_labels=["e"])


def test_a_target_that_is_taken_is_left_alone(old, tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        convert(old, taken)
    assert [path.name for path in taken.iterdir()] == ["mine.txt"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the point is that they are not finite
def test_nothing_is_left_when_the_finished_bundle_does_not_verify(old, tmp_path, network):
    state = dict(network.state_dict())
    for name, value in state.items():
        if "bn" in name and name.endswith("weight"):
            state[name] = torch.full_like(value, 6e4)  # finite in fp16, and float32 overflows
    save_weights(old, state)
    with pytest.raises(BundleError, match=contract.GOLDEN):
        convert(old, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def refused(old: Path, tmp_path: Path, name: str, message: str) -> None:
    """The conversion ends with that file's name and those words, and leaves nothing behind."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConversionError, match=f"(?s)^{name}: .*{message}") as caught:
        convert(old, tmp_path / "new")
    assert caught.value.file == name
    assert caught.value.exit_code == 4
    assert sorted(tmp_path.rglob("*")) == before
