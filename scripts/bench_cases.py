"""The cases of the benchmark: one drawn patient as JPEG files and as a ZIP of a DICOM series."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

SIDE = 512  # pixels of a slice, as most slices of the public collections have
PATIENT = 1  # of the drawn ones; its head fills the usual two thirds of the image
SERIES = "series.zip"


def write(folder: Path, slices: int) -> None:
    """Both forms, of `SIDE` x `SIDE` grey slices.

    Args:
        folder: is there and empty.
        slices: 2 or more.
    """
    from PIL import Image

    from training.sources.phantom import draw
    from training.sources.phantom_files import dicom_files, heights
    from training.sources.phantom_heads import make_head

    head = make_head(PATIENT, seed=0)
    for number, level in enumerate(heights(slices)):
        image = Image.fromarray(draw(head, float(level)).pixels)
        big = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        big.save(folder / f"slice-{number:03d}.jpg", quality=90)
    with zipfile.ZipFile(folder / SERIES, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(dicom_files(head, n_slices=slices)):
            archive.writestr(f"slice-{number:03d}.dcm", _enlarged(content))


def cases(folder: Path) -> dict[str, list[Path]]:
    """The files of every case that `write` has left in a folder, by the case's name."""
    files = sorted(folder.glob("*.jpg"))
    return {"jpeg": files, "dicom": [folder / SERIES], "one": [files[len(files) // 2]]}


def _enlarged(content: bytes) -> bytes:
    """A DICOM file of 12 bits with `SIDE` x `SIDE` pixels."""
    import numpy as np
    from PIL import Image
    from pydicom import dcmread

    dataset = dcmread(io.BytesIO(content))
    small = Image.fromarray(dataset.pixel_array.astype(np.float32))
    big = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    dataset.PixelSpacing = [f"{float(dataset.PixelSpacing[0]) * small.width / SIDE:.6f}"] * 2
    dataset.Rows = dataset.Columns = SIDE
    dataset.PixelData = np.rint(big).clip(0, 4095).astype("<u2").tobytes()
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()
