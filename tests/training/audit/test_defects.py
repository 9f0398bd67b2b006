"""Files that say little are named, sound ones are not, and what the build refused is counted."""

from __future__ import annotations

import pytest

from tests.training.audit.evidence import file, row
from training.audit.defects import findings

CODES = ("tiny_images", "blank_images", "low_contrast", "coloured_images")


def codes(*files, refused=()):
    rows = [row(number) for number in range(len(files))]
    return {found.code: found for found in findings(rows, files, refused)}


def test_sound_files_are_passed_over():
    assert codes(file(), file(width=64, height=64), file(levels=16, contrast=0.05)) == {}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"width": 63}, "tiny_images"),
        ({"height": 1}, "tiny_images"),
        ({"levels": 1, "contrast": 0.0}, "blank_images"),
        ({"contrast": 0.049}, "low_contrast"),
        ({"colour": 0.06}, "coloured_images"),
    ],
)
def test_each_defect_is_named_once_with_the_image(changes, code):
    found = codes(file(), file(**changes))
    assert list(found) == [code]
    assert found[code].counts == {"images": 1}
    assert found[code].examples == ("drawn/a/1.png",)
    assert "1 of 2 images" in found[code].found
    assert "(1 a)" in found[code].found


def test_what_the_build_left_out_is_counted_by_the_readers_code():
    refused = [
        "drawn/b (1).png (bad_raster)",
        "drawn/c.png (bad_raster)",
        "drawn/d.png (truncated)",
    ]
    found = codes(file(), refused=refused)["files_left_out"]
    assert found.counts == {"files": 3, "bad_raster": 2, "truncated": 1}
    assert "3 of 4 files" in found.found
