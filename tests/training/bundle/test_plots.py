"""Reports show what metrics.json says, the same way every time."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from hub_model.errors import BundleError
from tests.training.measured_run import DOMAINS, parts
from training.bundle import plots

SIZE_LIMIT = 60_000  # bytes of one picture; a card loads four of them


def words(svg: str) -> list[str]:
    """Every text of a picture: matplotlib leaves it as a comment beside the outlines."""
    return [word.strip() for word in re.findall(r"<!--(.*?)-->", svg, re.DOTALL)]


def test_the_same_metrics_give_the_same_bytes(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    names = plots.write(parts().metrics, first)
    assert names == plots.write(parts().metrics, second)
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_every_named_file_is_there_and_no_other(tmp_path):
    names = plots.write(parts().metrics, tmp_path)
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())


def test_pictures_are_small_well_formed_and_without_a_date(tmp_path):
    for name in plots.write(parts(phantom=True).metrics, tmp_path):
        if name.endswith(".svg"):
            text = (tmp_path / name).read_text()
            assert ElementTree.fromstring(text).tag.endswith("svg")
            assert len(text) < SIZE_LIMIT
            assert "<dc:date" not in text


def test_confusion_shows_every_count(tmp_path):
    metrics = parts().metrics
    plots.confusion(metrics, tmp_path / "x.svg")
    shown = words((tmp_path / "x.svg").read_text())
    for row in metrics.tables["confusion"]:
        for key, count in row.items():
            assert str(count) in shown, key


def test_verdicts_show_every_domain_with_its_n(tmp_path):
    metrics = parts().metrics
    plots.verdicts(metrics, tmp_path / "x.svg")
    shown = words((tmp_path / "x.svg").read_text())
    for domain, row in zip(DOMAINS, metrics.tables["verdicts"], strict=True):
        assert domain in shown
        assert f"n = {row['n_images']}" in shown


@pytest.mark.parametrize(
    "draw",
    [plots.confusion, plots.reliability, plots.risk_coverage, plots.verdicts, plots.severity],
)
def test_only_a_phantom_is_stamped_as_one(tmp_path, draw: Callable[..., None]):
    stamped = {}
    for phantom in (True, False):
        draw(parts(phantom=phantom).metrics, tmp_path / "x.svg")
        stamped[phantom] = "PHANTOM" in " ".join(words((tmp_path / "x.svg").read_text()))
    assert stamped == {True: True, False: False}


@pytest.mark.parametrize(
    ("name", "source"),
    [("domain_guard", "guard"), ("severity", "severity"), ("verdicts", "verdicts")],
)
def test_csv_holds_the_table_unrounded(tmp_path, name, source):
    metrics = parts().metrics
    plots.write(metrics, tmp_path)
    with (tmp_path / f"{name}.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert read == [
        {key: str(value) for key, value in row.items()} for row in metrics.tables[source]
    ]


@pytest.mark.parametrize(
    "name", ["confusion", "reliability", "risk_coverage", "verdicts", "guard", "severity"]
)
def test_a_missing_table_is_refused_by_name(tmp_path, name):
    metrics = parts().metrics
    rest = {key: rows for key, rows in metrics.tables.items() if key != name}
    with pytest.raises(BundleError, match=f"no table '{name}'"):
        plots.write(metrics.model_copy(update={"tables": rest}), tmp_path)


def test_a_word_where_a_number_belongs_is_refused(tmp_path):
    metrics = parts().metrics
    metrics.tables["risk_coverage"][0]["error"] = None
    with pytest.raises(BundleError, match="None under 'error'"):
        plots.risk_coverage(metrics, tmp_path / "x.svg")
