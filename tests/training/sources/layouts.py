"""Small sources written in the layouts of the real ones, and where the real ones are."""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from training.sources.layout import Source

REAL = Path(__file__).resolve().parents[4] / "shared" / "data"
needs_real = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (REAL / "kaggle").is_dir(), reason="the real images are not beside the repository"
    ),
]


def png(value: int, shape: tuple[int, ...] = (4, 4)) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full(shape, value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def put(file: Path, content: bytes | str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def decoded(image: bytes | None) -> np.ndarray:
    assert image is not None
    return np.asarray(Image.open(io.BytesIO(image)))


def downloaded(cache: Path, source: Source) -> Path:
    """The folder in which the Kaggle client finds a whole download of the source's version."""
    assert source.handle is not None
    kept = cache / "datasets" / source.handle
    folder = kept / "versions" / str(source.version)
    folder.mkdir(parents=True)
    (kept / f"{source.version}.complete").touch()
    return folder


def tiff(file: Path, pixels: np.ndarray) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file, "TIFF")
    return file


def matlab_slice(file: Path, label: int, patient: str, image: np.ndarray, mask: np.ndarray) -> Path:
    """As MATLAB 7.3 writes a struct: matrices by columns, text as codes of its letters."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(file, "w") as content:
        data = content.create_group("cjdata")
        data["label"] = np.array([[float(label)]])
        data["PID"] = np.array([[ord(letter)] for letter in patient], np.uint16)
        data["image"] = image.T
        data["tumorMask"] = mask.T
        data["tumorBorder"] = np.zeros((1, 6))
    return file


def matlab_folds(file: Path, folds: list[int]) -> Path:
    with h5py.File(file, "w") as content:
        content["cvind"] = np.array(folds, np.float64)[None]
    return file
