"""The command line as a fixture."""

from __future__ import annotations

import pytest

from tests.scripts.command import Command


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs verbs in this process and catches what they say."""
    return Command(monkeypatch, capsys)
