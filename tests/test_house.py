"""The rules of the house that no other test sees: imports, sizes, pickles, tokens, pins."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "hub_model": set(),
    "training": {"hub_model"},
    "space": {"hub_model"},
    "scripts": {"hub_model", "training", "space"},
}  # of the project's own packages, besides itself
RELEASE = "hub_model/release/"
MAX_LINES = 350
MAX_BYTES = 2**20
PICKLES = {".bin", ".ckpt", ".joblib", ".npz", ".pickle", ".pkl", ".pt", ".pth"}
UNPICKLERS = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
FORBIDDEN_TEXT = {
    "registry": r"pypi\.org|pythonhosted\.org|download\.pytorch\.org|huggingface\.co|\bhf\.co\b"
    r"|kaggle\.com|npmjs\.org|ghcr\.io|quay\.io|docker\.io|anaconda\.org|deb\.debian\.org"
    r"|index[-]url",
    "hub token": r"\bhf_(?!test\b|demo\b)[A-Za-z0-9]{8,}\b|TOKEN\W{1,6}hf_(?!test\b|demo\b)\w",
    "other secret": r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bAKIA[0-9A-Z]{16}\b"
    r"|BEGIN [A-Z ]*PRIVATE KEY|KAGGLE_(?:KEY|API_TOKEN)\s*[=:]\s*[\"']?\w{8,}",
    "home folder": r"(?<![\w.])/(?:home|root|Users)/\w",
}


@cache
def tracked() -> tuple[str, ...]:
    """Names of the committed files."""
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(name for name in done.stdout.split("\0") if name and (ROOT / name).is_file())


def sources(package: str) -> list[Path]:
    """Python files of a package, without the copies that lie in the released bundle."""
    files = (ROOT / package).rglob("*.py")
    return sorted(f for f in files if not f.relative_to(ROOT).as_posix().startswith(RELEASE))


def imported(code: str) -> set[str]:
    """Top-level names of whatever a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_an_import_is_seen_wherever_it_stands() -> None:
    code = "import a.b, c\nfrom d.e import f\ndef g():\n    if h:\n        import i\n"
    assert imported(code) == {"a", "c", "d", "i"}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_downwards_only(package: str) -> None:
    files = sources(package)
    assert len(files) > 5
    forbidden = {*MAY_IMPORT, "tests"} - MAY_IMPORT[package] - {package}
    upwards = {file.name: imported(file.read_text()) & forbidden for file in files}
    assert not {name: names for name, names in upwards.items() if names}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_no_file_is_too_long_to_be_one_concept(package: str) -> None:
    lengths = {file.name: len(file.read_text().splitlines()) for file in sources(package)}
    assert not {name: length for name, length in lengths.items() if length > MAX_LINES}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_code_reads_no_pickle(package: str) -> None:
    unsafe = []
    for file in sources(package):
        unsafe += [f"{file.name}: {name}" for name in _unpicklers(file.read_text())]
        for call in _calls(file):
            said = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            if ast.unparse(call.func) == "torch.load" and said.get("weights_only") != "True":
                unsafe.append(f"{file.name}:{call.lineno}: torch.load without weights_only=True")
            if said.get("allow_pickle", "False") != "False":
                unsafe.append(f"{file.name}:{call.lineno}: allow_pickle")
    assert not unsafe


def _unpicklers(code: str) -> set[str]:
    """What a file takes from modules that unpickle; the name of their error is harmless."""
    harmless = re.sub(r"(?m)^from pickle import UnpicklingError$", "", code)
    return imported(harmless) & UNPICKLERS


def _calls(file: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_no_error_is_swallowed_and_nothing_is_left_undone(package: str) -> None:
    found = []
    for file in sources(package):
        text = file.read_text()
        found += [f"{file.name}: {word}" for word in re.findall(r"\b(?:TODO|FIXME|XXX)\b", text)]
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ExceptHandler) and isinstance(node.body[0], ast.Pass):
                caught = ast.unparse(node.type) if node.type else "everything"
                if caught in ("everything", "Exception", "BaseException"):
                    found.append(f"{file.name}:{node.lineno}: {caught} is caught and dropped")
    assert not found


def test_no_pickle_is_committed() -> None:
    assert not [name for name in tracked() if Path(name).suffix.lower() in PICKLES]


def test_only_the_release_holds_large_files() -> None:
    sizes = {n: (ROOT / n).stat().st_size for n in tracked() if not n.startswith(RELEASE)}
    assert not {name: size for name, size in sizes.items() if size > MAX_BYTES}


@pytest.mark.parametrize("kind", FORBIDDEN_TEXT)
def test_no_committed_text_names_a_registry_or_holds_a_secret(kind: str) -> None:
    pattern = re.compile(FORBIDDEN_TEXT[kind])
    found = []
    for name in tracked():
        data = (ROOT / name).read_bytes()
        if b"\0" not in data[:8192]:
            text = data.decode(errors="replace")
            found += [f"{name}: {match[0][:12]}" for match in pattern.finditer(text)]
    assert not found


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("registry", "https://pypi" + ".org/simple"),
        ("registry", "https://hf" + ".co/owner/name"),
        ("hub token", 'token = "hf_' + 'AbCdEfGhIjKlMnOpQr"'),
        ("hub token", 'HF_TOKEN="hf_' + 'mine"'),
        ("other secret", "KAGGLE_KEY" + "=0123456789abcdef"),
        ("home folder", "open('/home/" + "me/file')"),
    ],
)
def test_what_must_not_be_committed_would_be_found(kind: str, text: str) -> None:
    assert re.search(FORBIDDEN_TEXT[kind], text)


@pytest.mark.parametrize("text", ['HF_TOKEN="hf_test"', "hf_hub_download", "hf_demo", "hf-xet"])
def test_what_may_be_committed_is_let_pass(text: str) -> None:
    assert not [kind for kind, pattern in FORBIDDEN_TEXT.items() if re.search(pattern, text)]


def test_constraints_hold_names_and_versions_and_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert not [line for line in lines if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*==[\w.]+", line)]
    assert lines == sorted(set(lines), key=lambda line: line.partition("==")[0])


def test_everything_that_gets_installed_is_pinned_to_what_is_installed() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    needed = {*requirements("neuroguard", frozenset({"train", "dev"})), "uv"}
    installed = {name: importlib.metadata.version(name) for name in needed}
    assert len(installed) > 80
    assert {name: pins.get(name) for name in needed} == installed


def requirements(name: str, extras: frozenset[str]) -> set[str]:
    """Names of all packages that a distribution with these extras needs on this machine."""
    found: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    open_: list[tuple[str, frozenset[str]]] = [(name, extras)]
    while open_:
        if (entry := open_.pop()) in seen:
            continue
        seen.add(entry)
        for text in importlib.metadata.requires(entry[0]) or ():
            need = Requirement(text)
            marker = need.marker
            if marker and not any(marker.evaluate({"extra": e}) for e in ("", *entry[1])):
                continue
            found.add(canonicalize_name(need.name))
            open_.append((need.name, frozenset(need.extras)))
    return found


def test_the_version_is_the_same_wherever_it_stands() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## {version} " in (ROOT / "CHANGELOG.md").read_text()
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
