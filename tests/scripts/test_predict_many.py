"""Many cases give the rows they give one by one, whoever answers them and however often stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub_model import GuardedClassifier
from scripts.predict_many import named, predict_many
from tests.scripts.command import Command
from tests.training.launched import launch
from training.processes import Processes
from training.sources.phantom_files import write_raster, write_zip
from training.sources.phantom_heads import make_head

FIGURES = 1e-6  # a batch of one is summed in another order than a batch of several


class Counting(GuardedClassifier):
    """Notes how many slices it is asked about at once, and can be stopped."""

    asked: list[int]
    stop_after: int | None = None

    def predict_many(self, cases):
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked.append(sum(len(case.slices) for case in cases))
        return super().predict_many(cases)


@pytest.fixture
def classifier(phantom_bundle):
    found = Counting.from_folder(phantom_bundle)
    found.asked = []
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Five slices, a series of three, a file that is no image, and one that is hidden."""
    found = tmp_path_factory.mktemp("many")
    for number in range(5):
        head = make_head(900 + number, seed=0)
        write_raster(head, head.levels[0], found / f"{number}.png")
    write_zip(make_head(905, seed=0), found / "series.zip", n_slices=3)
    (found / "broken.png").write_bytes(b"no image at all")
    (found / ".hidden.png").write_bytes(b"not looked at")
    return found


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def alike(first, second):
    """The same documents, figures within `FIGURES`."""
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert list(first) == list(second)
        for key, value in first.items():
            alike(value, second[key])
    elif isinstance(first, list):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            alike(one, other)
    elif isinstance(first, float):
        assert first == pytest.approx(second, abs=FIGURES)
    else:
        assert first == second


def test_a_folder_gives_the_rows_that_its_entries_give_one_by_one(
    command: Command, phantom_bundle, folder: Path, tmp_path: Path
) -> None:
    one_by_one = command("predict", *named(folder), "--model", phantom_bundle, "--json")
    out = tmp_path / "rows.jsonl"
    done = command("predict", "--many", folder, "--out", out, "--model", phantom_bundle)
    assert (done.code, one_by_one.code) == (3, 3)
    assert done.out == f"{out}\n"
    assert "refused: " + str(folder / "broken.png") in done.err
    assert "error: 1 of 7 refused" in done.err
    alike(rows(out), [json.loads(line) for line in one_by_one.out.splitlines()])
    assert [Path(row["input"]).name for row in rows(out)] == [
        *(f"{number}.png" for number in range(5)),
        "series.zip",
    ]
    assert [path.name for path in tmp_path.iterdir() if "rows" in path.name] == ["rows.jsonl"]


def test_a_list_gives_its_lines_in_their_order(command, phantom_bundle, folder, tmp_path) -> None:
    paths = [folder / "series.zip", folder / "1.png", folder / "series.zip"]
    (tmp_path / "list.txt").write_text("\n".join(map(str, paths)) + "\n\n")
    out = tmp_path / "rows.jsonl"
    listed = ("predict", "--many", tmp_path / "list.txt", "--out", out)
    assert command(*listed, "--model", phantom_bundle).code == 0
    assert [row["input"] for row in rows(out)] == [str(path) for path in paths]


def test_a_stopped_one_asks_for_the_rest_alone(classifier, folder, tmp_path) -> None:
    cases, out = named(folder), tmp_path / "rows.jsonl"
    classifier.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        predict_many(classifier, cases, out, Processes(), batch=2)
    assert not out.exists()
    assert classifier.asked == [2, 2]
    part = tmp_path / ".rows.jsonl.parts" / "0.jsonl"
    part.write_text(part.read_text() + part.read_text()[:100])  # killed while it wrote the fifth
    classifier.stop_after, classifier.asked = None, []
    assert predict_many(classifier, cases, out, Processes(), batch=2) == 1
    assert classifier.asked == [4]  # 4.png, and the series whole
    assert [row["input"] for row in rows(out)] == [c for c in cases if "broken" not in c]
    before, classifier.asked = out.read_text(), []
    assert predict_many(classifier, cases, out, Processes(), batch=2) == 1
    assert classifier.asked == []
    assert out.read_text() == before


def test_rows_of_another_revision_are_asked_again(classifier, folder, tmp_path) -> None:
    cases, out = named(folder), tmp_path / "rows.jsonl"
    for revision in ("a" * 40, "b" * 40):
        classifier.revision, classifier.asked = revision, []
        predict_many(classifier, cases, out, Processes())
        assert sum(classifier.asked) == 8
        assert {row["revision"] for row in rows(out)} == {revision}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "takes FILES, or --many together with --out"),
        (("--many", "{folder}"), "takes FILES, or --many together with --out"),
        (("{folder}/0.png", "--out", "x.jsonl"), "takes FILES, or --many together with --out"),
        (("--many", "{empty}", "--out", "x.jsonl"), "--many names no case"),
        (("--many", "{folder}/0.png", "--out", "x.jsonl"), "this file is neither"),
        (("--many", "{folder}", "--out", "{other}"), "a line that is no verdict"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    command, phantom_bundle, folder, tmp_path, arguments, said
) -> None:
    (tmp_path / "empty").mkdir()
    other = tmp_path / "other.jsonl"
    other.write_text('{"a": 1}\n')
    places = {"folder": folder, "empty": tmp_path / "empty", "other": other}
    result = command("predict", *(a.format(**places) for a in arguments), "--model", phantom_bundle)
    assert result.code == 2
    assert said in result.err
    assert other.read_text() == '{"a": 1}\n'


def test_two_commands_do_not_write_one_file(classifier, folder, tmp_path) -> None:
    import fcntl

    from hub_model.errors import UsageError

    parts = tmp_path / ".rows.jsonl.parts"
    parts.mkdir()
    with (parts / "0.jsonl").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another command is writing"):
            predict_many(classifier, named(folder), tmp_path / "rows.jsonl", Processes())


@pytest.mark.slow
def test_two_processes_write_what_one_writes(command, phantom_bundle, folder, tmp_path) -> None:
    kept = [path for path in named(folder) if "broken" not in path]
    (tmp_path / "list.txt").write_text("\n".join(kept))
    outs = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    listed = ("predict", "--many", tmp_path / "list.txt", "--model", phantom_bundle, "--out")
    assert command(*listed, outs[0]).code == 0
    done = launch("scripts.main", *listed, outs[1])
    assert done.returncode == 0, done.stderr
    alike(rows(outs[0]), rows(outs[1]))
    assert done.stdout.splitlines() == [str(outs[1])]
