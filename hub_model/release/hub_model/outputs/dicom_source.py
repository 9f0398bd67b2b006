"""The DICOM images that the slices of a case were read from, found again by where they lie.

A case carries no identity, so whoever writes back to an archive hands in the files once more.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pydicom
from pydicom.dataset import Dataset

from hub_model.case import Place, Slice
from hub_model.errors import InputRejected
from hub_model.reading.content import Content, content_of
from hub_model.reading.decoders import silence_pydicom
from hub_model.reading.dicom import header_of_frame, place_of
from hub_model.reading.refusals import refused_as

NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
# Elements of type 2: an empty value says "not known", and that is how an archive wants it said.
MAY_BE_EMPTY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
    "StudyDate", "StudyTime", "ReferringPhysicianName",
)  # fmt: skip
_DAMAGED = "a DICOM file whose elements contradict each other: send it as the scanner wrote it"


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Headers, without pixels, of the images behind the slices of a case.

    They hold the patient's identity. It is copied into what is written for the same archive, and
    goes neither into a message nor into a log.

    Args:
        images: one image a slice in the slices' order, or a single image of several frames.
        frames: frame of each slice in its image, from 0.
    """

    images: tuple[Dataset, ...]
    frames: tuple[int, ...]

    @property
    def modality(self) -> str:
        """DICOM's word for the kind of scanner."""
        return str(self.images[0].get("Modality", ""))

    @property
    def multi_frame(self) -> bool:
        """Whether all slices are frames of one image."""
        return "NumberOfFrames" in self.images[0]


def source_of(files: Iterable[bytes], slices: Sequence[Slice]) -> Source:
    """The images that the slices were read from.

    Args:
        files: the files that were sent, in any order; `reading` must have taken them. What is no
            DICOM file (an archive too: unpack it) or lies where no slice does is passed over.
        slices: of the case, each with a place.

    Raises:
        InputRejected: ``"no_place"``, ``"same_position"``, ``"not_the_source"``,
            ``"several_series"`` or ``"bad_dicom"``.
    """
    silence_pydicom()
    found: dict[Place, tuple[Dataset, int]] = {}
    for data in files:
        for place, image, frame in _planes(data):
            if place in found:
                raise InputRejected(
                    "same_position",
                    "two images that lie in one place: give the files of one series, each once",
                )
            found[place] = (image, frame)
    return _matched(found, slices)


def _planes(data: bytes) -> list[tuple[Place, Dataset, int]]:
    """The planes of a file that say where they lie; none of a file that is no DICOM or damaged.

    The case's warnings have counted such files. If a slice came from one after all, it is missed.
    """
    if content_of(data) is not Content.DICOM:
        return []
    try:
        with refused_as("bad_dicom", _DAMAGED):
            image = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)
            frames = range(int(image.get("NumberOfFrames") or 1))
            places = [place_of(header_of_frame(image, frame)) for frame in frames]
    except InputRejected:
        return []
    return [(place, image, frame) for frame, place in enumerate(places) if place is not None]


def _matched(found: dict[Place, tuple[Dataset, int]], slices: Sequence[Slice]) -> Source:
    pairs = []
    for piece in slices:
        if piece.place is None:
            raise InputRejected(
                "no_place",
                "a slice whose file does not say where it lies: DICOM objects need position, "
                "orientation and spacing, ask for pictures instead",
            )
        if piece.place not in found:
            raise InputRejected(
                "not_the_source",
                "a slice that lies where none of these images does: give the files that it was "
                "read from",
            )
        pairs.append(found[piece.place])
    images = {id(image): image for image, _ in pairs}
    frames = tuple(frame for _, frame in pairs)
    if len(images) > 1 and any("NumberOfFrames" in image for image in images.values()):
        raise InputRejected(
            "several_series", "slices of several images with many frames each: send one of them"
        )
    source = Source(tuple(images.values()), frames)
    for image in source.images:
        _complete(image)
    for word in ("SeriesInstanceUID", "FrameOfReferenceUID"):
        if len({image[word].value for image in source.images}) > 1:
            raise InputRejected(
                "several_series", "images of several series or spaces: give the files of one"
            )
    return source


def _complete(image: Dataset) -> None:
    """Refuse an image without what names it; state as empty what may be unknown."""
    alone = () if "NumberOfFrames" in image else ("SliceThickness",)  # elsewhere in the others
    missing = [word for word in (*NEEDED, *alone) if not image.get(word)]
    if missing:
        raise InputRejected(
            "bad_dicom",
            f"an image without {', '.join(missing)}: nothing can be laid on it in an archive",
        )
    for word in MAY_BE_EMPTY:
        if word not in image:
            setattr(image, word, "")
