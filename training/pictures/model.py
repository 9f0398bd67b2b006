"""What the files beside the pictures hold: curves.json, gallery.json, examples.json.

Read by the report, so nothing here imports torch, datasets or scikit-learn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub_model.contract import Figure, Share, Verdict
from hub_model.errors import UsageError

CURVES = "curves.json"
PLOTS = "plots"  # folder of SVGs and of the tables behind them
GALLERY, GALLERY_INDEX = "gallery", "gallery.json"
EXAMPLES, EXAMPLES_INDEX = "examples", "examples.json"

# Groups with and without the positive answer from which an area has an interval: below, a
# resampling can miss a side altogether.
MIN_GROUPS = 10

Count = Annotated[int, Field(ge=0)]
Kind = Literal["finding", "class"]
Answer = Literal["right", "wrong"]
Shares = tuple[Share, ...]


class _File(BaseModel):
    """Unknown keys are errors and values cannot be changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


def read_json(model: type[Model], path: Path) -> Model:
    """A file of JSON in its typed form.

    Raises:
        UsageError: the file does not fit.
    """
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(
            f"{path.name} does not read, {where}: {first['msg']}; run its stage again"
        ) from error


class Curve(_File):
    """A line of at most `curves.POINTS` points, in the order in which it is drawn.

    ROC: `x` false positive rate, `y` sensitivity. PR: `x` recall, `y` precision, constant to the
    left of each point.
    """

    x: Shares
    y: Shares


class Target(_File):
    """One question with two answers, put to the test images.

    Args:
        name: of the finding or the class that is the positive answer.
        kind: "finding": the score is the summed probability of the classes that assert it;
            "class": the probability of that class, against all others.
        n_positive: images.
        n_negative: images.
        roc_area: area under the ROC curve.
        average_precision: sum over the thresholds of precision times the step in recall.
    """

    name: str
    kind: Kind
    n_positive: Count
    n_negative: Count
    roc: Curve
    precision_recall: Curve
    roc_area: Figure
    average_precision: Figure


class FoldCurves(_File):
    """The same for the images of one fold, said by the network that had not met them."""

    fold: Count
    n_positive: Count
    n_negative: Count
    roc: Curve
    precision_recall: Curve
    roc_area: Share
    average_precision: Share


class Mean(_File):
    """Mean of the folds' curves at the same `x`, and one standard deviation to either side.

    Vertical averaging (Fawcett 2006, section 8.1): y is averaged at fixed x. The deviation is that
    of the folds (n - 1), the band is cut to 0-1. It is no confidence interval: folds share most of
    what they learnt from.
    """

    x: Shares
    y: Shares
    low: Shares
    high: Shares
    area: Share  # mean of the folds' own areas
    area_deviation: float  # their standard deviation


class FoldedTarget(_File):
    """One question put to the folds.

    Args:
        left_out: a sentence for each fold that holds one of the two sides only.
        roc: mean curve; None where fewer than two folds hold both sides.
        precision_recall: likewise.
    """

    name: str
    kind: Kind
    folds: tuple[FoldCurves, ...]
    left_out: tuple[str, ...]
    roc: Mean | None
    precision_recall: Mean | None


class CrossValidated(_File):
    """The curves of one cross-validation."""

    by: Literal["group", "image"]
    n_images: Count
    n_groups: Count
    targets: tuple[FoldedTarget, ...]


class CurvesFile(_File):
    """curves.json: every curve of a run as points; areas are those of the whole curve."""

    phantom: bool
    targets: tuple[Target, ...]
    left_out: tuple[str, ...]  # a sentence for each question that has one side only in the test set
    crossval: tuple[CrossValidated, ...]


class GalleryPicture(_File):
    """One test image, with its activation map beside it where the verdict allows that.

    Args:
        file: name in the gallery's folder.
        answer: whether the likeliest class was right, whatever the verdict.
        row: of the test set.
        group: that it belongs to.
        true: its class.
        verdict: on the image as a case of its own.
        said: class, or finding where its type was not sure; None where the verdict abstains.
        probability: calibrated, of what was said; None where the verdict abstains.
        mapped: class whose map lies on the picture; None where the verdict abstains.
    """

    file: str
    answer: Answer
    row: Count
    group: str
    true: str
    verdict: Verdict
    said: str | None
    probability: Share | None
    mapped: str | None


class GalleryFile(_File):
    """gallery.json: the most confident images of each class, one a group."""

    phantom: bool
    right: dict[str, Count]  # class to how many of its test images the likeliest class was right on
    wrong: dict[str, Count]
    pictures: tuple[GalleryPicture, ...]


class ExamplePicture(_File):
    """A stored image, with a box around what was kept, beside what preparation made of it."""

    file: str
    label: str
    split: str
    row: Count  # of that split
    group: str
    width: Count  # pixels, as stored
    height: Count


class ExamplesFile(_File):
    """examples.json: a few images of each class before and after preparation."""

    phantom: bool
    pictures: tuple[ExamplePicture, ...]
