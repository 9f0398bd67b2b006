"""A shortcut is found where the files give the class away, and not where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from hub_model.errors import UsageError
from hub_model.reading import read_bytes
from tests.training.audit.evidence import RIM, file, row
from training.audit.files import describe
from training.audit.model import Severity
from training.audit.shortcut import (
    balanced_accuracy,
    features,
    findings,
    not_measured,
    shortcuts,
)
from training.sources.phantom import draw
from training.sources.phantom_heads import make_head
from training.sources.phantom_texture import as_png

GROUPS = 20
EACH = 6  # images of a group


def rows_of_two(findings_=("tumor", "none")):
    return [
        row(number, group=f"g{group}", label=findings_[group % 2], finding=findings_[group % 2])
        for number, group in enumerate(np.repeat(np.arange(GROUPS), EACH))
    ]


def groups_of(rows):
    return np.array([int(one.group[1:]) for one in rows])


def by_name(found):
    return {one.features: one for one in found}


def test_a_class_that_has_a_size_of_its_own_is_told_by_size_and_not_by_rim():
    rows = rows_of_two()
    files = [file(width=200 if one.finding == "none" else 512) for one in rows]
    found = by_name(shortcuts("finding", rows, files, groups_of(rows)))
    assert found["size"].accuracy.value == 1
    assert found["all"].accuracy.value == 1
    assert found["rim"].accuracy.value <= 0.6
    (said,) = findings(list(found.values()))
    assert said.severity is Severity.WARNING
    assert (found["size"].guess, found["size"].chance) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("file", {"quantisation": 30.0}),
        ("file", {"size": 3000}),
        ("file", {"format": "JPEG"}),
        ("size", {"mode": "RGB"}),
        ("rim", {"rim": RIM + 0.2}),
    ],
)
def test_each_way_of_giving_the_class_away_is_found_by_its_own_features(name, changes):
    rows = rows_of_two()
    files = [file(**changes) if one.finding == "none" else file() for one in rows]
    found = by_name(shortcuts("finding", rows, files, groups_of(rows)))
    told = {key for key, one in found.items() if one.accuracy.value == 1}
    assert told == {name, "all"}


def test_files_that_say_nothing_of_the_class_are_no_shortcut():
    rng = np.random.default_rng(3)
    rows = rows_of_two()
    files = [file(width=int(w), rim=RIM + rng.random()) for w in rng.integers(100, 600, len(rows))]
    found = shortcuts("finding", rows, files, groups_of(rows))
    assert all(one.balanced.low < 0.6 for one in found)
    (said,) = findings(found)
    assert said.severity is Severity.INFO


def test_what_is_known_of_a_group_alone_does_not_count():
    """Each group has a size of its own: within a group it tells all, across groups nothing."""
    rows = rows_of_two()
    sizes = np.random.default_rng(0).permutation(GROUPS) * 16 + 100
    files = [file(width=int(sizes[group])) for group in groups_of(rows)]
    leaking = by_name(shortcuts("finding", rows, files, np.arange(len(rows))))
    honest = by_name(shortcuts("finding", rows, files, groups_of(rows)))
    assert leaking["size"].accuracy.value > 0.75
    assert honest["size"].accuracy.low < 0.5


def test_every_label_is_held_against_the_others():
    rows = [row(n, label="abc"[(n // 4) % 3], group=f"g{n // 4}") for n in range(120)]
    files = [file(width=512 if one.label == "c" else 200) for one in rows]
    found = by_name(shortcuts("label", rows, files, groups_of(rows)))["size"]
    apart = {one.label: one for one in found.apart}
    assert apart["c"].accuracy.value == apart["c"].balanced.value == 1
    assert apart["a"].accuracy.value < 0.9
    assert apart["c"].guess == pytest.approx(2 / 3)
    assert found.chance == pytest.approx(1 / 3)


def test_images_that_state_nothing_are_left_out_and_one_value_is_nothing_to_tell():
    rows = rows_of_two()
    unstated = [row(900 + n, label="", finding="", group=f"g{90 + n}") for n in range(5)]
    files = [file() for _ in (*rows, *unstated)]
    both = [*rows, *unstated]
    found = shortcuts("finding", both, files, groups_of(both))
    assert {one.accuracy.sample.n_images for one in found} == {len(rows)}
    alone = rows_of_two(("tumor", "tumor"))
    assert shortcuts("finding", alone, files[: len(alone)], groups_of(alone)) == ()


def test_the_source_is_a_feature_where_there_are_several():
    rows = [row(0), row(1, source="other")]
    assert "source" in features(rows, [file(), file()])
    assert "source" not in features(rows[:1], [file()])


def test_too_few_groups_are_refused_and_said():
    rows = rows_of_two()[: 3 * EACH]
    with pytest.raises(UsageError, match="5 folds of 3 groups"):
        shortcuts("finding", rows, [file() for _ in rows], groups_of(rows))
    assert "5 folds" in not_measured("finding", "5 folds of 3 groups").found


def test_the_same_seed_gives_the_same_figures():
    rows = rows_of_two()
    files = [file(width=200 + n % 7) for n in range(len(rows))]
    assert shortcuts("finding", rows, files, groups_of(rows)) == shortcuts(
        "finding", rows, files, groups_of(rows)
    )


@pytest.fixture(scope="module")
def slices():
    """Four slices each of twenty drawn heads, with the patient's number."""
    return [
        (patient, draw(make_head(patient, 0), level).pixels.astype(np.uint8))
        for patient in range(20)
        for level in (-0.1, 0.0, 0.1, 0.2)
    ]


@pytest.mark.parametrize("confounded", [True, False])
def test_drawn_heads_are_told_apart_only_where_their_files_were_made_differently(
    slices, confounded
):
    rows, files = [], []
    for number, (patient, pixels) in enumerate(slices):
        free = patient % 2 == 0
        cut = 20 if (free if confounded else number % 2) else 0
        data = as_png(np.ascontiguousarray(pixels[cut:, cut:]))
        files.append(describe(data, read_bytes(data).slices[0]))
        rows.append(row(number, finding="none" if free else "tumor", group=f"g{patient}"))
    found = by_name(shortcuts("finding", rows, files, groups_of(rows)))
    assert (found["size"].accuracy.low > 0.8) == confounded
    assert (found["size"].accuracy.low < 0.5) == (not confounded)


def test_balanced_accuracy_counts_every_class_the_same():
    truth = np.array([0] * 9 + [2])
    assert balanced_accuracy(truth, np.zeros(10, int)) == 0.5
    assert balanced_accuracy(truth, truth) == 1
