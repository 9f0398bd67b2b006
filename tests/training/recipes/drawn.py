"""Drawn heads in the layouts of the sources that the shipped recipes read.

Only folders, names and forms of files are those of the real sets: the client and the readers are
the real ones, and no network can tell more from the pictures than that they are drawings.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.training.sources.layouts import downloaded, matlab_folds, matlab_slice, put, tiff
from training.sources.phantom import draw
from training.sources.phantom_heads import FREE, make_head
from training.sources.phantom_strangers import strangers
from training.sources.phantom_texture import as_jpeg
from training.sources.table import SOURCES

GROUPS = "groups.csv"
WIDER, BRIGHT = 2.0, 2.6  # masses that a training of seconds can see
AIR = 24  # grey values below are no tissue
COPIED = 3  # every third slice comes a second time, mirrored


@dataclass(frozen=True, eq=False)
class Picture:
    """A slice of a drawn head.

    Args:
        label: class of the patient.
        patient: number.
        data: JPEG.
        mask: `(H, W)` bool, where the mass is.
        copy: whether it is another slice mirrored.
    """

    label: str
    patient: int
    data: bytes
    mask: NDArray[np.bool_]
    copy: bool = False


def pictures(patients: int, slices: int, seed: int, label: str | None = None) -> Iterator[Picture]:
    """So many slices of so many patients, and mirrored copies of some.

    Args:
        patients: how many.
        slices: of each.
        seed: of the drawing.
        label: of all patients; None: the four in turn.
    """
    for number in range(patients):
        head = make_head(number, seed, label)
        wide = WIDER * head.mass.radius
        head = replace(head, mass=replace(head.mass, radius=wide, strength=BRIGHT, enhances=True))
        for index, level in enumerate(head.levels[:slices]):
            drawing = draw(head, level)
            pixels = drawing.pixels.astype(np.uint8, copy=False)
            yield Picture(head.label, number, as_jpeg(pixels, 90), drawing.mask)
            if (number // 4 + index) % COPIED == 0:  # as often of every label
                mirrored = as_jpeg(np.ascontiguousarray(pixels[:, ::-1]), 75)
                yield Picture(head.label, number, mirrored, drawing.mask[:, ::-1], copy=True)


def masoudnickparvar(cache: Path, root: Path, heads: Iterable[Picture]) -> None:
    """Slices of every fifth patient of a class are in Testing, mirrored copies in Training.

    The patients stand in `root/groups.csv`: the map that is shipped for the real set does not know
    these.
    """
    folder = downloaded(cache, SOURCES["masoudnickparvar"])
    rows = []
    for head, number in _numbered(heads):
        split = "Testing" if head.patient // 4 % 5 == 0 and not head.copy else "Training"
        name = f"{split[:2]}-{head.label[:2]}_{number:04d}.jpg"
        names = [f"{split}/{head.label}/{name}"]
        if split == "Testing" and number % 5 == 0:  # the same pixels on both sides, as there
            names.append(f"Training/{head.label}/Tr-{head.label[:2]}Tr_{number:04d}.jpg")
        for path in names:
            put(folder / path, head.data)
            rows.append((path, f"drawn-{head.patient:03d}"))
    with (root / GROUPS).open("w", newline="") as lines:
        csv.writer(lines).writerows([("path", "group"), *rows])


def sartajbhuvaji(cache: Path, heads: Iterable[Picture]) -> None:
    """Folders called `_tumor`, files numbered in brackets, patients unknown."""
    folder = downloaded(cache, SOURCES["sartajbhuvaji"])
    names = {
        "glioma": ("glioma_tumor", "gg ({}).jpg"),
        "meningioma": ("meningioma_tumor", "m1({}).jpg"),
        FREE: ("no_tumor", "image({}).jpg"),
        "pituitary": ("pituitary_tumor", "p ({}).jpg"),
    }
    for head, number in _numbered(heads):
        split = "Testing" if head.patient // 4 % 5 == 0 and not head.copy else "Training"
        inside, name = names[head.label]
        put(folder / split / inside / name.format(number), head.data)


def navoneel(cache: Path, heads: Iterable[Picture]) -> None:
    """Tumor or none, and all of it a second time beside that."""
    folder = downloaded(cache, SOURCES["navoneel"])
    for head, number in _numbered(heads):
        side, name = (
            ("no", f"{number} no.jpeg") if head.label == FREE else ("yes", f"Y{number}.jpg")
        )
        if head.label != FREE:
            name = f"Y{head.label[0]}{number}.jpg"
        for inside in ("brain_tumor_dataset", ""):
            put(folder / inside / side / name, head.data)


def br35h(cache: Path, heads: Iterable[Picture]) -> None:
    """Tumors alone, each with an outline: a polygon, an ellipse or a circle in turn."""
    folder = downloaded(cache, SOURCES["br35h"]) / "Br35H-Mask-RCNN"
    outlines: dict[str, dict[str, object]] = {"TRAIN": {}, "VAL": {}}
    tumors = (head for head in heads if head.label != FREE and head.mask.any())
    for number, head in enumerate(tumors):
        split = "VAL" if number % 4 == 0 else "TRAIN"
        name = f"y{number}.jpg"
        put(folder / split / name, head.data)
        outlines[split][f"{name}{len(head.data)}"] = {
            "filename": name,
            "size": len(head.data),
            "regions": [{"shape_attributes": _outline(head.mask, number), "region_attributes": {}}],
            "file_attributes": {},
        }
    for split, found in outlines.items():
        put(folder / split / f"annotations_{split}.json", json.dumps(found))


def lgg(cache: Path, heads: Iterable[Picture]) -> None:
    """Whole heads: three sequences of a slice in one file, and a mask, often empty, in another."""
    source = SOURCES["lgg"]
    folder = downloaded(cache, source) / source.inside
    for head, number in _numbered(heads):
        with Image.open(io.BytesIO(head.data)) as image:
            plane = np.asarray(image.convert("L"))
        name = f"TCGA_AA_{head.patient:04d}_20000101"
        slice_ = f"{name}_{number if head.label == FREE else 500 + number}"
        planes = np.stack([plane // 2, plane, np.maximum(plane, 3)], axis=-1)
        tiff(folder / name / f"{slice_}.tif", planes)
        tiff(folder / name / f"{slice_}_mask.tif", np.where(head.mask, 255, 0).astype(np.uint8))


def brats(root: Path, patients: int, seed: int) -> None:
    """Whole heads, every second with a mass on its lower slices: FLAIR, enhanced T1, segmentation.

    All patients of a segmentation have labels 1, 2 and 4 somewhere in it, as there.
    """
    for number in range(patients):
        name = f"BraTS20_Training_{number + 1:03d}"
        planes, masks = [], []
        for head in pictures_of(number, seed):
            with Image.open(io.BytesIO(head.data)) as image:
                planes.append(np.asarray(image.convert("L")).T.astype(np.int16) * 9)
            mask = head.mask.T
            labels = np.where(mask, 1 + (np.arange(mask.shape[1]) % 2), 0)
            masks.append(np.where(labels == 2, 4, labels).astype(np.uint8))
        for what, volume in (
            ("flair", np.stack(planes, -1)),
            ("t1ce", np.stack(planes, -1) // 2),
            ("seg", np.stack(masks, -1)),
        ):
            file = root / "brats" / name / f"{name}_{what}.nii.gz"
            file.parent.mkdir(parents=True, exist_ok=True)
            image = nibabel.Nifti1Image(volume, np.diag([-1.5, -1.5, 4, 1]))
            image.header.set_xyzt_units("mm")
            nibabel.save(image, file)


def figshare(root: Path, heads: Iterable[Picture]) -> None:
    """Tumors alone, numbered, in int16, in five folds of patients; text and numbers as patients."""
    source, folds = SOURCES["figshare"], []
    codes = {meaning.label: int(code) for code, meaning in source.classes.items()}
    for head in heads:
        if head.copy or head.label not in codes or not head.mask.any():
            continue
        with Image.open(io.BytesIO(head.data)) as image:
            plane = np.asarray(image.convert("L")).astype(np.int16) * 9
        folds.append(head.patient // 4 % 5 + 1)
        file = root / source.name / "brainTumorDataPublic_1-766" / f"{len(folds)}.mat"
        matlab_slice(
            file, codes[head.label], f"MR{head.patient}", plane, head.mask.astype(np.uint8)
        )
    matlab_folds(root / source.name / "cvind.mat", folds)


def pictures_of(number: int, seed: int) -> list[Picture]:
    """Two slices of a drawn glioma and two of the same head where there is none."""
    with_mass = list(pictures(1, 2, seed + number, "glioma"))
    free = list(pictures(1, 2, seed + number, FREE))
    return [one for one in (*with_mass, *free) if not one.copy]


def _outline(mask: NDArray[np.bool_], number: int) -> dict[str, object]:
    """What a person might draw around the mass, in the form of the VIA tool."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    top, bottom, left, right = (int(at) for at in (rows[0], rows[-1], columns[0], columns[-1]))
    x, y = (left + right) // 2, (top + bottom) // 2
    if number % 3 == 0:
        across, down = [left, right, right, left], [top, top, bottom, bottom]
        return {"name": "polygon", "all_points_x": across, "all_points_y": down}
    if number % 3 == 1:
        return {"name": "circle", "cx": x, "cy": y, "r": max(right - left, bottom - top) // 2 + 1}
    wide, high = (right - left) // 2 + 1, (bottom - top) // 2 + 1
    return {"name": "ellipse", "cx": x, "cy": y, "rx": wide, "ry": high}


def dementia(cache: Path, heads: Iterable[Picture]) -> None:
    """Heads at 128 x 128, in four stages, their fluid bright: another sequence."""
    source = SOURCES["dementia"]
    folder = downloaded(cache, source) / source.inside
    other = [value if value < AIR else 255 - value for value in range(256)]
    for number, head in enumerate(heads):
        stage = list(source.classes)[number % len(source.classes)]
        name = f"{stage.lower().replace('_demented', '').replace('_', '')}_{number}.jpg"
        put(
            folder / stage / name,
            _changed(head.data, lambda image: image.point(other).resize((128, 128))),
        )


def stroke(cache: Path, heads: Iterable[Picture]) -> None:
    """Heads whose skull is bright and whose brain is flat, as in computed tomography."""
    source = SOURCES["stroke"]
    folder = downloaded(cache, source) / source.inside
    window = [
        min(255, 40 + value // 3) if value > 24 else 250 * (value > 8) for value in range(256)
    ]
    for number, head in enumerate(heads):
        folder_, name = (
            list(source.classes)[number % 2],
            f"{50 + number // 9} ({number % 9 + 1}).jpg",
        )
        put(folder / folder_ / name, _changed(head.data, lambda image: image.point(window)))


def folders(root: Path, count: int, seed: int) -> None:
    """The strangers that recipes expect below `data.root`."""
    for name, kind in (("chest_xray", "body"), ("natural_photos", "screenshot")):
        for number, record in enumerate(islice(strangers(kind, count, seed), count)):
            put(root / name / f"{kind} {number}{Path(record.path).suffix}", record.image)


def _changed(data: bytes, change: Callable[[Image.Image], Image.Image]) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return as_jpeg(np.asarray(change(image)), 85)


def _numbered(heads: Iterable[Picture]) -> Iterator[tuple[Picture, int]]:
    """Each with its number among those of its label, from 1."""
    counts: Counter[str] = Counter()
    for head in heads:
        counts[head.label] += 1
        yield head, counts[head.label]
