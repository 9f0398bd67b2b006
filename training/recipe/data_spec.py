"""What a recipe says about its data: sources, groups, labels, splits, strangers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hub_model.contract import Share
from training.recipe.ct_spec import LabelFileSpec
from training.recipe.evidence_spec import AlsoSpec, LeftOutSpec
from training.recipe.node import Node
from training.recipe.volume_spec import VolumesSpec

SPLITS = ("train", "validation", "calibration", "threshold", "test")
FINDING_ONLY = "finding_only"  # name of the set of images whose finding alone is known
SET_ASIDE = "set_aside"  # name of the set of test images whose label is under doubt
ALSO = "also"  # name of the set of images of other sources that are learnt from only
LEFT_OUT = "left_out_"  # what the names of sets of left-out sources begin with


class StrangerSpec(Node):
    """A source of out-of-domain images: one of the table's sources, or any folder of images."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]  # also of its file of prepared images
    source: str  # name in the table of sources
    folder: str | None = None  # for source "folder": path below data.root
    limit: Annotated[int, Field(ge=1)] = 1000  # images at most, spread evenly over the source
    near: bool = False  # a brain, or what is easily taken for one


class DataSpec(Node):
    """What is read and how it is divided."""

    root: str = "."  # folder that the relative paths below start from
    source: str  # name in the table of sources
    # What makes an image's class: the type its source states, or whether it shows the finding.
    label_from: Literal["type", "finding"] = "type"
    finding_only: tuple[str, ...] = ()  # sources that state the finding but no type; train only
    also: tuple[AlsoSpec, ...] = ()  # sources learnt from beside it, with the types they state
    left_out: tuple[LeftOutSpec, ...] = ()  # sources judged at the shipped policy, never learnt
    # Folder, below root, with <cheng_index>.png: masks of the slices that the source's patient map
    # numbers, in the orientation of the slice. None: the masks that the source itself states.
    masks: str | None = None
    # CSV with the columns path and group, below root; None: the patients that the source or the map
    # shipped for it states, or else identical pixels.
    groups: str | None = None
    # Images that show the same slice or head, found by linkage, become one group: for sources that
    # state no patients. "unstated": only those of whom the source states none.
    look_alikes: bool | Literal["unstated"] = False
    labels: LabelFileSpec | None = None  # of source "ct"
    volumes: VolumesSpec | None = None  # of source "brats"
    review: str | None = None  # of images to set aside: a table shipped with the sources
    scheme: Literal["group", "official"] = "group"  # "official" is the source's own split: leaky
    shares: dict[str, Share]  # of groups, by split
    # A split that the shipped network learns from besides "train": where `policy.chosen_on` is
    # "folds", nothing else needs the threshold split.
    also_learnt: Literal["threshold"] | None = None
    # Chosen by the classes' counts, see splits.balanced_seed. "balanced": so when the dataset is
    # built, whose report names it; for data that the recipe has not seen. Added files may choose
    # another: state the number to keep everyone where he is.
    split_seed: Annotated[int, Field(ge=0)] | Literal["balanced"]
    strangers: Annotated[tuple[StrangerSpec, ...], Field(min_length=2)]
    patients: Annotated[int, Field(ge=1)] | None = None  # how many to draw; phantom source only

    @model_validator(mode="after")
    def _agree(self) -> DataSpec:
        if tuple(self.shares) != SPLITS:
            raise ValueError(f"shares names {list(self.shares)}, expected {list(SPLITS)} in order")
        if abs(sum(self.shares.values()) - 1) > 1e-9:
            raise ValueError(f"shares add up to {sum(self.shares.values()):g}, expected 1")
        for source, key in (("ct", "labels"), ("brats", "volumes")):
            if (getattr(self, key) is None) == (self.source == source):
                raise ValueError(
                    f"source is {self.source!r}, {key} is {getattr(self, key)}: source {source!r} "
                    f"and no other has {key}"
                )
        names = [spec.name for spec in self.strangers]
        own = {*SPLITS, FINDING_ONLY, SET_ASIDE, ALSO, *self.left_out_sets}
        if taken := own & set(names):
            raise ValueError(
                f"strangers are named {sorted(taken)}, as the run's own sets are: name them after "
                "what they show"
            )
        if len(set(names)) < len(names):
            raise ValueError(f"strangers {names} repeat a name")
        if self.split_seed == "balanced" and (
            self.finding_only
            or any(one.role == "train" for one in self.also)
            or self.review is not None
            or self.scheme == "official"
        ):
            raise ValueError(
                "split_seed is 'balanced', and what is learnt from or set aside depends on it "
                "(finding_only, also with role train, review, or scheme 'official'): state a number"
            )
        sources = self.sources
        if twice := sorted({name for name in sources if sources.count(name) > 1}):
            raise ValueError(
                f"{twice} are named more than once among source, finding_only, also and left_out: "
                "a source plays one part"
            )
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The recipe's own source and those beside it; no strangers."""
        also, left_out = ([one.source for one in some] for some in (self.also, self.left_out))
        return (self.source, *self.finding_only, *also, *left_out)

    @property
    def stated_seed(self) -> int:
        """`split_seed` where something else depends on it, and it is therefore a number."""
        if self.split_seed == "balanced":
            raise TypeError("split_seed is 'balanced': it is known when the dataset is built")
        return self.split_seed

    @property
    def untaught(self) -> tuple[str, ...]:
        """Sources learnt from of whose images the loss is told no type."""
        return tuple(one.source for one in self.also if not one.types)

    @property
    def left_out_sets(self) -> dict[str, str]:
        """Name of the prepared set of every left-out source, to the source."""
        return {f"{LEFT_OUT}{one.source}": one.source for one in self.left_out}

    @property
    def several(self) -> bool:
        """Whether images of more than one source can show the same head."""
        return bool(self.finding_only or self.also or self.left_out)
