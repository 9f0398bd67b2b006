"""One DICOM file as a row of numbers and codes: how it was made, and how its units lie.

Nothing of the patient is kept but a pseudonym: elements are taken by name, and none of those is
named by PS3.15 table E.1-1 as one that tells who somebody is. Units are those that serving reads.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from hub_model import windows
from hub_model.case import AIR, PADDING, Hounsfield
from hub_model.contract import PreprocessSpec
from hub_model.errors import InputRejected
from hub_model.reading import read_bytes
from training.sources import ct

Value = str | bool | int | float | list[float] | list[int] | None
Row = dict[str, Value]

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
BIN = 16  # HU
EDGES = np.arange(AIR, 2048 + BIN, BIN)  # of the histogram; what is denser counts in the last bin
SOFT, BONE, GAS = (0, 80), 300, -500  # HU: brain and blood; denser than; thinner than


def _text(value: Any) -> str:
    return str(value).strip()


def _number(value: Any) -> float:
    return float(value)


def _numbers(value: Any) -> list[float]:
    return [float(one) for one in (value if hasattr(value, "__len__") else [value])]


Kind = tuple[Callable[[Any], Value], pa.DataType]
_ONE_TEXT: Kind = (_text, pa.string())
_ONE_NUMBER: Kind = (_number, pa.float64())
_ONE_COUNT: Kind = (int, pa.int64())
_SOME_NUMBERS: Kind = (_numbers, pa.list_(pa.float64()))
_ELEMENTS: dict[str, tuple[str, Kind]] = {  # column to the element it is taken from
    "modality": ("Modality", _ONE_TEXT),
    "sop_class": ("SOPClassUID", _ONE_TEXT),
    "manufacturer": ("Manufacturer", _ONE_TEXT),
    "scanner": ("ManufacturerModelName", _ONE_TEXT),
    "kernel": ("ConvolutionKernel", _ONE_TEXT),
    "body_part": ("BodyPartExamined", _ONE_TEXT),
    "kvp": ("KVP", _ONE_NUMBER),
    "tilt_degrees": ("GantryDetectorTilt", _ONE_NUMBER),
    "thickness_mm": ("SliceThickness", _ONE_NUMBER),
    "spacing_mm": ("PixelSpacing", _SOME_NUMBERS),
    "rows": ("Rows", _ONE_COUNT),
    "columns": ("Columns", _ONE_COUNT),
    "frames": ("NumberOfFrames", _ONE_COUNT),
    "photometric": ("PhotometricInterpretation", _ONE_TEXT),
    "bits_stored": ("BitsStored", _ONE_COUNT),
    "signed": ("PixelRepresentation", (bool, pa.bool_())),
    "padding": ("PixelPaddingValue", _ONE_COUNT),
    "slope": ("RescaleSlope", _ONE_NUMBER),
    "intercept": ("RescaleIntercept", _ONE_NUMBER),
    "rescale_type": ("RescaleType", _ONE_TEXT),
    "window_centres": ("WindowCenter", _SOME_NUMBERS),
    "window_widths": ("WindowWidth", _SOME_NUMBERS),
}
_INTENSITIES = (
    "seen", "hu_min", "hu_max", "hu_mean", "hu_std", *(f"hu_p{one:02d}" for one in PERCENTILES),
    "gas", "bone", "soft", "soft_mean", "soft_std", "box_share",
)  # fmt: skip
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # name of the file without .dcm
        pa.field("label", pa.string()),  # of the CSV; null: the file has none
        pa.field("group", pa.string()),  # pseudonym of the patient, or of the study
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("refused", pa.string(), nullable=False),  # the reader's code; "": it reads
        pa.field("names_somebody", pa.bool_(), nullable=False),  # see `ct.names_somebody`
        pa.field("transfer_syntax", pa.string()),
        *(pa.field(name, kind) for name, (_, (_, kind)) in _ELEMENTS.items()),
        # Of the first frame's units without padding; shares 0-1, the rest in HU. Null: it has none.
        *(pa.field(name, pa.float64()) for name in _INTENSITIES),
        pa.field("box", pa.list_(pa.int64())),  # crop: top, bottom, left, right, ends excluded
        pa.field("histogram", pa.list_(pa.int64())),  # pixels by unit, see `EDGES`
    ]
)


def look(file: Path, label: str | None, source: str, spec: PreprocessSpec) -> Row:
    """The row of a file; what cannot be read is null, and why stands in `refused`.

    Args:
        file: may hold anything.
        label: of the CSV.
        source: name that pseudonyms are made with.
        spec: how units are cleaned and cropped.

    Returns:
        A value for every column of `SCHEMA`.
    """
    data = file.read_bytes()
    row: Row = dict.fromkeys(SCHEMA.names)
    row |= {"id": file.stem, "label": label, "bytes": len(data), "refused": ""}
    row["names_somebody"] = False
    header = ct.header_of(data, *(keyword for keyword, _ in _ELEMENTS.values()))
    if header is not None:
        row |= _of_header(header, source)
    try:
        units = read_bytes(data).slices[0].hounsfield
    except InputRejected as error:
        return row | {"refused": error.code}
    return row if units is None else row | _of_units(units, spec)


def _of_header(header: Dataset, source: str) -> Row:
    found: Row = {
        "group": ct.pseudonym(header, source),
        "names_somebody": ct.names_somebody(header),
        "transfer_syntax": ct.stated(header.file_meta, "TransferSyntaxUID") or None,
    }
    for name, (keyword, (read, _)) in _ELEMENTS.items():
        value = header.get(keyword)
        if value is not None and value != "":
            try:
                found[name] = read(value)
            except (TypeError, ValueError):  # says something else than the standard has there
                found[name] = None
    return found


def _of_units(units: Hounsfield, spec: PreprocessSpec) -> Row:
    plane, seen = windows.cleaned(units, spec.floor_percentile)
    box = (0, plane.shape[0], 0, plane.shape[1])
    if spec.skull_percentile is not None:
        box = windows.skull_box(plane, seen, spec.skull_percentile, spec.crop_margin)
    soft = seen[(seen >= SOFT[0]) & (seen <= SOFT[1])]
    found: Row = {
        "seen": float((units != PADDING).mean()),
        "hu_min": float(seen.min()),
        "hu_max": float(seen.max()),
        "hu_mean": float(seen.mean()),
        "hu_std": float(seen.std()),
        "gas": float((seen < GAS).mean()),
        "bone": float((seen > BONE).mean()),
        "soft": soft.size / seen.size,
        "soft_mean": float(soft.mean()) if soft.size else None,
        "soft_std": float(soft.std()) if soft.size else None,
        "box": list(box),
        "box_share": (box[1] - box[0]) * (box[3] - box[2]) / plane.size,
        "histogram": histogram(seen).tolist(),
    }
    units_at = np.percentile(seen, PERCENTILES).tolist()
    return found | dict(zip((f"hu_p{one:02d}" for one in PERCENTILES), units_at, strict=True))


def histogram(seen: Hounsfield) -> NDArray[np.int64]:
    """`(192,)` how many pixels lie in each bin of `EDGES`, none left out.

    Args:
        seen: units, `AIR` or more.
    """
    inside = np.minimum(seen, EDGES[-1] - 1)
    return np.histogram(inside, EDGES)[0].astype(np.int64)
