"""A workshop is empty, alone and gone at the end."""

from __future__ import annotations

import pytest

from hub_model.errors import UsageError
from training.dataset.workshop import workshop


def test_what_is_whole_is_renamed_out_and_the_rest_is_gone(tmp_path):
    with workshop(tmp_path / "new" / "out") as folder:
        (folder / "whole").mkdir()
        (folder / "scrap").write_text("")
        (folder / "whole").rename(tmp_path / "new" / "out")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]


def test_an_error_leaves_nothing(tmp_path):
    def failing():
        with workshop(tmp_path / "out") as folder:
            (folder / "half").mkdir()
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        failing()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / ".out.partial" / "half").mkdir(parents=True)
    (tmp_path / ".out.partial" / "half" / "file").write_text("")
    (tmp_path / ".out.partial" / "file").write_text("")
    with workshop(tmp_path / "out") as folder:
        assert list(folder.iterdir()) == []


def test_two_do_not_work_on_the_same_result(tmp_path):
    with workshop(tmp_path / "out") as folder:
        (folder / "mine").write_text("")
        with pytest.raises(UsageError, match="another process"):
            workshop(tmp_path / "out").__enter__()
        assert (folder / "mine").is_file()
        with workshop(tmp_path / "other"):
            pass
    with workshop(tmp_path / "out"):
        pass
