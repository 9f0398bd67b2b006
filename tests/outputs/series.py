"""A small DICOM series with a patient, and masks on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import generate_uid

from hub_model.outputs.authored import Author
from tests.reading.samples import stack

AUTHOR = Author(revision="0123456789" * 4, finding="tumor")
PATIENT = "Planted^Patient"
OBLIQUE = [0.96, 0.28, 0.0, -0.28, 0.96, 0.0]


def files(count: int = 5, **elements: Any) -> list[bytes]:
    """Files of a series that can be filed, 8 x 8 pixels of 0.5 x 0.75 mm, 4 mm apart."""
    return stack(
        count,
        OBLIQUE,
        **{
            "SliceThickness": 4,
            "PatientName": PATIENT,
            "PatientID": "PLANTED-ID",
            "StudyInstanceUID": generate_uid(entropy_srcs=["study"]),
            "FrameOfReferenceUID": generate_uid(entropy_srcs=["frame"]),
            **elements,
        },
    )


def masks(count: int = 5) -> list[NDArray[np.bool_]]:
    """Two slices hold a part of an object that is no mirror image of itself; 9 pixels in all."""
    found = [np.zeros((8, 8), bool) for _ in range(count)]
    found[1][2:4, 5:8] = True
    if count > 2:
        found[2][3, 5:8] = True
    return found
