"""What a folder holds, without reading again what has not changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from training.content import FileContent, differences, digest, look


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    (made / "deep").mkdir(parents=True)
    (made / "a").write_bytes(b"one")
    (made / "deep" / "b.jsonl").write_bytes(b"two")
    (made / ".hidden").write_bytes(b"three")
    return made


def test_every_file_is_named_with_its_hash_but_hidden_ones(folder: Path) -> None:
    found = look(folder)
    assert list(found) == ["a", "deep/b.jsonl"]
    assert found["a"].sha256 == hashlib.sha256(b"one").hexdigest()
    assert found["a"].size == 3
    assert look(folder / "a") == {".": found["a"]}


def test_the_digest_is_of_names_and_bytes_alone(folder: Path, tmp_path: Path) -> None:
    before = digest(look(folder))
    moved = folder.rename(tmp_path / "moved")
    os.utime(moved / "a", (0, 0))
    assert digest(look(moved)) == before
    (moved / "a").rename(moved / "c")
    assert digest(look(moved)) != before


def test_what_only_tells_how_it_came_about_is_no_part_of_the_digest(folder: Path) -> None:
    told = ("*.jsonl",)
    before = digest(look(folder), told)
    (folder / "deep" / "b.jsonl").write_bytes(b"other")
    assert digest(look(folder), told) == before
    assert digest(look(folder)) != before


def test_a_file_of_the_same_size_and_time_is_not_read_again(folder: Path) -> None:
    real = look(folder)
    made_up = {"a": FileContent("0" * 64, real["a"].size, real["a"].mtime_ns)}
    found = look(folder, made_up)
    assert found["a"].sha256 == "0" * 64
    assert found["deep/b.jsonl"] == real["deep/b.jsonl"]
    os.utime(folder / "a")
    assert look(folder, made_up)["a"].sha256 == real["a"].sha256


def test_files_that_are_gone_new_or_changed_are_named(folder: Path) -> None:
    before = look(folder)
    (folder / "a").unlink()
    (folder / "new").write_bytes(b"")
    (folder / "deep" / "b.jsonl").write_bytes(b"tow")
    assert differences(before, look(folder, before)) == ["a", "deep/b.jsonl", "new"]
    assert differences(before, before) == []


def test_nothing_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none is gone"):
        look(tmp_path / "none")
