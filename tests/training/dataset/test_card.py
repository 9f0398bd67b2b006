"""A card says what the report says, in tables that add up, and what is not known."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml

from hub_model.errors import UsageError
from tests.training.dataset.test_folder import make, mask, record
from training.dataset import card
from training.dataset.parquet import Cell, configs
from training.sources.table import SOURCES

PATTERN = re.compile(
    r"---\n(?P<header>.+?)\n---\n\n# (?P<title>.+?)\n.+?"
    r"## How to use it\n.+?## How many\n(?P<counts>.+?)## Where the images come from\n"
    r"(?P<provenance>.+?)## Audit\n(?P<audit>.+?)## Known limits\n(?P<limits>.+?)"
    r"## Not intended\n.+?## How to cite\n(?P<cite>.+?)## Made with\n(?P<made>.+)",
    re.DOTALL,
)
DIVISIONS = configs([Cell("train", "test", 0), Cell("test", "train", 1)], ["train", "test"])


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    rows = [
        record(
            i,
            "ab"[i % 2] if i % 5 else None,
            source=("masoudnickparvar", "navoneel")[i % 3 == 0],
            group=f"g{i // 2}" if i < 50 else None,
            official_split=("train", "test")[i % 2],
            mask=mask() if i < 3 else None,
        )
        for i in range(60)
    ]
    return make(rows, tmp_path_factory.mktemp("card") / "d")


def parts(report, audit=None):
    text = card.render(report, ["a", "b"], DIVISIONS, audit)
    found = PATTERN.fullmatch(text)
    assert found is not None, text
    assert "$" not in text
    return found.groupdict()


def tables(text):
    """Every table of the text as a list of rows."""
    found = []
    for block in re.findall(r"(?:^\|.+\|$\n?)+", text, re.MULTILINE):
        head, _, *rows = (
            [c.strip() for c in line.strip("| ").split("|")] for line in block.splitlines()
        )
        found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found


def test_the_header_offers_the_divisions_and_says_what_it_holds(report):
    header = yaml.safe_load(parts(report)["header"])
    assert [config["config_name"] for config in header["configs"]] == [
        "group", "official_leaky", "folds"
    ]  # fmt: skip
    assert [config.get("default", False) for config in header["configs"]] == [True, False, False]
    assert {"split": "test", "path": "data/*/test/*.parquet"} in header["configs"][1]["data_files"]
    assert header["license"] == ["cc0-1.0", "unknown"]
    assert header["task_categories"] == ["image-classification", "image-segmentation"]
    assert header["size_categories"] == "n<1K"


def test_the_tables_hold_every_image_once(report):
    by_class, by_source, masks, official, folds = tables(parts(report)["counts"])
    for table in (by_class, by_source, official, folds):
        assert sum(int(row["all"]) for row in table) == 60
    assert sum(int(row["type not stated"]) for row in by_class) == 12
    assert {row["split"]: int(row["groups"]) for row in by_class} == report.groups
    assert {row["source"]: int(row["images"]) for row in masks} == report.masks


def test_the_leak_of_the_official_division_stands_beside_its_numbers(report):
    text = parts(report)["counts"]
    assert f"**{report.official_shared_groups} groups stand on two sides**" in text
    assert report.official_shared_groups == 25


def test_each_source_is_named_with_version_licence_and_what_is_not_known(report):
    text = parts(report)["provenance"]
    rows = {row["source"]: row for row in tables(text)[0]}
    for name, row in rows.items():
        assert row["licence"] == SOURCES[name].licence
        assert row["as stated"] == SOURCES[name].licence_stated_where
        assert row["pinned"] == SOURCES[name].origin
        assert int(row["images"]) == sum(report.sources[name].values())
    assert "under which terms the images of navoneel may be passed on" in text


def test_where_a_source_was_read_from_is_said_when_the_table_cannot(report):
    told = replace(report, origins={"navoneel": "alice/copy@" + "0" * 40})
    rows = {row["source"]: row for row in tables(parts(told)["provenance"])[0]}
    assert rows["navoneel"]["pinned"] == "alice/copy@" + "0" * 40


def test_warnings_unknown_groups_and_issues_of_the_sources_are_limits(report):
    limits = parts(replace(report, warnings=("three files are missing",)))["limits"]
    assert "- three files are missing" in limits
    assert "of 10 images no group is known" in limits
    for name in report.sources:
        for issue in SOURCES[name].known_issues:
            assert f"- {name}: {issue}" in limits


def test_without_an_audit_the_card_says_so(report):
    assert parts(report)["audit"].strip() == card.NO_AUDIT


def test_an_audit_s_headings_go_below_the_card_s_and_its_links_into_its_folder(report):
    links = "[page](https://example.org) [up](#leaks)"
    text = f"# Audit\n\n## Leaks\n\n![a](pictures/a.svg) {links}\n"
    assert parts(report, text)["audit"].strip() == (
        f"### Audit\n\n#### Leaks\n\n![a](audit/pictures/a.svg) {links}"
    )


def test_fingerprint_seed_and_versions_are_said(report):
    found = parts(report)
    assert report.fingerprint in found["cite"]
    assert report.fingerprint in found["made"]
    assert re.search(r"datasets \d+\.\d+.*pyarrow \d+", found["made"])


def test_drawn_images_are_called_drawn(report, tmp_path):
    drawn = make([record(i, source="phantom") for i in range(12)], tmp_path / "d")
    assert card.DRAWN in card.render(drawn, ["a", "b"], DIVISIONS, None)
    assert card.DRAWN not in card.render(report, ["a", "b"], DIVISIONS, None)


def test_a_source_that_the_table_does_not_know_is_refused(tmp_path):
    report = make([record(i) for i in range(12)], tmp_path / "d")
    with pytest.raises(UsageError, match="no source 'drawn'"):
        card.render(report, ["a", "b"], DIVISIONS, None)
