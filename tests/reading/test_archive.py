"""ZIP files: what is read from them and what is refused."""

from __future__ import annotations

import io
import stat
import zipfile

import numpy as np
import pytest

from hub_model.errors import InputRejected
from hub_model.reading import Limits, read_bytes
from tests.reading.samples import archive, dicom, nifti, ramp, raster, stack

PICTURE = raster(ramp())


def refused(data: bytes, **limits: int) -> InputRejected:
    with pytest.raises(InputRejected) as refusal:
        read_bytes(data, limits=Limits(**limits))
    return refusal.value


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_series_in_a_zip_is_read_like_its_files(method):
    files = {f"series/{name}": data for name, data in zip("cab", stack(3), strict=True)}
    case = read_bytes(archive(files, method))
    assert [float(piece.pixels[0, 0]) for piece in case.slices] == [0, 1, 2]


def test_rasters_in_a_zip_come_in_the_order_of_their_names():
    files = {name: raster(ramp() + index) for index, name in enumerate(("b.png", "c.png", "a.png"))}
    assert [int(piece.pixels[0, 0]) for piece in read_bytes(archive(files)).slices] == [2, 0, 1]


def test_a_volume_in_a_zip_is_read():
    assert len(read_bytes(archive({"t1.nii": nifti(np.ones((3, 4, 5), np.int16))})).slices) == 5


def test_what_macos_adds_is_left_out():
    files = {
        "a.png": PICTURE,
        "__MACOSX/._a.png": b"resource fork",
        ".DS_Store": b"x",
        ".hidden/b.png": PICTURE,
    }
    case = read_bytes(archive(files))
    assert len(case.slices) == 1
    assert case.warnings == ()


@pytest.mark.parametrize(
    "name", ["../a.png", "/a.png", "a/../../b.png", "C:/a.png", "..\\a.png", "\\a.png"]
)
def test_a_name_that_points_outside_is_refused(name):
    refusal = refused(archive({name: PICTURE, "b.png": PICTURE}))
    assert refusal.code == "zip_path"
    assert name not in str(refusal)


def test_a_link_is_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        link = zipfile.ZipInfo("a.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        target.writestr(link, "/etc/passwd")
    assert refused(stream.getvalue()).code == "zip_symlink"


def test_an_encrypted_archive_is_refused():
    data = bytearray(archive({"a.png": PICTURE}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert refused(bytes(data)).code == "zip_encrypted"


def test_a_zip_inside_a_zip_is_refused():
    assert refused(archive({"a.png": PICTURE, "b": archive({"c": PICTURE})})).code == "zip_nested"


def test_a_method_that_inflates_without_bound_is_refused():
    refusal = refused(archive({"a.png": PICTURE}, zipfile.ZIP_LZMA))
    assert refusal.code == "unsupported"


def test_more_entries_than_the_limit_are_refused():
    refusal = refused(archive({f"{index}": b"" for index in range(5)}), entries=4)
    assert (refusal.code, refusal.limit, refusal.actual) == ("too_many_files", 4, 5)


def test_an_archive_that_inflates_too_far_is_refused_by_what_it_declares():
    blank = dicom(np.zeros((512, 512), np.uint16))
    data = archive({"a": blank})
    assert refused(data, ratio=100, ratio_free_bytes=1000).code == "zip_ratio"
    assert read_bytes(data).slices  # one blank slice is no bomb


def test_an_entry_that_holds_more_than_it_declares_is_refused():
    data = bytearray(archive({"a.png": PICTURE + bytes(100_000)}))
    place = data.index(b"PK\x01\x02") + 24  # uncompressed size in the directory
    data[place : place + 4] = len(PICTURE).to_bytes(4, "little")
    assert refused(bytes(data)).code == "bad_archive"


def test_one_entry_and_all_together_have_limits():
    picture = raster(np.zeros((100, 100), np.uint8), "BMP")
    data = archive({"a.bmp": picture, "b.bmp": picture})
    assert len(data) < len(picture)
    assert refused(data, file_bytes=len(picture) - 1).code == "file_too_large"
    assert refused(data, total_bytes=2 * len(picture) - 1).code == "total_too_large"


def test_a_damaged_entry_is_a_warning():
    data = bytearray(archive({"a.png": PICTURE, "b.png": PICTURE}, zipfile.ZIP_STORED))
    data[data.index(PICTURE) + 60] ^= 0xFF
    case = read_bytes(bytes(data))
    assert len(case.slices) == 1
    assert case.warnings == ("1 of 2 files could not be read: damaged archive (1)",)


@pytest.mark.parametrize("files", [{}, {".hidden": PICTURE}])
def test_an_archive_without_files_is_refused(files):
    assert refused(archive(files)).code == "no_files"


def test_a_truncated_archive_is_refused():
    data = archive({"a.png": PICTURE})
    assert refused(data[: len(data) // 2]).code == "bad_archive"
