"""The entry that Inference Endpoints looks for: a request in, the verdict on one case out.

A bundle holds this file twice, in the package and at its top, where the endpoint imports it. It
needs the package beside it and nothing of training.

Note:
    A request with an image content type is decoded by the endpoint's own toolkit, which hands over
    an RGB image: grey values of more than 8 bits are clipped on that way, turns noted in EXIF are
    lost, and DICOM, NIfTI and ZIP are not taken. Send those as base64 inside JSON:
    `{"inputs": "<base64 of the file>"}`, or a list of such strings for the slices of one case.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from hub_model.case import Case
from hub_model.errors import InputRejected
from hub_model.predictor import GuardedClassifier
from hub_model.reading import read_bytes, read_case
from hub_model.reading.encoded import decoded

PNG_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")


class EndpointHandler:
    """One bundle, loaded once, answering requests.

    Args:
        path: the bundle's folder; the endpoint names it.

    Raises:
        BundleError: the bundle breaks the contract; the endpoint does not start then.
    """

    def __init__(self, path: str = "") -> None:
        self._classifier = GuardedClassifier.from_folder(path)

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The verdict on one case as JSON values.

        Args:
            data: under "inputs" one file or the files of one case in reading order, each as bytes,
                as a base64 string or as a decoded PIL image.

        Returns:
            `Decision.to_dict()` and the "warnings" about the files; the "revision" is the bundle's
            content hash. What cannot be read gives `{"error": {"code", "message"}}`.
        """
        try:
            case = _case(data.get("inputs"))
        except InputRejected as refusal:
            return {"error": {"code": refusal.code, "message": str(refusal)}}
        return {**self._classifier.predict(case).to_dict(), "warnings": list(case.warnings)}


def _case(inputs: Any) -> Case:
    if not isinstance(inputs, list | tuple):
        return read_bytes(_file(inputs))
    files = [_file(one) for one in inputs]
    with TemporaryDirectory() as folder:  # several files have one reader, and it takes paths
        paths = [Path(folder, str(index)) for index in range(len(files))]
        for path, file in zip(paths, files, strict=True):
            path.write_bytes(file)
        return read_case(paths)


def _file(value: Any) -> bytes:
    """The bytes of one file, however it was sent."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return decoded(value)
    if isinstance(value, Image.Image):
        return _encoded(value)
    raise InputRejected(
        "bad_inputs",
        f"inputs hold {type(value).__name__}: send a file as base64, as bytes or as an image, or a "
        "list of those for one case",
    )


def _encoded(image: Image.Image) -> bytes:
    """The same pixels as a file, so that they take the one path that uploads take."""
    if image.mode not in PNG_MODES:
        raise InputRejected(
            "unsupported", f"an image in mode {image.mode}: send the file itself as base64"
        )
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=0)
    return file.getvalue()
