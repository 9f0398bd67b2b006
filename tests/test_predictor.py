"""A trained revision answers new patients, refuses strangers, and is the same from everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from hub_model import GuardedClassifier, contract, read_case
from hub_model.case import Case, Slice
from hub_model.contract import Verdict
from hub_model.errors import BundleError
from hub_model.hub import download, publish
from hub_model.policy import decide
from hub_model.preprocess import normalise
from hub_model.reading import read_bytes
from training import inputs, preparing
from training.sources.phantom import draw
from training.sources.phantom_files import write_dicom_series, write_nifti, write_raster, write_zip
from training.sources.phantom_heads import make_head
from training.sources.phantom_strangers import KINDS, strangers
from training.sources.phantom_texture import as_png

SEED = 4321  # of patients and strangers that no training has drawn
SLICES = 4  # of a volume
BLANK = Case((Slice(np.zeros((100, 100), np.uint8), "raster"),))
CLOSED = "http://127.0.0.1:9"  # the discard port: nothing listens there


@pytest.fixture(scope="module")
def classifier(phantom_bundle):
    return GuardedClassifier.from_folder(phantom_bundle)


def one_slice(index):
    """A patient's label and the case of one slice that cuts the mass."""
    head = make_head(index, SEED)
    return head.label, read_bytes(as_png(draw(head, head.levels[1]).pixels.astype(np.uint8)))


@pytest.fixture(scope="module")
def patients():
    """40 patients, ten of each class."""
    return [one_slice(index) for index in range(40)]


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volume")
    write_dicom_series(make_head(0, SEED), folder, n_slices=SLICES)
    return read_case(folder)


def told(decision):
    """What a decision says, without who says it."""
    values = decision.to_dict()
    del values["revision"]
    return values


def test_new_patients_are_mostly_answered_and_mostly_right(classifier, patients):
    found = classifier.predict_many([case for _, case in patients])
    answered = [
        (truth, one)
        for (truth, _), one in zip(patients, found, strict=True)
        if one.verdict.accepted
    ]
    findings = [
        one.finding == ("none" if truth == "notumor" else "tumor") for truth, one in answered
    ]
    types = [one.label == truth for truth, one in answered if one.label]
    by_class = Counter(truth for truth, _ in answered)
    assert len(answered) >= 0.75 * len(patients)
    assert min(by_class[name] for name in classifier.label_names) >= 5  # of ten
    assert np.mean(findings) >= 0.9
    assert np.mean(types) >= 0.9


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_strangers_are_hardly_ever_answered(classifier, kind):
    cases = [read_bytes(record.image) for record in strangers(kind, 20, SEED)]
    verdicts = Counter(one.verdict for one in classifier.predict_many(cases))
    assert sum(n for verdict, n in verdicts.items() if verdict.accepted) <= 1
    assert verdicts[Verdict.ABSTAIN_OOD] + verdicts[Verdict.ABSTAIN_QUALITY] >= 17


def test_the_verdict_is_the_policy_s_on_the_evidence(classifier, patients, volume):
    cases = [*(case for _, case in patients[:4]), volume, BLANK]
    for case in cases:
        by_hand = decide(classifier.evidence(case), classifier.bundle.policy, classifier.revision)
        assert classifier.predict(case).to_dict() == by_hand.to_dict()


def test_many_cases_at_once_are_each_judged_as_if_alone(classifier, patients, volume):
    mixed = Case((*BLANK.slices, *volume.slices, *BLANK.slices))
    cases = [BLANK, *(case for _, case in patients[:5]), mixed, BLANK, volume]
    together = classifier.evidence_many(cases)
    alone = [classifier.evidence(case) for case in cases]
    for one, other in zip(together, alone, strict=True):
        assert one.slice_reasons == other.slice_reasons
        assert one.logits.shape == other.logits.shape
        assert np.allclose(one.logits, other.logits, atol=1e-4)
        assert np.allclose(one.p_in_domain, other.p_in_domain, atol=0.02)
    verdicts = [classifier.predict(case).verdict for case in cases]
    assert [one.verdict for one in classifier.predict_many(cases)] == verdicts
    assert classifier.predict_many([]) == []


def test_maps_are_shown_of_an_accepted_type_and_of_nothing_else(classifier, patients, volume):
    cases = [case for _, case in patients] + [volume, BLANK]
    decisions = classifier.predict_many(cases)
    size = classifier.bundle.config.neuroguard.preprocess.size
    seen_verdicts = {}
    for case, decision in zip(cases, decisions, strict=True):
        if decision.verdict in seen_verdicts:
            continue
        found = seen_verdicts[decision.verdict] = classifier.explain(case)
        assert found.decision.to_dict() == classifier.predict(case).to_dict()
        assert len(found.images) == len(case.slices)
        if decision.verdict is not Verdict.ACCEPT:
            assert found.maps == ()
            continue
        assert [one.index for one in found.maps] == [r.index for r in decision.slices if r.valid]
        assert found.maps[0].activation.shape == (size, size)
    assert len(seen_verdicts) >= 2


def test_reading_a_file_needs_no_torch(tmp_path):
    write_raster(make_head(0, SEED), 0.0, tmp_path / "slice.png")
    code = (
        "import sys, hub_model\n"
        f"case = hub_model.read_case({str(tmp_path / 'slice.png')!r})\n"
        "print(len(case.slices), *({'torch', 'timm', 'sklearn', 'gradio'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]


# Training and serving


@pytest.fixture(scope="module", params=["png", "jpg", "dicom", "series", "nifti", "zip"])
def upload(request, tmp_path_factory):
    """What a user sends, and the files of it that training would take as rows."""
    folder = tmp_path_factory.mktemp(request.param)
    head, sent = make_head(2, SEED), folder / "upload"
    if request.param in ("png", "jpg"):
        sent = folder / f"slice.{request.param}"
        write_raster(head, 0.1, sent)
    elif request.param in ("dicom", "series"):
        files = write_dicom_series(head, folder / "series", n_slices=SLICES)
        if request.param == "series":
            return folder / "series", files
        sent = files[1]
    elif request.param == "zip":
        write_zip(head, sent, n_slices=SLICES)
    else:
        sent = folder / "volume.nii.gz"
        write_nifti(head, sent, n_slices=SLICES)
    return sent, [sent]


def test_training_and_serving_prepare_the_same_bytes(classifier, upload, tmp_path):
    sent, files = upload
    shown = classifier.explain(read_case(sent)).images
    spec = classifier.bundle.config.neuroguard.preprocess
    rows = [
        {"image": file.read_bytes(), "label": 0, "finding": None, "group": "g"} for file in files
    ]
    preparing.write(tmp_path, "rows", rows, len(rows), spec, classifier.bundle.policy.quality)
    learnt = inputs.read(tmp_path, "rows").images
    assert len(shown) in (1, SLICES)
    assert learnt.tobytes() == np.array(shown[: len(files)]).tobytes()
    assert learnt.any()


def test_one_head_looks_the_same_in_every_kind_of_volume(classifier, tmp_path):
    head = make_head(2, SEED)
    write_dicom_series(head, tmp_path / "series", n_slices=SLICES)
    write_zip(head, tmp_path / "a.zip", n_slices=SLICES)
    write_nifti(head, tmp_path / "a.nii.gz", n_slices=SLICES)
    series, packed, volume = (
        np.array(classifier.explain(read_case(tmp_path / name)).images, int)
        for name in ("series", "a.zip", "a.nii.gz")
    )
    assert np.array_equal(packed, series)
    assert np.abs(volume - series).max() <= 2


# From the Hub


@pytest.fixture(scope="module")
def published(phantom_bundle, hub):
    """Repository and commit of the trained bundle on the loopback Hub."""
    return "alice/predictor", publish(phantom_bundle, "alice/predictor", tag="v1")


def test_a_revision_from_the_hub_says_what_the_folder_says(classifier, published, patients, volume):
    repo_id, commit = published
    fetched = GuardedClassifier.from_pretrained(repo_id, commit)
    assert fetched.revision == commit
    for case in (*(case for _, case in patients[:6]), volume, BLANK):
        decision = fetched.predict(case)
        assert told(decision) == told(classifier.predict(case))
        assert decision.revision == commit
    assert GuardedClassifier.from_pretrained(repo_id, "v1").revision == commit


def test_timm_loads_the_same_network_from_the_same_revision(classifier, published, patients):
    import timm
    import torch

    repo_id, commit = published
    network = timm.create_model(f"hf-hub:{repo_id}@{commit}", pretrained=True).eval()
    pieces = [case for _, case in patients[:8]]
    shown = np.array([classifier.explain(case).images[0] for case in pieces])
    spec = classifier.bundle.config.neuroguard.preprocess
    with torch.inference_mode():
        found = network(torch.from_numpy(normalise(shown, spec))).numpy()
    ours = np.concatenate([classifier.evidence(case).logits for case in pieces])
    assert np.abs(found - ours).max() <= 1e-5 * max(1, np.abs(ours).max())
    assert network.pretrained_cfg["label_names"] == list(classifier.label_names)


@pytest.mark.parametrize("name", [contract.WEIGHTS, contract.POLICY, contract.CONFIG])
def test_a_cached_file_that_was_altered_is_refused_by_name(phantom_bundle, name):
    repo = f"alice/altered-{name.partition('.')[0]}"
    commit = publish(phantom_bundle, repo)
    blob = (download(repo, commit) / name).resolve()
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(data)
    with pytest.raises(BundleError, match="was altered") as caught:
        GuardedClassifier.from_pretrained(repo, commit)
    assert caught.value.file == name


_PREDICT = """
import json, sys
from hub_model import GuardedClassifier, read_case
repo, commit, path = sys.argv[1:]
decision = GuardedClassifier.from_pretrained(repo, commit).predict(read_case(path))
print(json.dumps(decision.to_dict()))
"""


def test_a_cached_revision_answers_without_a_hub(classifier, published, tmp_path):
    repo_id, commit = published
    path = tmp_path / "slice.png"
    head = make_head(1, SEED)
    write_raster(head, head.levels[1], path)
    wanted = GuardedClassifier.from_pretrained(repo_id, commit).predict(read_case(path))
    command = [sys.executable, "-c", _PREDICT, repo_id, commit, str(path)]
    env = os.environ | {"HF_ENDPOINT": CLOSED, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["revision"] == commit
    assert found["verdict"] == wanted.verdict.value
    assert found["label"] == wanted.label
    assert found["p_in_domain"] == pytest.approx(wanted.p_in_domain, abs=0.02)
