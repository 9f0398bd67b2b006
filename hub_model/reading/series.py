"""Which planes belong together, and in which order they are read."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from hub_model.case import Slice, Vector
from hub_model.errors import InputRejected

SAME_ORIENTATION = 0.996  # cosine of 5 degrees; slices of one stack share theirs to 0.1 degree
SAME_POSITION_MM = 1e-3  # two slices nearer than this lie in one place
_MAX_LISTED = 8  # stacks named in a message
_MODALITIES = ("CR", "CT", "DX", "MG", "MR", "NM", "OT", "PT", "US", "XA")
_PLANE_NAMES = ("sagittal", "coronal", "axial")  # by the patient axis that the normal follows


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A slice and what tells its place among the others.

    Args:
        slice: the slice; its position is measured along `normal`.
        series: equal for planes of one series; never shown.
        normal: unit vector in patient axes (x sideways, y front to back, z along the body), or
            None where the file does not say.
        instance: number of the file in its series, or None.
        frame: number of the plane in its file, from 0.
    """

    slice: Slice
    series: Hashable = None
    normal: Vector | None = None
    instance: int | None = None
    frame: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A series, or one plane of it, among several in one upload; nothing in it names anybody.

    Args:
        number: to ask for it, from 1, in the order sent.
        modality: as DICOM codes it, "" where it is not one of the usual.
        plane: its radiological name.
        slices: how many.
        rows: of its first slice.
        columns: the same.
    """

    number: int
    modality: str
    plane: str
    slices: int
    rows: int
    columns: int


class SeveralSeriesError(InputRejected):
    """More than one series or plane was sent, and none was asked for.

    Args:
        code: ``"several_series"`` or ``"several_planes"``.
        message: what was found, what was expected, what to do.
        found: what could be asked for.
    """

    def __init__(self, code: str, message: str, found: tuple[Found, ...]) -> None:
        super().__init__(code, message, limit=1, actual=len(found))
        self.found = found


def plane_name(normal: Vector | None) -> str:
    """The radiological name of a plane with this normal, whatever its sign.

    Example:
        >>> plane_name((0.0, 0.1, -0.99))
        'axial'
    """
    if normal is None:
        return "unknown plane"
    return _PLANE_NAMES[int(np.argmax(np.abs(normal)))]


def arrange(
    planes: Sequence[Plane], wanted: int | None = None
) -> tuple[tuple[Slice, ...], tuple[str, ...]]:
    """The slices of one series in the order of their positions, and warnings about that order.

    Slices are ordered by the projection of their position on their common normal; where any of them
    has none, by instance and frame number, and where these are missing too, as they were sent.

    Args:
        planes: at least one plane, in the order sent.
        wanted: number of the series that is read where there are several; None: there must be one.

    Raises:
        SeveralSeriesError: ``"several_series"`` or ``"several_planes"``, with what was found.
        InputRejected: ``"no_such_series"``.
    """
    stacks = _stacks(planes)
    if wanted is not None:
        planes = stacks[checked(wanted, len(stacks)) - 1]
    elif len(stacks) > 1:
        raise _several(stacks)
    if len(planes) == 1:
        return (planes[0].slice,), ()
    if all(plane.slice.position is not None for plane in planes):
        ordered = sorted(planes, key=_by_position)
        return tuple(plane.slice for plane in ordered), _shared_positions(ordered)
    if all(plane.instance is not None for plane in planes):
        ordered = sorted(planes, key=lambda plane: (plane.instance or 0, plane.frame))
        how = "ordered by instance and frame number"
    else:
        ordered, how = list(planes), "kept in the order sent"
    return tuple(plane.slice for plane in ordered), (f"slices without a position: {how}",)


def checked(wanted: int, there: int) -> int:
    """The number of a series that is there.

    Raises:
        InputRejected: ``"no_such_series"``.
    """
    if not 1 <= wanted <= there:
        raise InputRejected(
            "no_such_series",
            f"series {wanted} was asked for, {there} were sent: ask for 1 to {there}",
            limit=there,
            actual=wanted,
        )
    return wanted


def _several(stacks: Sequence[Sequence[Plane]]) -> SeveralSeriesError:
    found = tuple(_found(number, stack) for number, stack in enumerate(stacks, start=1))
    series = len({stack[0].series for stack in stacks})
    if series > 1:
        message = f"{series} series (slices: {_listed(found)}): send one series"
        return SeveralSeriesError("several_series", message, found)
    message = f"{len(stacks)} planes in a series (slices: {_listed(found)}): send one plane"
    return SeveralSeriesError("several_planes", message, found)


def _found(number: int, stack: Sequence[Plane]) -> Found:
    first = stack[0].slice
    modality = first.modality if first.modality in _MODALITIES else ""
    rows, columns = first.shape
    return Found(number, modality, plane_name(stack[0].normal), len(stack), rows, columns)


def _stacks(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Planes of one series and one orientation each."""
    stacks: list[list[Plane]] = []
    for plane in planes:
        for stack in stacks:
            if stack[0].series == plane.series and _parallel(stack[0].normal, plane.normal):
                stack.append(plane)
                break
        else:
            stacks.append([plane])
    return stacks


def _parallel(one: Vector | None, other: Vector | None) -> bool:
    if one is None or other is None:
        return one is other
    return sum(a * b for a, b in zip(one, other, strict=True)) >= SAME_ORIENTATION


def _listed(found: Sequence[Found]) -> str:
    named = [f"{one.plane} {one.slices}" for one in found[:_MAX_LISTED]]
    return ", ".join([*named, "..."] if len(found) > _MAX_LISTED else named)


def _by_position(plane: Plane) -> tuple[float, int, int]:
    return plane.slice.position or 0.0, plane.instance or 0, plane.frame


def _shared_positions(ordered: Sequence[Plane]) -> tuple[str, ...]:
    positions = np.array([plane.slice.position for plane in ordered], np.float64)
    shared = int(np.count_nonzero(np.diff(positions) < SAME_POSITION_MM))
    if not shared:
        return ()
    return (f"{shared} of {len(ordered)} slices lie where another slice lies",)
