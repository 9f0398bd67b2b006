"""`predict` on a trained bundle: verdicts on stdout, everything else on stderr."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub_model.contract import RESEARCH_ONLY, Reason, Verdict
from hub_model.policy import Decision
from scripts.predict import describe
from tests.scripts.command import Command
from training.sources.phantom_files import write_dicom_series, write_raster, write_zip
from training.sources.phantom_heads import make_head


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One slice, a folder with one, and a ZIP of a DICOM series."""
    folder = tmp_path_factory.mktemp("cases")
    head = make_head(900, seed=0)
    (folder / "case").mkdir()
    write_raster(head, head.levels[0], folder / "slice.png")
    write_raster(head, head.levels[0], folder / "case" / "slice.png")
    write_zip(head, folder / "series.zip", n_slices=4)
    return [folder / "slice.png", folder / "case", folder / "series.zip"]


def decision(verdict: Verdict, **changes: object) -> Decision:
    values = {
        "verdict": verdict,
        "finding": None,
        "label": None,
        "probabilities": None,
        "p_in_domain": 0.25,
        "reasons": (Reason.OUT_OF_DOMAIN,),
        "slices": (),
        "thresholds": {"tau_domain": 0.5},
        "revision": "a" * 40,
    }
    return Decision(**{**values, **changes})


def test_an_abstention_says_why_and_names_no_class() -> None:
    text = describe("x.png", decision(Verdict.ABSTAIN_OOD))
    assert text.startswith("x.png: no answer (ABSTAIN_OOD)\n")
    assert "unlike those this model was built on" in text
    assert "p_in_domain 0.250" in text
    assert "a" * 40 in text
    assert text.endswith(RESEARCH_ONLY)


def test_an_accepted_case_says_class_and_probability() -> None:
    said = decision(
        Verdict.ACCEPT, finding="tumor", label="glioma", probabilities={"glioma": 0.9, "none": 0.1}
    )
    assert describe("x", said).startswith("x: glioma, probability 0.900 (ACCEPT)\n")


def test_a_finding_without_a_type_does_not_name_one() -> None:
    said = decision(
        Verdict.ACCEPT_FINDING, finding="tumor", probabilities={"tumor": 0.8, "none": 0.2}
    )
    assert describe("x", said).startswith("x: tumor, type not named, probability 0.800")


def test_each_argument_is_a_case_and_a_line_of_json(
    command: Command, phantom_bundle: Path, files: list[Path]
) -> None:
    result = command("predict", *files, "--model", phantom_bundle, "--json")
    assert result.code == 0
    documents = [json.loads(line) for line in result.out.splitlines()]
    assert [document["input"] for document in documents] == [str(file) for file in files]
    assert [len(document["slices"]) for document in documents] == [1, 1, 4]
    assert documents[0]["verdict"] == documents[1]["verdict"]
    assert documents[0]["notice"] == RESEARCH_ONLY


def test_a_refused_file_is_told_on_stderr_and_the_others_are_answered(
    command: Command, phantom_bundle: Path, files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image at all")
    result = command("predict", tmp_path / "bad.png", files[0], "--model", phantom_bundle, "--json")
    assert result.code == 3
    assert len(result.out.splitlines()) == 1
    assert "bad.png" in result.err
    assert "error: 1 of 2 refused" in result.err


def test_a_tag_is_resolved_and_the_digits_are_shown(
    command: Command, phantom_bundle: Path, files: list[Path], repo: str
) -> None:
    commit = command("publish", phantom_bundle, repo, "--tag", "v1").out.strip()
    result = command("predict", files[0], "--model", f"{repo}@v1")
    assert result.code == 0
    assert f"{repo}@v1 is {commit}" in result.err
    assert f"revision {commit}" in result.out


def test_verify_prints_the_content_hash(command: Command, phantom_bundle: Path) -> None:
    from hub_model import bundle

    result = command("bundle", "verify", phantom_bundle)
    assert (result.code, result.out) == (0, f"{bundle.read(phantom_bundle).content}\n")


def test_of_several_series_one_is_read_by_its_number(
    command: Command, phantom_bundle: Path, tmp_path: Path
) -> None:
    for patient, slices in ((1, 3), (2, 2)):
        write_dicom_series(make_head(patient, seed=0), tmp_path / str(patient), n_slices=slices)
    said = command("predict", "--model", phantom_bundle, tmp_path)
    assert (said.code, said.out) == (3, "")
    assert "[several_series]" in said.err
    assert [line.split(":")[0] for line in said.err.splitlines() if " x " in line] == [
        "  --series 1", "  --series 2",
    ]  # fmt: skip
    assert "2 slices of " in said.err
    said = command("predict", "--model", phantom_bundle, "--series", 2, "--json", tmp_path)
    assert (said.code, len(json.loads(said.out)["slices"])) == (0, 2)
    said = command("predict", "--model", phantom_bundle, "--series", 3, tmp_path)
    assert (said.code, said.out) == (3, "")
    assert "ask for 1 to 2" in said.err


def test_a_series_is_chosen_within_a_case_and_not_among_many(
    command: Command, phantom_bundle: Path, tmp_path: Path
) -> None:
    many = ("--many", tmp_path, "--out", tmp_path / "rows.jsonl")
    said = command("predict", "--model", phantom_bundle, *many, "--series", 1)
    assert said.code == 2
    assert "not --many" in said.err
