"""What the routes about masks answer, as types."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hub_model.case import Case
from hub_model.contract import Verdict
from hub_model.outputs.forms import doubt_png
from hub_model.outputs.pictures import mask_png
from hub_model.segmented import CaseDoubt, Segmented
from hub_model.volumes.grid import NoGrid
from space.addresses import PNG, address
from space.api.answers import Answer
from space.api.batches import Base, Batch, InBatch


class ObjectAnswer(Base):
    """One object, connected in three dimensions."""

    voxels: int
    mm3: float | None
    slices: tuple[int, int]  # first and last, from 0
    centre: tuple[float, float, float] | None  # mm; x to the right, y to the front, z to the head


class MeasuredAnswer(Base):
    """What the masks of a case amount to, in the units that its files can answer for."""

    voxels: int
    mm3: float | None
    mm2: float | None  # of the mask of a single slice
    objects: tuple[ObjectAnswer, ...] | None  # the largest first
    why: NoGrid | None  # there is no volume
    why_text: str | None


class SliceDoubtAnswer(Base):
    """How sure the mask of a slice is."""

    index: int
    entropy: float  # nats, mean over the pixels of the mask; at most ln 2
    information: float  # mutual information, nats
    map: str | None  # data: address of a PNG; 255 where in and out of the mask are as likely


class DropoutAnswer(Base):
    """How much the class depends on single units of the head."""

    samples: int
    rate: float  # share of units that each sample leaves out
    entropy: float  # of the class, nats
    information: float  # of the class, nats


class DoubtAnswer(Base):
    """How much the network's looks at a case and at its mirror image differ."""

    looks: int
    class_entropy: float  # nats
    class_information: float  # nats
    dropout: DropoutAnswer | None  # null where the head was trained without, as far as is stated
    slices: tuple[SliceDoubtAnswer, ...]


class MaskAnswer(Base):
    """The mask of one slice."""

    index: int
    mask: str  # data: address of a PNG of 0 and 255 over the slice's own pixels


class SegmentAnswer(Base):
    """A verdict with masks.

    Where it abstains or denies the finding there are none, and `measured` is null.
    """

    answer: Answer
    masked_slices: tuple[int, ...]
    measured: MeasuredAnswer | None
    uncertainty: DoubtAnswer | None  # null where it was not asked for, or the verdict abstains
    masks: tuple[MaskAnswer, ...]

    @property
    def verdict(self) -> Verdict:
        """On the case."""
        return self.answer.verdict

    @classmethod
    def of(cls, found: Segmented, case: Case, *, pictures: bool) -> SegmentAnswer:
        """The answer to a case.

        Args:
            found: what is said of it.
            case: the case.
            pictures: put masks and maps of doubt into it.
        """
        values: dict[str, Any] = found.to_dict()
        masks = tuple(
            MaskAnswer(index=index, mask=address(PNG, mask_png(found.masks[index])))
            for index in (found.shown if pictures else ())
        )
        return cls(
            answer=Answer.of(found.decision, case.warnings),
            masked_slices=found.shown,
            measured=values["measured"],
            uncertainty=None if found.doubt is None else _doubt(found.doubt, pictures=pictures),
            masks=masks,
        )


class SegmentBatchCase(InBatch[SegmentAnswer]):
    """One file of a batch: its answer without pictures, or why there is none."""


class SegmentBatchAnswer(Batch[SegmentAnswer]):
    """An answer for each file, in the order sent, and how often each verdict was given."""

    cases: tuple[SegmentBatchCase, ...]


def _doubt(doubt: CaseDoubt, *, pictures: bool) -> DoubtAnswer:
    return DoubtAnswer(
        looks=doubt.looks,
        class_entropy=doubt.entropy,
        class_information=doubt.information,
        dropout=None if doubt.dropout is None else DropoutAnswer(**asdict(doubt.dropout)),
        slices=tuple(
            SliceDoubtAnswer(
                index=one.index,
                entropy=one.entropy,
                information=one.information,
                map=address(PNG, doubt_png(one)) if pictures else None,
            )
            for one in doubt.slices
        ),
    )
