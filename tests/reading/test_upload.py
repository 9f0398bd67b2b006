"""Files, folders and bytes as one case: order, warnings, refusals, and one path for all of them."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model.errors import InputRejected
from hub_model.reading import Limits, read_bytes, read_case
from hub_model.reading.content import HEAD_BYTES, content_of
from tests.reading.samples import (
    archive,
    dicom,
    nifti,
    pydicom_file,
    ramp,
    raster,
    stack,
    without_meta,
    write,
)

VOLUME = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
ONE_OF_EACH_KIND = {
    "png": raster(ramp()),
    "jpeg": raster(np.stack([ramp(), ramp() // 2, ramp()], -1), "JPEG"),
    "png16": raster(ramp(dtype=np.uint16) * 200),
    "tiff": raster(ramp(), "TIFF"),
    "dicom": dicom(ramp()),
    "bare dicom": without_meta(dicom(ramp())),
    "frames": dicom(np.stack([ramp(), ramp() + 1])),
    "nifti": nifti(VOLUME),
    "nifti.gz": gzip.compress(nifti(VOLUME)),
    "zip": archive({"a": raster(ramp()), "b": raster(ramp() + 1)}),
}


def refused(paths, **limits: int) -> InputRejected:
    with pytest.raises(InputRejected) as refusal:
        read_case(paths, limits=Limits(**limits))
    return refusal.value


@pytest.mark.parametrize("kind", ONE_OF_EACH_KIND)
def test_bytes_give_the_same_case_as_the_file(tmp_path, kind):
    (tmp_path / "file.txt").write_bytes(ONE_OF_EACH_KIND[kind])
    from_file, from_bytes = read_case(tmp_path / "file.txt"), read_bytes(ONE_OF_EACH_KIND[kind])
    assert from_file.warnings == from_bytes.warnings
    for one, other in zip(from_file.slices, from_bytes.slices, strict=True):
        assert one.pixels.dtype == other.pixels.dtype
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert (one.kind, one.colour, one.position, one.spacing, one.place) == (
            other.kind,
            other.colour,
            other.position,
            other.spacing,
            other.place,
        )


def test_a_kind_is_told_by_content_whatever_the_name(tmp_path):
    write(tmp_path, {"image.dcm": raster(ramp()), "scan.png": dicom(ramp())})
    assert read_case(tmp_path / "image.dcm").slices[0].kind == "raster"
    assert read_case(str(tmp_path / "scan.png")).slices[0].kind == "dicom"


def test_a_dicom_file_whose_preamble_is_a_tiff_header_is_dicom():
    data = b"II*\x00" + dicom(ramp())[4:]
    assert content_of(data[:HEAD_BYTES]) == "dicom"


def test_named_files_keep_their_order_and_a_folder_is_sorted(tmp_path):
    write(tmp_path, {f"{name}/x.png": raster(ramp() + index) for index, name in enumerate("cab")})
    named = read_case([tmp_path / "c/x.png", tmp_path / "b/x.png"])
    assert [int(piece.pixels[0, 0]) for piece in named.slices] == [0, 2]
    assert [int(piece.pixels[0, 0]) for piece in read_case(tmp_path).slices] == [1, 2, 0]


def test_hidden_files_and_links_of_a_folder_are_left_out(tmp_path):
    outside = write(tmp_path / "outside", {"b.png": raster(ramp())})
    folder = write(
        tmp_path / "case",
        {"a.png": raster(ramp()), ".b.png": raster(ramp()), ".git/c.png": raster(ramp())},
    )
    (folder / "link.png").symlink_to(outside / "b.png")
    assert len(read_case(folder).slices) == 1


def test_many_files_keep_their_order_through_the_threads(tmp_path):
    sizes = [(index * 37) % 50 + 1 for index in range(60)]  # small ones overtake large ones
    files = {f"{index:03}.png": raster(ramp(size, 3)) for index, size in enumerate(sizes)}
    assert [piece.pixels.shape[0] for piece in read_case(write(tmp_path, files)).slices] == sizes


def test_unreadable_files_among_many_are_counted_by_reason_without_their_names(tmp_path):
    files = {f"secret-{index}": data for index, data in enumerate(stack(3))}
    files |= {
        "secret-truncated": stack(1)[0][:-20],
        "secret-text.dcm": b"Dear colleague, please find attached",
        "secret-empty.dcm": b"",
        "secret-report": pydicom_file("reportsi.dcm"),
        "secret-report-2": pydicom_file("test-SR.dcm"),
    }
    case = read_case(write(tmp_path, files))
    assert len(case.slices) == 3
    assert case.warnings == (
        "5 of 8 files could not be read: DICOM without a picture (2), empty file (1), "
        "not an image (1), truncated pixel data (1)",
    )


def test_when_no_file_can_be_read_the_reasons_are_counted(tmp_path):
    write(tmp_path, {"a": b"", "b": b"Dear colleague"})
    refusal = refused(tmp_path)
    assert refusal.code == "nothing_usable"
    assert "2 of 2 files could not be read: empty file (1), not an image (1)" in str(refusal)


@pytest.mark.parametrize(
    ("name", "code"),
    [("case-1", "empty_file"), ("case-2.dcm", "not_an_image"), ("case-3", "missing_path")],
)
def test_one_unreadable_file_is_refused_by_its_own_reason(tmp_path, name, code):
    write(tmp_path, {"case-1": b"", "case-2.dcm": b"Dear colleague, please find attached"})
    refusal = refused(tmp_path / name)
    assert refusal.code == code
    assert str(tmp_path) not in str(refusal)
    assert name not in str(refusal)


def test_nothing_at_all_is_refused(tmp_path):
    assert refused(tmp_path).code == "no_files"
    assert refused([]).code == "no_files"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device file")
def test_a_device_is_not_read():
    assert refused("/dev/zero").code == "unreadable_file"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe").code == "unreadable_file"


def test_kinds_are_not_mixed(tmp_path):
    write(tmp_path, {"a.png": raster(ramp()), "b.dcm": dicom(ramp())})
    refusal = refused(tmp_path)
    assert refusal.code == "several_kinds"
    assert "raster 1, dicom 1" in str(refusal)


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"entries": 2}, "too_many_files"),
        ({"slices": 2}, "too_many_slices"),
        ({"total_pixels": 2 * 16 * 24}, "case_too_large"),
        ({"total_bytes": 2 * len(raster(ramp()))}, "total_too_large"),
    ],
)
def test_a_limit_of_the_case_refuses_all_of_it(tmp_path, limits, code):
    folder = write(tmp_path, {f"{index}": raster(ramp()) for index in range(3)})
    assert read_case(folder).slices
    refusal = refused(folder, **limits)
    assert refusal.code == code
    assert refusal.limit == next(iter(limits.values()))
    assert refusal.actual > refusal.limit


def test_damaged_files_are_not_decoded_without_end(tmp_path):
    damaged = raster(ramp(64, 64))[:-100]
    folder = write(tmp_path, {"a": raster(ramp()), "b": damaged, "c": damaged})
    assert read_case(folder, limits=Limits(damaged=2)).warnings == (
        "2 of 3 files could not be read: truncated or damaged image (2)",
    )
    assert refused(folder, damaged=1).code == "too_many_damaged"


def test_a_limit_of_a_file_is_a_warning_where_there_are_others(tmp_path):
    folder = write(tmp_path, {"a": raster(ramp()), "b": raster(ramp(100, 100))})
    assert read_case(folder, limits=Limits(pixels=5000)).warnings == (
        "1 of 2 files could not be read: plane too large (1)",
    )
    assert refused(folder / "b", pixels=5000).code == "too_many_pixels"
    assert refused(folder / "b", file_bytes=50).code == "file_too_large"


def test_neither_torch_nor_the_medical_libraries_are_imported_before_they_are_needed():
    import subprocess

    program = (
        "import sys, hub_model.reading\n"
        "print([name for name in ('torch', 'pydicom', 'nibabel') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


@settings(max_examples=40, deadline=None)
@given(
    head=st.sampled_from([b"", *(data[:400] for data in ONE_OF_EACH_KIND.values())]),
    tail=st.binary(max_size=300),
)
def test_whatever_the_bytes_are_they_are_read_or_refused(head, tail):
    try:
        assert read_bytes(head + tail).slices
    except InputRejected as refusal:
        assert refusal.code  # noqa: PT017


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(ONE_OF_EACH_KIND)),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=5),
)
def test_a_file_with_altered_bytes_is_read_or_refused(kind, changes):
    data = bytearray(ONE_OF_EACH_KIND[kind])
    for place, value in changes:
        data[place % len(data)] = value
    try:
        case = read_bytes(bytes(data))
    except InputRejected:
        return
    for piece in case.slices:
        assert piece.pixels.ndim == 2
        assert np.isfinite(piece.pixels).all()
