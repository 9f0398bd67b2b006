"""CT slices drawn out of nothing but a seed: heads with a skull, few of them with a bright lesion.

A drawing in Hounsfield units, not an anatomy: it says nothing about any patient and exists so that
every step from DICOM files to a served revision can run without real ones. Nothing but the lesion
differs between slices with and without; scanners differ in how they store the same units.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from training.sources import NO_FINDING, Record
from training.sources.phantom_texture import Plane, grid, paint, ramp, smooth_noise
from training.whole_file import whole_file

SOURCE = "phantom_ct"
FINDING = "lesion"
SLICES = 3  # of a patient
EVERY = 6  # patients, of whom one has a lesion, in one slice: 17 slices without to one with
SIDE = 128  # pixels
CSV = "labels.csv"
Units = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Scanner:
    """How one scanner writes a file; all of them mean the same units.

    Args:
        intercept: HU of a stored 0.
        signed: whether stored values are.
        padding: stored value outside the round field of view; None: all of the square is seen.
        stated: whether the header names that value.
        implicit: implicit value representations.
        windows: centres and widths that the header asks for.
    """

    intercept: int
    signed: bool
    padding: int | None
    stated: bool
    implicit: bool
    windows: tuple[tuple[int, int], ...]


SCANNERS = (
    Scanner(-1024, False, None, False, False, ((40, 80),)),
    Scanner(-1024, True, -2000, True, False, ((40, 80), (600, 2800))),
    Scanner(0, True, -3024, False, True, ((35, 120),)),
    Scanner(-1000, True, -2000, False, False, ()),
)


@dataclass(frozen=True, slots=True)
class Patient:
    """What the slices of a patient share.

    Args:
        index: number of the patient.
        seed: of the phantom.
        lesion: number of the slice that shows one; None: no slice does.
    """

    index: int
    seed: int
    lesion: int | None

    @property
    def name(self) -> str:
        """E.g. ``"ct-patient-0007"``."""
        return f"ct-patient-{self.index:04d}"

    @property
    def scanner(self) -> Scanner:
        """That the patient was seen by; it says nothing of the lesion."""
        return SCANNERS[int(np.random.default_rng((self.seed, self.index, 9)).integers(4))]


def patient(index: int, seed: int, every: int = EVERY) -> Patient:
    """Patient number `index` of a seed; one in `every` has a lesion."""
    which = int(np.random.default_rng((seed, index, 8)).integers(SLICES))
    return Patient(index, seed, which if index % every == 0 else None)


def units(one: Patient, number: int, side: int = SIDE) -> Units:
    """`(side, side)` HU of one slice, with air around the head and a headrest below it.

    Args:
        one: whose.
        number: of the slice, from 0.
        side: pixels, 32 or more.
    """
    rng = np.random.default_rng((one.seed, one.index))
    x, y = grid((side, side))
    level = 1 - 0.12 * number
    wide, tall = rng.uniform(0.55, 0.68) * level, rng.uniform(0.7, 0.82) * level
    turn, right, down = rng.normal(0, 0.08), rng.normal(0, 0.05), rng.normal(-0.03, 0.04)
    across = math.cos(turn) * (x - right) + math.sin(turn) * (y - down)
    along = math.cos(turn) * (y - down) - math.sin(turn) * (x - right)
    radius = np.hypot(across / wide, along / tall)
    bone, scalp = rng.uniform(900, 1500), rng.uniform(-20, 40)
    thick, size = rng.uniform(0.07, 0.12), rng.uniform(0.6, 1.3)
    own = np.random.default_rng((one.seed, one.index, number))
    plane = 31 + 3 * smooth_noise(own, (side, side), 7)
    for half in (-1, 1):
        horn = np.hypot((across - half * 0.11) / (0.06 * size), (along + 0.02) / (0.22 * size))
        paint(plane, ramp(1 - horn, 0.4), 6.0)
    # Drawn for every slice, so that nothing but the lesion itself depends on there being one.
    angle, reach = own.uniform(0, 2 * math.pi), own.uniform(0.25, 0.6)
    extent, strength = own.uniform(0.1, 0.2), own.uniform(62, 85)
    edge = 0.15 * smooth_noise(own, (side, side), 9)
    if number == one.lesion:
        middle = reach * wide * math.cos(angle), reach * tall * math.sin(angle)
        spot = np.hypot(across - middle[0], along - middle[1]) / extent
        paint(plane, ramp(1 - spot + edge, 0.3), strength)
    paint(plane, ramp(radius - (0.95 - thick), 0.03), bone)
    paint(plane, ramp(radius - 0.95, 0.02), scalp)
    paint(plane, ramp(radius - 1, 0.02), -1000.0)
    rest = np.abs(np.hypot(x - right, y - down + 0.3) - (tall + 0.36)) - 0.015
    paint(plane, ramp(-rest, 0.02) * (y > 0.5), 120.0)
    plane += rng.uniform(2.5, 5) * own.standard_normal(plane.shape, dtype=np.float32)
    return np.rint(np.clip(plane, -1000, 3000)).astype(np.int16)


def as_dicom(plane: Units, scanner: Scanner, who: str, name: str) -> bytes:
    """A whole CT file of those units; equal bytes for equal arguments.

    Args:
        plane: `(H, W)` HU.
        scanner: how it stores them.
        who: patient; becomes PatientID and the study's number.
        name: of the image, which its own number is made from.
    """
    stored = plane.astype(np.int32) - scanner.intercept
    dataset = Dataset()
    if scanner.padding is not None:
        x, y = grid(plane.shape)
        stored[np.hypot(x, y) > 1] = scanner.padding
        if scanner.stated:
            dataset.PixelPaddingValue = scanner.padding
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["neuroguard phantom ct", name])
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["neuroguard phantom ct study", who])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["neuroguard phantom ct series", who])
    dataset.Modality, dataset.Manufacturer, dataset.PatientID = "CT", "PHANTOM", f"PHANTOM-{who}"
    dataset.StudyDate, dataset.StudyDescription = "19000101", "PHANTOM"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = plane.shape
    dataset.PixelSpacing, dataset.SliceThickness = ["1.8", "1.8"], "5"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, int(scanner.signed)
    dataset.RescaleIntercept, dataset.RescaleSlope = str(scanner.intercept), "1"
    dataset.RescaleType = "HU"
    if scanner.windows:
        dataset.WindowCenter, dataset.WindowWidth = (
            [str(value) for value in values] for values in zip(*scanner.windows, strict=True)
        )
    dataset.PixelData = stored.astype("<i2" if scanner.signed else "<u2").tobytes()
    meta = dataset.file_meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if scanner.implicit else ExplicitVRLittleEndian
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def ct_records(
    n_patients: int, seed: int, side: int = SIDE, every: int = EVERY
) -> Iterator[Record]:
    """Slices of drawn patients, `SLICES` each; the first n of a seed are the same for every n.

    Args:
        n_patients: 1 or more.
        seed: 0 or more.
        side: pixels of a slice.
        every: patients, of whom one has a lesion.

    Yields:
        DICOM files of source `SOURCE`, group "ct-patient-0000" and so on.
    """
    for index in range(n_patients):
        one = patient(index, seed, every)
        for number in range(SLICES):
            name = f"{one.name}-{number}"
            finding = FINDING if number == one.lesion else NO_FINDING
            image = as_dicom(units(one, number, side), one.scanner, one.name, f"{seed} {name}")
            yield Record(image, None, finding, one.name, SOURCE, f"{name}.dcm")


def write_folder(
    folder: Path, n_patients: int, seed: int, side: int = SIDE, every: int = EVERY
) -> int:
    """The same as a folder of files and the CSV of their labels; returns how many files.

    Args:
        folder: is made if need be.
        n_patients: 1 or more.
        seed: 0 or more.
        side: pixels of a slice.
        every: patients, of whom one has a lesion.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with whole_file(folder / CSV) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("ID", "Label"))
        for record in ct_records(n_patients, seed, side, every):
            (folder / record.path).write_bytes(record.image)
            table.writerow((Path(record.path).stem, int(record.finding == FINDING)))
            count += 1
    return count


def outline(x: Plane, y: Plane, wide: float, tall: float) -> Plane:
    """1 in the middle, 0 on the ellipse, negative outside."""
    found: Plane = 1 - np.hypot(x / wide, y / tall)
    return found
