"""Rows say what the dataset says, and know the source's own split by column or by path."""

from __future__ import annotations

import pytest

from training.audit.rows import official_split


@pytest.mark.parametrize(
    ("source", "path", "side"),
    [
        ("masoudnickparvar", "Training/glioma/Tr-gl_0010.jpg", "train"),
        ("masoudnickparvar", "Testing/notumor/Te-no_0010.jpg", "test"),
        ("masoudnickparvar", "Trainings/glioma/x.jpg", None),
        ("masoudnickparvar", "other/Training/x.jpg", None),
        ("br35h", "Br35H-Mask-RCNN/VAL/y1.jpg", "validation"),
        ("br35h", "VAL/y1.jpg", None),
        ("navoneel", "brain_tumor_dataset/yes/Y1.jpg", None),
        ("a source nobody listed", "Training/x.jpg", None),
    ],
)
def test_the_own_split_is_read_from_the_folder_the_table_names(source, path, side):
    assert official_split(source, path) == side
