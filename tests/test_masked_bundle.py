"""A bundle with a decoder is whole or refused, and shows masks of accepted findings alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from hub_model import GuardedClassifier, bundle, calibration, contract, engine
from hub_model.case import Case
from hub_model.contract import CONFIG, DECODER_WEIGHTS, GOLDEN, Reason, Verdict
from hub_model.errors import BundleError
from hub_model.volumes import clean
from tests import masked_bundle
from tests.bundle_files import change_json, change_tensors
from training import preparing
from training.sources.phantom import phantom_records


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return masked_bundle.write(tmp_path_factory.mktemp("masked"))


@pytest.fixture
def folder(whole, tmp_path):
    """A copy to be broken."""
    return shutil.copytree(whole, tmp_path / "bundle")


@pytest.fixture(scope="module")
def case():
    records = list(phantom_records(n_patients=3, seed=9))[:6]
    return Case(tuple(preparing.slice_of(record.image) for record in records))


@pytest.fixture
def classifier(whole):
    return GuardedClassifier.from_folder(whole)


def refusal(folder, name):
    with pytest.raises(BundleError) as caught:
        GuardedClassifier.from_folder(folder)
    assert caught.value.file == name
    return str(caught.value)


def with_thresholds(classifier, **thresholds):
    """The same classifier under another policy."""
    found = classifier.bundle.policy
    limits = found.thresholds.model_copy(update=thresholds)
    object.__setattr__(classifier.bundle, "policy", found.model_copy(update={"thresholds": limits}))
    return classifier


def lean(classifier, label):
    """The same classifier, its last layer saying one class whatever it sees."""
    layer = classifier._engine.network.get_submodule("backbone.fc")
    layer.weight.zero_()
    layer.bias.zero_()
    layer.bias[classifier.label_names.index(label)] = 5
    return classifier


def test_a_decoder_travels_in_a_file_of_its_own_beside_timm_s(whole):
    read = bundle.read(whole)
    assert read.config.neuroguard.masks == masked_bundle.MASKS
    assert read.golden["masks"].shape == read.golden["images"].shape
    assert not [name for name in load_file(whole / contract.WEIGHTS) if "unet" in name]
    tensors = load_file(whole / DECODER_WEIGHTS)
    assert {tensor.dtype for name, tensor in tensors.items() if "num_batches" not in name} == {
        np.dtype(np.float16)
    }


def test_without_a_decoder_no_file_says_a_word_of_one(tmp_path, case):
    folder = masked_bundle.write(tmp_path, decoder=False)
    assert not (folder / DECODER_WEIGHTS).exists()
    assert not {"decoder", "masks"} & json.loads((folder / CONFIG).read_text())["neuroguard"].keys()
    assert "masks" not in load_file(folder / GOLDEN)
    found = lean(GuardedClassifier.from_folder(folder), "glioma").explain(case)
    assert found.decision.finding == "tumor"
    assert found.masks == ()


def test_weights_of_a_decoder_are_required_where_one_is_named(folder):
    (folder / DECODER_WEIGHTS).unlink()
    assert "is missing" in refusal(folder, DECODER_WEIGHTS)
    bundle.write_manifest(folder)
    assert "names a decoder" in refusal(folder, DECODER_WEIGHTS)


def test_weights_of_a_decoder_that_nothing_names_are_refused(folder):
    def drop(tree):
        del tree["neuroguard"]["decoder"], tree["neuroguard"]["masks"]

    change_json(folder, CONFIG, drop)
    assert "names no decoder" in refusal(folder, DECODER_WEIGHTS)


def test_a_decoder_whose_masks_nobody_can_read_is_refused(folder):
    change_json(folder, CONFIG, lambda tree: tree["neuroguard"].pop("masks"))
    assert "no masks" in refusal(folder, CONFIG)


def test_masks_without_a_decoder_are_refused(folder):
    change_json(folder, CONFIG, lambda tree: tree["neuroguard"].pop("decoder"))
    assert "masks is there and decoder is not" in refusal(folder, CONFIG)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("head.weight"), "does not fit the decoder of resnet10t"),
        (lambda t: t.update(more=np.zeros(1, np.float16)), "does not fit the decoder"),
        (lambda t: t["head.bias"].fill(np.nan), "not finite"),
    ],
)
def test_weights_that_do_not_fit_the_decoder_are_named(folder, change, message):
    change_tensors(folder, DECODER_WEIGHTS, change)
    assert message in refusal(folder, DECODER_WEIGHTS)


def test_a_number_of_channels_that_does_not_fit_is_refused(folder):
    change_json(folder, CONFIG, lambda tree: tree["neuroguard"]["decoder"].update(channels=[4, 4]))
    assert "the backbone has 5 stages" in refusal(folder, CONFIG)


def test_one_altered_byte_of_the_decoder_is_noticed(folder):
    data = bytearray((folder / DECODER_WEIGHTS).read_bytes())
    data[-1] ^= 1
    (folder / DECODER_WEIGHTS).write_bytes(data)
    assert "was altered" in refusal(folder, DECODER_WEIGHTS)


def test_another_decoder_is_noticed_by_the_golden_masks_though_all_hashes_fit(folder):
    change_tensors(folder, DECODER_WEIGHTS, lambda t: t["head.bias"].__iadd__(np.float16(1)))
    assert "masks differ" in refusal(folder, GOLDEN)


def test_golden_masks_are_required(folder):
    change_tensors(folder, GOLDEN, lambda tensors: tensors.pop("masks"))
    assert "'masks': 3" in refusal(folder, GOLDEN)


@pytest.mark.parametrize("tau_conf", [0.0, 1.0])  # ACCEPT, ACCEPT_FINDING
def test_an_accepted_finding_has_calibrated_masks_of_the_decoder(classifier, case, tau_conf):
    found = with_thresholds(lean(classifier, "glioma"), tau_conf=tau_conf).explain(case)
    assert found.decision.finding == "tumor"
    assert (found.decision.label is None) == bool(tau_conf)
    assert [one.index for one in found.masks] == list(range(len(case.slices)))
    by_hand = engine.run(
        classifier._engine, np.stack(found.images), maps=False, masks=engine.every
    ).masks.logits
    for one in found.masks:
        expected = calibration.mask_probabilities(by_hand[one.index], 2.0)
        assert np.allclose(one.probability, expected, atol=1e-5)
        assert one.probability.shape == (masked_bundle.SIZE, masked_bundle.SIZE)


@pytest.mark.parametrize(
    "thresholds", [{"tau_domain": 1.0}, {"tau_finding": 1.0}, {"min_valid_slices": 7}]
)
def test_an_abstention_has_no_mask(classifier, case, thresholds):
    found = with_thresholds(lean(classifier, "glioma"), **thresholds).explain(case)
    assert not found.decision.verdict.accepted
    assert found.masks == ()
    assert found.maps == ()


def test_none_has_no_mask_and_its_decoder_is_not_run(classifier, case):
    runs = []
    classifier._engine.decoder.register_forward_hook(lambda *given: runs.append(given))
    found = lean(classifier, "notumor").explain(case)
    assert found.decision.finding == "none"
    assert found.masks == ()
    assert not runs


def with_masks(classifier, **numbers):
    """The same, its masks read in another way."""
    ours = classifier.bundle.config.neuroguard
    changed = ours.model_copy(update={"masks": ours.masks.model_copy(update=numbers)})
    config = classifier.bundle.config.model_copy(update={"neuroguard": changed})
    classifier.bundle = replace(classifier.bundle, config=config)
    return classifier


def test_a_verdict_is_the_same_with_and_without_its_pictures(classifier, case):
    leaning = lean(classifier, "glioma")
    assert leaning.predict(case) == leaning.explain(case).decision


def test_a_finding_that_is_outlined_nowhere_is_taken_back(classifier, case):
    strict = with_masks(lean(classifier, "glioma"), smallest_object=masked_bundle.SIZE**2 + 1)
    found = strict.explain(case)
    assert found.decision.verdict is Verdict.ABSTAIN_DISAGREEMENT
    assert found.decision.reasons == (Reason.MASK_DISAGREES,)
    assert found.decision.label is None
    assert (found.masks, found.maps) == ((), ())
    assert strict.predict(case) == found.decision


def test_a_mask_is_the_cleaned_probability(classifier, case):
    found = with_masks(lean(classifier, "glioma"), threshold=0.5, smallest_object=9)
    spec = found.bundle.config.neuroguard.masks
    for one in found.explain(case).masks:
        assert np.array_equal(one.mask, clean(one.probability[None], spec)[0])
        assert one.mask.any()
