"""Help answers at once, and the documented commands are the real ones."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from scripts.main import EXIT_CODES, app

HEAVY = ("torch", "gradio", "datasets", "timm", "sklearn", "numpy")
DOCUMENTED = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()

ASK_ALL = """
import sys
from scripts.main import app
for verb in {verbs}:
    app([*verb, "--help"], standalone_mode=False)
print("imported:", sorted(set({heavy}) & sys.modules.keys()))
"""


def verbs() -> list[tuple[str, ...]]:
    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*path, name))
        if not hasattr(command, "commands"):
            yield path

    return sorted(walk(typer.main.get_command(app), ()))


def test_help_of_every_verb_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK_ALL.format(verbs=[(), *verbs()], heavy=HEAVY)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("imported: []\n")
    assert done.stdout.count("Usage:") == len(verbs()) + 1


def test_help_answers_in_a_fraction_of_a_second() -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "scripts.main", "--help"], capture_output=True, check=True
        )
        times.append(time.perf_counter() - start)
    assert min(times) < 1


def test_the_document_lists_exactly_the_verbs_there_are() -> None:
    documented = re.findall(r"^\| `neuroguard ([a-z -]+?)(?: [A-Z\[-][^`]*)?` \|", DOCUMENTED, re.M)
    assert sorted(documented) == [" ".join(verb) for verb in verbs()]


@pytest.mark.parametrize("code", EXIT_CODES)
def test_the_document_says_what_each_exit_code_means(code: int) -> None:
    assert f"| {code} | {EXIT_CODES[code]} |" in DOCUMENTED
