"""A report counts every image once and carries what each check found, the worst first."""

from __future__ import annotations

import pytest

from tests.training.audit.evidence import evidence, file, link, row
from training.audit.examine import examine, joined_groups
from training.audit.model import Severity


def test_every_check_speaks_and_the_worst_comes_first(report):
    assert {finding.topic for finding in report.findings} == {
        "leaks", "copies", "labels", "shortcuts", "files"
    }  # fmt: skip
    ranks = [finding.severity.rank for finding in report.findings]
    assert ranks == sorted(ranks, reverse=True)
    assert report.worst is Severity.ERROR


def test_images_are_counted_once_in_each_table(report):
    for table in (report.images, report.origins):
        assert sum(sum(counts.values()) for counts in table.values()) == 48
    assert sum(size.images for size in report.sizes) == 48
    assert sum(form.images for form in report.forms) == 48
    assert report.n_groups == 12
    assert report.groups["train"] == {"a": 3, "b": 1, "free": 3}


def test_what_the_linkage_ties_is_one_group_for_the_classifier():
    rows = [row(0, group="p"), row(1, group="p"), row(2), row(3, sha256=row(2).sha256), row(4)]
    assert joined_groups(rows, [link(1, 2)]).tolist() == [0, 0, 0, 0, 1]


def test_a_small_clean_dataset_has_no_finding_of_weight():
    rows = [row(0, group="p"), row(1, group="p"), row(2, group="q", split="test")]
    found = examine(evidence(rows))
    assert {finding.code for finding in found.findings} == {"no_build_report"}
    assert found.worst is Severity.INFO
    assert found.shortcuts == ()


def test_too_few_groups_to_measure_a_shortcut_is_said_and_not_guessed():
    rows = [row(n, finding=("tumor", "none")[n % 2], group=f"p{n % 2}") for n in range(8)]
    found = [f.code for f in examine(evidence(rows)).findings]
    assert found.count("shortcut_not_measured") == 1


def test_sources_are_named_with_their_version_and_phantoms_are_called_that():
    rows = [row(0, source="masoudnickparvar"), row(1, source="phantom"), row(2, source="mine")]
    found = examine(evidence(rows))
    assert found.sources["masoudnickparvar"].endswith("/brain-tumor-mri-dataset@1")
    assert found.sources["mine"] == "local"
    assert found.phantom
    assert not examine(evidence(rows[:1])).phantom


def test_the_report_survives_its_json(report):
    assert type(report).model_validate_json(report.model_dump_json()) == report


@pytest.mark.parametrize(("width", "about"), [(7, 0), (9, 16), (250, 256)])
def test_sizes_are_rounded_so_that_a_large_source_stays_a_small_report(width, about):
    found = examine(evidence([row(0)], files=[file(width=width)]))
    assert [size.width for size in found.sizes] == [about]
