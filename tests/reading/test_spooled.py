"""Planes that memory has no place for: the same bytes from a file, which leaves nothing behind."""

from __future__ import annotations

import gc
import gzip
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from hub_model.case import Case
from hub_model.errors import InputRejected
from hub_model.reading import Limits, nifti_voxels, read_bytes, read_case, unread
from hub_model.reading.limits import DEFAULT_LIMITS, Budget, CaseLimit
from hub_model.spool import Spool, Spooled
from tests.reading.samples import archive, dicom, nifti, ramp, raster, stack

NONE_IN_MEMORY = Limits(memory_bytes=0)
VOLUME = np.random.default_rng(0).integers(-500, 2000, (9, 11, 7)).astype(np.int16)
CT = dicom(
    np.arange(-1100, 100, dtype=np.int16).reshape(30, 40),
    Modality="CT",
    RescaleSlope=1,
    RescaleIntercept=0,
)
CASES = {
    "files": archive({str(number): data for number, data in enumerate(stack(6))}),
    "units": CT,
    "frames": dicom(np.stack([ramp(), ramp() + 1])),
    "png": raster(ramp()),
    "tiff": raster(ramp(), "TIFF"),
    "nifti": nifti(VOLUME),
    "nifti.gz": gzip.compress(nifti(VOLUME)),
    "nifti.gz in a zip": archive({"a": gzip.compress(nifti(VOLUME))}),
}
# The most that a file of this process may hold is a full disk to whoever writes one.
PROGRAM = """
import resource, sys, tempfile
from hub_model.errors import InputRejected
from hub_model.reading import Limits, read_case, unread
unread._MEMORY_BYTES = 1
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
tempfile.tempdir = sys.argv[2]
try:
    read_case(sys.argv[1], limits=Limits(memory_bytes=0))
except InputRejected as refusal:
    print(refusal.code, refusal)
"""


def alike(one: Case, other: Case) -> None:
    assert one.warnings == other.warnings
    for first, second in zip(one.slices, other.slices, strict=True):
        assert first.pixels.dtype == second.pixels.dtype
        assert first.shape == second.shape == first.pixels.shape
        assert first.pixels.tobytes() == second.pixels.tobytes()
        assert (first.units is None) == (second.units is None)
        if first.units is not None:
            assert first.hounsfield.tobytes() == second.hounsfield.tobytes()
        assert (first.position, first.spacing, first.place) == (
            second.position,
            second.spacing,
            second.place,
        )


def unnamed(folder: Path) -> list[str]:
    """Files without a name that this process has open in a folder."""
    links = []
    for one in Path("/proc/self/fd").iterdir():
        try:
            links.append(os.readlink(one))
        except FileNotFoundError:  # the one that lists them
            continue
    return [link for link in links if link.startswith(str(folder))]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("kind", CASES)
def test_a_case_is_the_same_from_memory_and_from_a_file(kind):
    held = read_bytes(CASES[kind])
    spooled = read_bytes(CASES[kind], limits=NONE_IN_MEMORY)
    assert not any(isinstance(piece.plane, Spooled) for piece in held.slices)
    assert all(isinstance(piece.plane, Spooled) for piece in spooled.slices)
    alike(held, spooled)
    assert held.slices[0].units is None or kind == "units"


def test_the_first_planes_stay_in_memory_and_the_others_do_not():
    piece = read_bytes(stack(1)[0]).slices[0]
    case = read_bytes(CASES["files"], limits=Limits(memory_bytes=2 * piece.pixels.nbytes))
    assert sum(isinstance(one.plane, Spooled) for one in case.slices) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="reads open files from /proc")
def test_the_file_has_no_name_and_goes_with_the_last_slice(temporary):
    case = read_bytes(CASES["files"], limits=NONE_IN_MEMORY)
    assert len(unnamed(temporary)) == 1
    assert not any(temporary.iterdir())
    last = case.slices[-1]
    del case
    gc.collect()
    assert last.pixels[0, 0] == 5
    del last
    gc.collect()
    assert not unnamed(temporary)


@pytest.mark.skipif(sys.platform != "linux", reason="reads open files from /proc")
@pytest.mark.parametrize("kind", ["files", "nifti.gz in a zip"])
def test_nothing_is_left_of_a_case_that_is_refused_half_way(temporary, monkeypatch, kind):
    monkeypatch.setattr(unread, "_MEMORY_BYTES", 1)
    with pytest.raises(InputRejected) as refusal:
        read_bytes(CASES[kind], limits=Limits(memory_bytes=0, slices=4))
    assert refusal.value.code == "too_many_slices"
    del refusal
    gc.collect()
    assert not unnamed(temporary)
    assert not any(temporary.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files")
@pytest.mark.parametrize("kind", ["units", "files", "nifti.gz", "nifti.gz in a zip"])
def test_a_full_disk_refuses_the_case_and_says_what_to_do(tmp_path, temporary, kind):
    data = archive({str(n): d for n, d in enumerate(stack(20))}) if kind == "files" else CASES[kind]
    (tmp_path / "case").write_bytes(data)
    done = subprocess.run(
        [
            sys.executable,
            "-B",
            "-W",
            "error",
            "-c",
            PROGRAM,
            str(tmp_path / "case"),
            str(temporary),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("no_room ")
    assert "(EFBIG)" in done.stdout
    assert "TMPDIR" in done.stdout
    assert str(tmp_path) not in done.stdout
    assert not done.stderr
    assert not any(temporary.iterdir())


def test_without_a_temporary_folder_a_small_case_is_read_and_a_large_one_refused(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert read_bytes(CASES["nifti.gz"]).slices
    with pytest.raises(CaseLimit, match=r"no room .* \(ENOENT\)") as refusal:
        read_bytes(CASES["files"], limits=NONE_IN_MEMORY)
    assert refusal.value.code == "no_room"


def test_a_file_that_lost_its_end_is_an_error_and_not_zeros():
    spool = Spool()
    plane = spool.put(ramp())
    assert (plane.read() == ramp()).all()
    os.ftruncate(spool._descriptor, 3)
    with pytest.raises(OSError, match="lost its end"):
        plane.read()


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1), (1, -1, -1)])
def test_a_volume_read_in_parts_is_the_volume(monkeypatch, order, flips):
    import nibabel

    volume = VOLUME.astype(np.float32)
    volume[1, 2, 3], volume[8, 10, 6] = np.nan, np.inf
    image = nibabel.Nifti1Image(volume, np.diag([1.0, 1, 3, 1]))
    turned = image.as_reoriented(np.array(list(zip(order, flips, strict=True))))
    data = nifti(np.asarray(turned.dataobj), turned.affine)
    whole = read_bytes(data)
    monkeypatch.setattr(nifti_voxels, "_BAND_BYTES", 1)
    monkeypatch.setattr(nifti_voxels, "_MOST_PASSES", 4)
    monkeypatch.setattr(nifti_voxels, "_PIECE_BYTES", 100)
    parts = read_bytes(data)
    alike(whole, parts)
    assert whole.warnings == (
        "2 voxels that were no numbers became the smallest value (1 of 1 files)",
    )
    least = float(volume[np.isfinite(volume)].min())
    expected = np.where(np.isfinite(volume), volume, least)[::-1, ::-1].swapaxes(0, 1)
    assert (np.stack([piece.pixels for piece in parts.slices], -1) == expected).all()


def test_archives_and_volumes_may_be_larger_than_a_file_that_is_held(tmp_path):
    volume, picture = nifti(VOLUME), raster(ramp(), "BMP")
    small = Limits(file_bytes=len(picture))
    packed = archive({"a.bmp": picture, "b.bmp": picture}, method=0)
    assert len(volume) > len(picture) < len(packed)
    for data in (volume, gzip.compress(volume), archive({"a": volume}), packed):
        assert read_bytes(data, limits=small).slices
        (tmp_path / "case").write_bytes(data)
        assert read_case(tmp_path / "case", limits=small).slices


def test_as_many_slices_as_a_case_may_have_fit_at_512_x_512():
    budget = Budget(DEFAULT_LIMITS)
    for _ in range(DEFAULT_LIMITS.slices):
        budget.sent(512 * 512 * 2 + 4096)
        budget.planes(1, 512, 512)
    with pytest.raises(CaseLimit) as refusal:
        budget.planes(1, 512, 512)
    assert refusal.value.code == "too_many_slices"
