"""A drawn patient as the files people upload: DICOM series, ZIP of it, NIfTI volume, PNG or JPEG.

The head faces up and is seen from the feet: columns run to the patient's left, rows to the back.
Every name, number and date in a file says phantom, unless an identity is planted on purpose to see
that nothing shows it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from hub_model.errors import UsageError
from training.sources.phantom import draw
from training.sources.phantom_heads import HALF_HEIGHT, HIGHEST, LOWEST, Head, spacing
from training.sources.phantom_texture import as_jpeg, as_png

SLICES = 24  # 1.35 x 85 mm of head make 5 mm between slices
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the format's first day, so that equal content is equal bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """What a DICOM file says of a person; the defaults are nobody's.

    Args:
        name: DICOM person name, family^given.
        patient_id: hospital number.
        birth_date: YYYYMMDD.
        institution: name of the hospital.
        physician: DICOM person name of who referred the patient.
    """

    name: str = "PHANTOM^DRAWN"
    patient_id: str = "PHANTOM"
    birth_date: str = "19000101"
    institution: str = "PHANTOM"
    physician: str = "PHANTOM^NOBODY"


def heights(n_slices: int) -> NDArray[np.float64]:
    """`(n_slices,)` levels from the lowest to the highest that can be drawn, evenly spaced."""
    if n_slices < 2:
        raise UsageError(f"a volume of {n_slices} slices was asked for: it needs 2 or more")
    return np.linspace(LOWEST, HIGHEST, n_slices)


def dicom_files(
    head: Head, *, n_slices: int = SLICES, identity: Identity | None = None
) -> Iterator[bytes]:
    """One MR Image Storage file a slice, from the base upwards, 12 bits, explicit little endian.

    Args:
        head: whose head.
        n_slices: 2 or more.
        identity: planted in place of the phantom's own.

    Yields:
        Whole files with preamble and meta header; equal bytes for equal arguments.
    """
    person = identity or Identity(name=f"PHANTOM^{head.name.upper()}")
    key = f"neuroguard phantom {head.key} {head.label}"
    study, series, frame = (generate_uid(entropy_srcs=[key, part]) for part in ("1", "2", "3"))
    step = float(np.diff(heights(n_slices))[0]) * HALF_HEIGHT
    for number, level in enumerate(heights(n_slices), start=1):
        dataset = _mr_header(person, study)
        dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = series, frame
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[key, f"slice {number}"])
        dataset.InstanceNumber = number
        _place(dataset, head, float(level), step)
        _fill(dataset, draw(head, float(level), bits=12).pixels)
        yield _encode(dataset)


def _mr_header(person: Identity, study: str) -> Dataset:
    """What is the same in every file of the series: patient, study, equipment, sequence."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    dataset.SOPClassUID = MRImageStorage
    dataset.StudyDate, dataset.StudyTime = "19000101", "000000"
    dataset.AccessionNumber, dataset.StudyID = "PHANTOM", "PHANTOM"
    dataset.Modality = "MR"
    dataset.Manufacturer = "PHANTOM"
    dataset.InstitutionName = person.institution
    dataset.ReferringPhysicianName = person.physician
    dataset.StudyDescription, dataset.SeriesDescription = "PHANTOM", "PHANTOM T1 AXIAL"
    dataset.PatientName, dataset.PatientID = person.name, person.patient_id
    dataset.PatientBirthDate, dataset.PatientSex = person.birth_date, "O"
    dataset.ScanningSequence, dataset.SequenceVariant = "SE", "NONE"
    dataset.ScanOptions, dataset.MRAcquisitionType = "", "2D"
    dataset.RepetitionTime, dataset.EchoTime, dataset.EchoTrainLength = "500", "10", "1"
    dataset.PatientPosition = "HFS"
    dataset.StudyInstanceUID = study
    dataset.SeriesNumber = 1
    dataset.PositionReferenceIndicator = ""
    return dataset


def _place(dataset: Dataset, head: Head, level: float, step: float) -> None:
    """Where the slice is, in mm; x to the left, y to the back, z to the head (PS3.3 C.7.6.2)."""
    rows, columns = head.radius.shape
    pixel = spacing(head)
    corner = (-(columns - 1) / 2 * pixel, -(rows - 1) / 2 * pixel, level * HALF_HEIGHT)
    dataset.PixelSpacing = [f"{pixel:.6f}"] * 2
    dataset.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    dataset.ImagePositionPatient = [f"{value:.4f}" for value in corner]
    dataset.SliceLocation = f"{corner[2]:.4f}"
    dataset.SliceThickness = dataset.SpacingBetweenSlices = f"{step:.4f}"


def _fill(dataset: Dataset, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Pixels of 0-4095 and the window that shows all of them."""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = "2048", "4096"
    dataset.PixelData = pixels.astype("<u2").tobytes()


def _encode(dataset: Dataset) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def write_dicom_series(
    head: Head, folder: Path, *, n_slices: int = SLICES, identity: Identity | None = None
) -> list[Path]:
    """The series as ``slice-001.dcm`` and so on in a folder that is made if need be; the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, content in enumerate(dicom_files(head, n_slices=n_slices, identity=identity), 1):
        paths.append(folder / f"slice-{number:03d}.dcm")
        paths[-1].write_bytes(content)
    return paths


def write_zip(
    head: Head, file: Path, *, n_slices: int = SLICES, identity: Identity | None = None
) -> None:
    """The series as one ZIP file, deflated, without dates."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(
            dicom_files(head, n_slices=n_slices, identity=identity), 1
        ):
            entry = zipfile.ZipInfo(f"series/slice-{number:03d}.dcm", ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def write_nifti(head: Head, file: Path, *, n_slices: int = SLICES) -> None:
    """The head as a ``.nii`` or ``.nii.gz`` volume: uint16 `(columns, rows, slices)`, axes L P S.

    The affine gives mm to the right, front and top (RAS), so left and back are negative in it.
    """
    import nibabel

    levels = heights(n_slices)
    planes = [draw(head, float(level), bits=12).pixels.T for level in levels]
    columns, rows = planes[0].shape
    pixel, step = spacing(head), float(levels[1] - levels[0]) * HALF_HEIGHT
    affine = np.diag([-pixel, -pixel, step, 1.0])
    affine[:3, 3] = (columns - 1) / 2 * pixel, (rows - 1) / 2 * pixel, levels[0] * HALF_HEIGHT
    volume = nibabel.Nifti1Image(np.stack(planes, axis=-1).astype(np.uint16), affine)
    volume.header.set_xyzt_units("mm")
    volume.header["descrip"] = b"PHANTOM"
    nibabel.save(volume, file)


def write_raster(head: Head, level: float, file: Path) -> None:
    """One slice as 8-bit ``.png`` or ``.jpg``."""
    pixels = draw(head, level).pixels.astype(np.uint8, copy=False)
    if file.suffix == ".png":
        file.write_bytes(as_png(pixels))
    elif file.suffix == ".jpg":
        file.write_bytes(as_jpeg(pixels, 90))
    else:
        raise UsageError(f"a slice was asked for as {file.suffix!r}: use .png or .jpg")
