"""Files of one examination: their order, and uploads of more than one stack."""

from __future__ import annotations

import random

import numpy as np
import pytest
from pydicom.uid import generate_uid

from hub_model.errors import InputRejected
from hub_model.reading import read_case
from hub_model.reading.series import SeveralSeriesError
from tests.reading.samples import AXIAL, CORONAL, SAGITTAL, dicom, stack, write


def values(case) -> list[float]:
    return [float(piece.pixels[0, 0]) for piece in case.slices]


def save(folder, files, order=None):
    names = [f"{index:03}" for index in range(len(files))]
    random.Random(order).shuffle(names) if order is not None else None
    return write(folder, dict(zip(names, files, strict=True)))


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, CORONAL, [0.6, 0.8, 0, 0, 0, -1]])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_slices_come_in_the_order_of_their_positions_however_they_were_sent(
    tmp_path, orientation, order
):
    case = read_case(save(tmp_path, stack(7, orientation), order))
    assert values(case) == list(range(7))  # their instance numbers run the other way
    assert [piece.position for piece in case.slices] == pytest.approx([4 * i for i in range(7)])
    assert case.slices[0].spacing == (0.5, 0.75)
    assert case.warnings == ()


def test_without_positions_slices_come_by_instance_number_and_it_is_said(tmp_path):
    case = read_case(save(tmp_path, stack(4, ImagePositionPatient=None), order=1))
    assert values(case) == [3, 2, 1, 0]
    assert case.warnings == ("slices without a position: ordered by instance and frame number",)


def test_without_any_number_slices_stay_in_the_order_sent_and_it_is_said(tmp_path):
    case = read_case(save(tmp_path, stack(4, ImagePositionPatient=None, InstanceNumber=None)))
    assert values(case) == [0, 1, 2, 3]
    assert case.warnings == ("slices without a position: kept in the order sent",)


def test_slices_in_one_place_are_said(tmp_path):
    case = read_case(save(tmp_path, [*stack(4), *stack(2)]))
    assert case.warnings == ("2 of 6 slices lie where another slice lies",)


def test_an_unusable_orientation_counts_as_none(tmp_path):
    files = stack(3, ImageOrientationPatient=[0, 0, 0, 0, 0, 0])
    assert values(read_case(save(tmp_path, files))) == [2, 1, 0]


def test_several_series_are_refused_with_their_slices_and_planes(tmp_path):
    files = [*stack(2), *stack(3, SAGITTAL, SeriesInstanceUID=generate_uid())]
    with pytest.raises(InputRejected) as refusal:
        read_case(save(tmp_path, files, order=1))
    assert refusal.value.code == "several_series"
    assert "2 series" in str(refusal.value)
    assert "axial 2" in str(refusal.value)
    assert "sagittal 3" in str(refusal.value)
    assert str(refusal.value).endswith("send one series")


def test_a_localizer_of_three_planes_is_refused(tmp_path):
    files = [*stack(1, AXIAL), *stack(2, SAGITTAL), *stack(1, CORONAL)]
    with pytest.raises(InputRejected, match="axial 1, sagittal 2, coronal 1") as refusal:
        read_case(save(tmp_path, files))
    assert refusal.value.code == "several_planes"


def test_one_of_several_series_is_read_by_its_number(tmp_path):
    files = [*stack(2), *stack(3, SAGITTAL, SeriesInstanceUID=generate_uid(), Modality="DOE JOHN")]
    paths = save(tmp_path, files, order=1)
    with pytest.raises(SeveralSeriesError) as refusal:
        read_case(paths)

    found = {one.plane: one for one in refusal.value.found}
    assert sorted(one.number for one in found.values()) == [1, 2]
    assert (found["axial"].slices, found["axial"].rows, found["axial"].columns) == (2, 8, 8)
    assert (found["sagittal"].slices, found["sagittal"].modality) == (3, "")
    for one in found.values():
        assert len(read_case(paths, series=one.number).slices) == one.slices


@pytest.mark.parametrize("wanted", [0, 2])
def test_a_series_that_was_not_sent_cannot_be_read(tmp_path, wanted):
    with pytest.raises(InputRejected, match="ask for 1 to 1") as refusal:
        read_case(save(tmp_path, stack(2)), series=wanted)
    assert refusal.value.code == "no_such_series"


def test_many_series_are_not_all_listed(tmp_path):
    files = [stack(1, SeriesInstanceUID=generate_uid())[0] for _ in range(12)]
    with pytest.raises(InputRejected, match="12 series") as refusal:
        read_case(save(tmp_path, files))
    assert len(str(refusal.value)) < 200


def test_slices_of_different_sizes_stay_one_series(tmp_path):
    small, large = stack(2)
    large = dicom(
        np.ones((9, 5), np.uint16),
        ImageOrientationPatient=AXIAL,
        ImagePositionPatient=[0, 0, 4],
        InstanceNumber=2,
    )
    case = read_case(save(tmp_path, [large, small]))
    assert [piece.pixels.shape for piece in case.slices] == [(8, 8), (9, 5)]
