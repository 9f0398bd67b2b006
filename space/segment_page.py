"""A case with its masks as HTML: verdict, sizes, overlays, and how sure both are."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PIL import Image

from hub_model import preprocess
from hub_model.case import Case
from hub_model.errors import InputRejected
from hub_model.outputs.forms import doubt_png, packed
from hub_model.outputs.pictures import layer_png, mask_png, png
from hub_model.predictor import GuardedClassifier
from hub_model.segmented import (
    CaseDoubt,
    NoDecoderError,
    Segmented,
    SliceDoubt,
    draws,
    of_explained,
)
from hub_model.uncertainty import MOST
from hub_model.volumes.grid import NO_GRID_TEXT
from hub_model.volumes.measured import Measured
from space import fragments, layers
from space.addresses import PNG, address
from space.judging import Seen
from space.layers import Layered
from space.pictures import MAX_SHOWN, spread
from space.report import Model, spoken
from space.tables import table

MAX_OBJECTS = 20  # rows; a noisy mask has hundreds


def of(classifier: GuardedClassifier, seen: Seen) -> str:
    """The result on a case that was judged.

    Args:
        classifier: what judged it; it is asked once more, about mirror images.
        seen: the case.

    Raises:
        InputRejected: ``"no_decoder"``: the revision draws no masks.
    """
    if not draws(classifier):
        raise InputRejected("no_decoder", str(NoDecoderError()))
    found = of_explained(classifier, seen.case, seen.explained, doubt=True)
    return html(found, seen.case, seen.model)


def html(found: Segmented, case: Case, model: Model) -> str:
    """Everything that may be said; an abstention gets its reasons and nothing of masks.

    Args:
        found: from `segmented.segment`.
        case: the same case.
        model: what gave it.
    """
    head = fragments.band(found.decision, model) + fragments.about_files(case.warnings)
    if found.measured is None:
        return head + _nothing(found, model) + _doubt(found.doubt)
    sizes = f"<section><h3>Size</h3>{_sizes(found.measured, len(found.shown), len(found.masks))}"
    objects = f"{_objects(found.measured)}</section>"
    return head + sizes + objects + _pictures(found, case, model) + _doubt(found.doubt)


def _nothing(found: Segmented, model: Model) -> str:
    finding = spoken(model.finding.name)
    why = (
        f"No {finding} was asserted, so nothing is outlined."
        if found.decision.verdict.accepted
        else "The verdict abstains, so nothing is outlined or measured."
    )
    return f"<section><h3>Masks</h3><p>{escape(why)}</p></section>"


def _sizes(measured: Measured, masked: int, slices: int) -> str:
    rows = [("Slices with a mask", f"{masked} of {slices}"), ("Pixels", str(measured.voxels))]
    if measured.mm3 is not None:
        rows.append(("Volume", f"{measured.mm3:,.0f} mm³ ({measured.mm3 / 1000:.2f} ml)"))
    if measured.mm2 is not None:
        rows.append(("Area", f"{measured.mm2:,.0f} mm²"))
    if measured.mm3 is None and measured.why is not None:
        rows.append(("No volume", NO_GRID_TEXT[measured.why]))
    return table("From the spacing that the files state", ("What", "How much"), rows)


def _objects(measured: Measured) -> str:
    if not measured.objects:
        return ""
    rows = [
        (
            str(number),
            str(one.voxels),
            "–" if one.mm3 is None else f"{one.mm3:,.0f} mm³",
            f"{one.slices[0] + 1} to {one.slices[1] + 1}",
            "–" if one.centre is None else ", ".join(f"{value:.1f}" for value in one.centre),
        )
        for number, one in enumerate(measured.objects[:MAX_OBJECTS], start=1)
    ]
    some = len(measured.objects)
    caption = f"{len(rows)} of {some} objects" if some > len(rows) else f"Objects: {some}"
    head = ("Object", "Pixels", "Volume", "Slices", "Centre, mm (right, front, head)")
    return table(caption, head, rows)


def _pictures(found: Segmented, case: Case, model: Model) -> str:
    spec = model.bundle.config.neuroguard.preprocess
    maps = {} if found.doubt is None else {one.index: one for one in found.doubt.slices}
    chosen = spread(found.shown, MAX_SHOWN)
    layered = [
        Layered(
            f"Slice {index + 1}",
            address(PNG, png(Image.fromarray(preprocess.shown(case.slices[index], spec)))),
            address(PNG, layer_png(found.masks[index])),
            _unsure(index, maps.get(index)),
        )
        for index in chosen
    ]
    some = f", {len(chosen)} of {len(found.shown)} slices" if len(chosen) < len(found.shown) else ""
    shown = layers.html(layered, "the mask") if layered else ""
    return f"<section><h3>Outlined{some}</h3>{shown}{_link(found)}</section>"


def _unsure(index: int, doubt: SliceDoubt | None) -> str:
    if doubt is None:
        return ""
    alt = f"Where the outline of slice {index + 1} is not sure: the brighter, the less"
    return f'<img src="{address(PNG, doubt_png(doubt))}" alt="{alt}">'


def _link(found: Segmented) -> str:
    """All masks as PNG; forms with a place in space are the API's and the command's."""
    made = {f"mask-{index:03d}.png": mask_png(found.masks[index]) for index in found.shown}
    return (
        '<p class="ng-take"><a download="neuroguard-masks.zip" '
        f'href="{address("application/zip", packed(made))}">'
        'Masks (PNG)</a></p><p class="ng-small">As NIfTI or DICOM: POST /v1/segment, or neuroguard '
        "segment.</p>"
    )


def _doubt(doubt: CaseDoubt | None) -> str:
    if doubt is None:
        return ""
    head = doubt.dropout
    rows: Sequence[tuple[str, ...]] = [
        ("Class of the case", f"{doubt.entropy:.3f}", f"{doubt.information:.3f}"),
        *(
            [("Class, by dropout", f"{head.entropy:.3f}", f"{head.information:.3f}")]
            if head is not None
            else []
        ),
        *(
            (f"Mask of slice {one.index + 1}", f"{one.entropy:.3f}", f"{one.information:.3f}")
            for one in doubt.slices
        ),
    ]
    note = (
        "In nats, 0 is sure. A pixel can reach "
        f"{MOST:.2f}. Entropy is all doubt, mutual information what {doubt.looks} looks, at the "
        "case and at its mirror image, disagree about"
        + ("" if head is None else f"; by dropout, what {head.samples} thinned heads do")
        + ". No threshold is set on any."
    )
    shown = table("How sure", ("Of what", "Entropy", "Mutual information"), rows)
    return f'<section><h3>Uncertainty</h3>{shown}<p class="ng-small">{note}</p></section>'
