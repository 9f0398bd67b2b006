"""The command line, run inside the test's process."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from scripts.main import run


@dataclass(frozen=True)
class Result:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


class Command:
    """`command("publish", folder, repo)` runs the verb as the entry point would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> Result:
        self._monkeypatch.setattr(sys, "argv", ["neuroguard", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run()
        said = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Result(ended.value.code, said.out, said.err)
