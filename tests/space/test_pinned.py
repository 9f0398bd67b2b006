"""The pin stands in one place, and what is pushed runs by itself or not at all."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hub_model import bundle, contract
from hub_model.errors import UsageError
from space import pinned
from tests.loopback_api import LoopbackHub
from tests.space.conftest import REPO, Running, free_port, publish, start

ROOT = Path(pinned.__file__).parent.parent
HEX = "0123456789abcdef0123456789abcdef01234567"
FILES = [*contract.REQUIRED_FILES, contract.MANIFEST, "reports/risk.svg", "hub_model/bundle.py"]


def header(readme: Path) -> dict[str, object]:
    values: dict[str, object] = yaml.safe_load(readme.read_text().split("---\n")[1])
    return values


def test_the_readme_header_and_model_json_name_the_same_revision() -> None:
    (pin,) = pinned.read()
    values = header(pinned.HERE / "README.md")

    assert values["models"] == [pin.repo_id]
    (preload,) = values["preload_from_hub"]  # type: ignore[misc]
    repo_id, files, revision = str(preload).split(" ")
    assert (repo_id, revision) == (pin.repo_id, pin.revision)
    assert {*contract.REQUIRED_FILES, contract.MANIFEST} <= set(files.split(","))


def test_what_the_space_installs_is_what_the_tests_ran_with() -> None:
    constraints = set((ROOT / "constraints.txt").read_text().split())
    requirements = (pinned.HERE / "requirements.txt").read_text().split()

    more = (pinned.HERE / pinned.WITHOUT_GRAPH).read_text().splitlines()[1:]
    assert {*requirements, *more} <= constraints
    assert f"gradio=={header(pinned.HERE / 'README.md')['sdk_version']}" in requirements


def test_the_header_of_a_staged_space_is_rendered_from_its_pin(tmp_path: Path) -> None:
    staged = pinned.stage(tmp_path / "space", "alice/heads", HEX, FILES)

    assert pinned.read(staged / "space") == (pinned.pin("alice/heads", HEX),)
    values = header(staged / "README.md")
    assert values["models"] == ["alice/heads"]
    assert values["preload_from_hub"] == [f"alice/heads {','.join(sorted(FILES))} {HEX}"]
    assert values["app_file"] == "app.py"


def test_several_revisions_are_pinned_and_preloaded_in_their_order(tmp_path: Path) -> None:
    more = pinned.Wanted(pinned.pin("bob/chests", HEX[::-1]), ("config.json",))

    staged = pinned.stage(tmp_path / "space", "alice/heads", HEX, FILES, more)

    assert [pin.repo_id for pin in pinned.read(staged / "space")] == ["alice/heads", "bob/chests"]
    values = header(staged / "README.md")
    assert values["models"] == ["alice/heads", "bob/chests"]
    assert values["preload_from_hub"][1] == f"bob/chests config.json {HEX[::-1]}"  # type: ignore[index]
    again = pinned.render((staged / "README.md").read_text(), [more])
    assert "alice/heads" not in again.split("---\n")[1]


def test_a_staged_space_holds_two_packages_and_nothing_that_was_not_asked_for(
    tmp_path: Path,
) -> None:
    staged = pinned.stage(tmp_path / "space", "alice/heads", HEX, FILES)
    names = bundle.list_files(staged)

    assert {name.split("/")[0] for name in names} == {
        "README.md", "app.py", "hub_model", "requirements.txt", "space",
    }  # fmt: skip
    assert not any("__pycache__" in name or "release/" in name for name in names)
    assert (staged / "app.py").read_bytes() == (pinned.HERE / "app.py").read_bytes()


def test_a_staged_space_imports_only_what_its_requirements_install(tmp_path: Path) -> None:
    staged = pinned.stage(tmp_path / "space", "alice/heads", HEX, FILES)
    requirements = (staged / "requirements.txt").read_text()
    installed = {name.lower() for name in re.findall(r"(?m)^([\w-]+)==", requirements)}
    modules = {"pillow": "pil", "python-gdcm": "gdcm", "pyjpegls": "jpeg_ls"}
    known = {modules.get(name, name.replace("-", "_")) for name in installed} | {
        "httpx2"
    }  # huggingface_hub's
    known |= {"mcp", "mcp_types"}  # of the extra, imported where it is asked for
    known |= {"space", "hub_model"} | set(sys.stdlib_module_names)

    for path in staged.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                found = [str(node.module)]
            for name in found:
                assert name.split(".")[0].lower() in known, f"{path.name} imports {name}"


def test_torch_is_installed_only_where_a_revision_has_no_graph(tmp_path: Path) -> None:
    graphed = (*FILES, contract.GRAPH)
    without = pinned.Wanted(pinned.pin("bob/masks", HEX), FILES)
    for more, expected in (((), set()), ((without,), {"torch", "torchvision", "timm"})):
        staged = pinned.stage(tmp_path / "space", "alice/heads", HEX, graphed, *more)
        lines = (staged / "requirements.txt").read_text().splitlines()
        found = {line.split("==")[0] for line in lines}
        assert "openvino" in found
        assert {"torch", "torchvision", "timm"} & found == expected
        assert not (staged / "space" / pinned.WITHOUT_GRAPH).exists()


def test_staging_again_replaces_what_was_staged(tmp_path: Path) -> None:
    first = pinned.stage(tmp_path / "space", "alice/heads", HEX, FILES)
    (first / "space" / "left_over.py").write_text("")

    second = pinned.stage(tmp_path / "space", "alice/heads", HEX[::-1], FILES)

    assert pinned.read(second / "space")[0].revision == HEX[::-1]
    assert not (second / "space" / "left_over.py").exists()


def test_staging_never_replaces_another_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years")

    with pytest.raises(UsageError, match="is not a staged Space"):
        pinned.stage(tmp_path, "alice/heads", HEX, FILES)
    assert (tmp_path / "thesis.txt").read_text() == "three years"


@pytest.mark.parametrize("revision", ["main", "v1.0", HEX[:7], HEX.upper(), HEX + "0", f"{HEX}\n"])
def test_a_revision_that_could_move_is_refused(tmp_path: Path, revision: str) -> None:
    with pytest.raises(UsageError, match="expected 40 lower-case hex digits"):
        pinned.stage(tmp_path / "space", "alice/heads", revision, FILES)
    assert not (tmp_path / "space").exists()


@pytest.mark.parametrize("repo_id", ["heads", "alice/heads/more", "../heads", "alice/heads x"])
def test_a_repository_that_is_no_name_is_refused(tmp_path: Path, repo_id: str) -> None:
    with pytest.raises(UsageError, match="expected owner/name"):
        pinned.stage(tmp_path / "space", repo_id, HEX, FILES)


@pytest.mark.parametrize("name", ["a b.json", "a,b.json", "../config.json\n", "x\n---\n"])
def test_a_file_name_that_would_break_the_header_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot stand in preload_from_hub"):
        pinned.stage(tmp_path / "space", "alice/heads", HEX, [name])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "expected an object"),
        (json.dumps({"repo_id": "alice/heads"}), "revision"),
        (json.dumps({"repo_id": "alice/heads", "revision": HEX, "tag": "v1"}), "tag"),
        (json.dumps({"repo_id": "alice/heads", "revision": "main"}), "40 lower-case hex"),
        (json.dumps([]), "0 pins of 0 repositories"),
        (json.dumps([{"repo_id": "alice/heads", "revision": HEX}] * 2), "2 pins of 1 repositories"),
        (json.dumps(["alice/heads"]), "expected an object"),
    ],
)
def test_a_model_json_with_anything_else_in_it_is_refused(
    tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "model.json").write_text(text)

    with pytest.raises(UsageError, match=complaint):
        pinned.read(tmp_path)


def test_a_missing_model_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"model\.json is missing"):
        pinned.read(tmp_path)


def test_a_readme_without_the_two_keys_is_refused() -> None:
    wanted = pinned.Wanted(pinned.pin("alice/heads", HEX), tuple(FILES))
    with pytest.raises(UsageError, match="must have models: with a list, has 0"):
        pinned.render("---\nsdk: gradio\n---\n", [wanted])


def run_until_it_ends(folder: Path) -> tuple[int, str]:
    process = start(folder, free_port(), subprocess.PIPE)
    try:
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, output.decode()


@pytest.mark.slow
def test_a_space_does_not_start_without_its_revision(hub: LoopbackHub, tmp_path: Path) -> None:
    staged = pinned.stage(tmp_path / "space", "alice/not-there", HEX, FILES)

    code, output = run_until_it_ends(staged)

    assert code == 4
    assert output.startswith("not started: ")
    assert "alice/not-there" in output
    assert "Traceback" not in output


def test_a_space_does_not_start_on_an_altered_file(
    running: Running, phantom_bundle: Path, tmp_path: Path
) -> None:
    altered = shutil.copytree(phantom_bundle, tmp_path / "bundle")
    (altered / contract.CARD).write_text("---\nlicense: apache-2.0\n---\nAnother revision.\n")
    bundle.write_manifest(altered)
    revision = publish(altered)
    staged = pinned.stage(tmp_path / "space", REPO, revision, FILES)
    folder = Path(sys.modules["hub_model.hub"].download(REPO, revision))
    policy = (folder / contract.POLICY).resolve()
    policy.write_text(policy.read_text().replace("0.", "0.0", 1))

    code, output = run_until_it_ends(staged)

    assert code == 4
    assert output.startswith(f"not started: {contract.POLICY}: ")
