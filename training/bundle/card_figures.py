"""The part of the card that holds measured numbers: metrics.json as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub_model import contract
from hub_model.contract import GuardFile, MetricsFile, Verdict
from training.bundle import card_doubts, card_engines, card_evidence
from training.bundle.plots import Row, number, table
from training.bundle.spoken import interval, markdown, percent, shown, spoken

# Prefixes of the names of figures.
TEST, AS_LABELLED, OFFICIAL = "test.", "as_labelled.", "official_split."
BY_GROUP, BY_IMAGE = "crossval.", "crossval_by_image."
MASKS = "masks."

# What a figure is, and the figure that is its coverage; None: every image was answered.
FIGURES: dict[str, tuple[str, str | None]] = {
    "accuracy": ("likeliest class right, nothing refused", None),
    "macro_f1": ("macro F1 of the likeliest class, nothing refused", None),
    "finding_accuracy": ("{finding} or none right, nothing refused", None),
    "coverage": ("answered", "coverage"),
    "coverage_typed": ("answered with a class", "coverage_typed"),
    "accepted_accuracy": ("class right, of those answered with one", "coverage_typed"),
    "accepted_finding_accuracy": ("{finding} or none right, of those answered", "coverage"),
    "tumor_called_none": ("answered 'none', of all with a {finding}", "coverage"),
    "none_called_tumor": ("answered '{finding}', of all without", "coverage"),
    "refused_by_guard": ("refused as out of domain", "coverage"),
    "nll": ("negative log-likelihood of the calibrated probabilities", None),
    "ece_raw": ("calibration error before the temperature", None),
    "ece_calibrated": ("calibration error after the temperature", None),
}

OUT_OF_FOLD = {
    "accuracy": "likeliest class right",
    "macro_f1": "macro F1 of the likeliest class",
    "nll": "negative log-likelihood",
    "ece": "calibration error",
    "finding_roc_auc": "area under the ROC curve, {finding} or none",
    "finding_pr_auc": "average precision, {finding} or none",
    "finding_f1": "F1 of {finding}",
    "finding_sensitivity": "{finding} found, of all with one",
    "finding_specificity": "none said, of all without",
}  # of a cross-validation, in which nothing is refused

OF_MASKS = {
    "dice": "Dice, mean over slices with a mask",
    "iou": "intersection over union, mean over the same",
    "sensitivity": "pixels of the mask that are drawn, mean over slices with a mask",
    "specificity": "other pixels that are left alone, mean over slices",
    "missed": "slices with a mask on which nothing is drawn",
    "hausdorff95": "Hausdorff 95 in mm, where spacing is known, slices with both masks",
    "surface_dice": "surface Dice at a tolerance in mm, where spacing is known",
    "iou_by_group": "intersection over union of a group's slices pooled, mean over groups",
    "dice_by_group": "Dice of all slices of a group pooled, mean over groups",
    "false_positive": "slices without {finding} on which a pixel is drawn",
    "dice_of_shown": "Dice, mean over slices with a mask whose verdict shows one",
    "false_positive_as_shown": "slices without {finding} whose verdict shows a mask",
    "decoded": "slices that a mask is made of when served",
}  # "_as_served" at the end of a name: where the class head calls none, there is no mask


def sections(
    metrics: MetricsFile, guard: GuardFile, finding: str, reports: Sequence[str]
) -> Iterable[str]:
    """Every figure and table, paragraph by paragraph.

    Args:
        metrics: of a run that was measured.
        guard: says which members are shipped.
        finding: what an accepted finding is called.
        reports: file names in the bundle's `reports/`.

    Raises:
        BundleError: a table is missing.
    """
    yield (
        "Each image is a case of its own here. Intervals hold 95 % of a bootstrap over groups. "
        "Coverage is the share of the images that were answered: it belongs to every accuracy."
    )
    if any(figure.low == figure.high is not None for figure in metrics.figures.values()):
        yield "An interval without width says that no such image was met, not that there is none."
    yield _figure_table(metrics, TEST, finding, "")
    if any(name.startswith(AS_LABELLED) for name in metrics.figures):
        yield "### As the source labels them"
        yield (
            "Images whose label a look at every group put under doubt were set aside before "
            "training: nothing was learnt from them or fitted on them, and the figures above are "
            "without them. Nobody who reads such images for a living made that review, so here "
            "they are counted as the source labels them."
        )
        yield _aside_table(metrics)
        yield _figure_table(metrics, AS_LABELLED, finding, "")
    if any(name.startswith(OFFICIAL) for name in metrics.figures):
        yield (
            "**Leaky, for comparison only:** another network of the same recipe, trained and "
            "tested as the source divides itself. Its test images show patients that it was "
            "trained on."
        )
        yield _figure_table(metrics, OFFICIAL, finding, " (leaky)")
    if any(name.startswith(BY_GROUP) for name in metrics.figures):
        yield "### Cross-validation"
        yield (
            "Every image judged by a network that had not met its group; other networks than this "
            "one, trained as it was. Nothing is refused, and no temperature is applied."
        )
        yield _figure_table(metrics, BY_GROUP, finding, "")
    if any(name.startswith(BY_IMAGE) for name in metrics.figures):
        yield (
            "**Leaky, for comparison only:** the same with folds that divide images, not groups, "
            "as a random split does. Copies and slices of one group are then on both sides."
        )
        yield _figure_table(metrics, BY_IMAGE, finding, " (leaky)")
    if any(name.startswith(MASKS) for name in metrics.figures):
        yield "### Masks"
        yield (
            "At the threshold in `config.json`, against the sources' own masks. A slice on which "
            "nothing is drawn counts 0. As served, only slices that the class head calls "
            f"{finding} get a mask; what is accepted or refused is not looked at here."
        )
        yield _figure_table(metrics, MASKS, finding, "")
    yield from card_doubts.sections(metrics)
    yield "### Verdicts by domain"
    yield (
        "Shares of the images. The first row is the test split; every other domain was judged with "
        "a guard that was fitted without it."
    )
    yield _verdict_table(metrics, finding)
    yield "### The guard on domains that it had not seen"
    yield (
        f"Every kind on its own and, shipped, `{contract.COMBINED}`: {_members(guard)}, together, "
        f"fitted {_strangers(guard)}; each fitted without the domain of its row. FPR95: share of "
        "the domain let in where 95 % of the test images are; AUPR: strangers are the positives; "
        f"admitted: share let in at `tau_domain`; called {finding}: share that is then accepted as "
        "one. Near domains are brains, or easily taken for one."
    )
    yield _guard_table(metrics, finding)
    yield from card_evidence.sections(metrics, finding)
    yield "### Confusion"
    yield "Test images, true class by likeliest class, nothing refused."
    yield _confusion_table(metrics)
    yield "### Reports"
    pictures = [name for name in reports if name.endswith(".svg")]
    yield "\n".join(_link("!", name, name.removesuffix(".svg")) for name in pictures)
    yield "\n".join(_link("- ", name, name) for name in reports if name not in pictures)
    yield from card_engines.sections(metrics)
    yield "### Images and groups"
    yield _split_table(metrics)


def _figure_table(metrics: MetricsFile, prefix: str, finding: str, mark: str) -> str:
    rows = []
    for name, figure in metrics.figures.items():
        if not name.startswith(prefix):
            continue
        key = name.removeprefix(prefix)
        if prefix in (BY_GROUP, BY_IMAGE):
            text, coverage = _out_of_fold(key), None
        elif prefix == MASKS:
            text, coverage = _of_masks(key, "") or f"`{key}`", None
        else:
            text, coverage = FIGURES.get(key, (f"`{key}`", None))
        rows.append(
            (
                text.format(finding=finding) + mark,
                spoken(figure, figure.value),
                interval(figure),
                "every image" if coverage is None else shown(metrics, prefix + coverage),
                str(figure.sample.n_images),
                str(figure.sample.n_groups),
                figure.sample.split,
            )
        )
    return markdown(
        ("figure", "value", "95 % interval", "coverage", "images", "groups", "split"), rows
    )


def _out_of_fold(key: str) -> str:
    """What a figure of a cross-validation is; that of one source begins with the source's name."""
    if (masks := _of_masks(key, MASKS)) is not None:
        return masks
    source, _, what = key.rpartition(".")
    text = OUT_OF_FOLD.get(what) or OF_MASKS.get(what, f"`{what}`")
    return f"{source}: {text}" if source else text


def _of_masks(key: str, prefix: str) -> str | None:
    """What a figure of masks is; None for one that only its name describes."""
    served = key.removesuffix("_as_served")
    text = OF_MASKS.get(served.removeprefix(prefix)) if served.startswith(prefix) else None
    return text if text is None or served == key else f"{text}, as served"


def _verdict_table(metrics: MetricsFile, finding: str) -> str:
    shares = (*(verdict.value for verdict in Verdict), "tumor_calls", "none_calls")
    heads = (*(f"`{verdict.value}`" for verdict in Verdict), f"called {finding}", "called none")
    return markdown(
        ("domain", "images", *heads),
        [
            (str(row["domain"]), _count(row, "n_images"), *(_share(row, key) for key in shares))
            for row in table(metrics, "verdicts")
        ],
    )


def _guard_table(metrics: MetricsFile, finding: str) -> str:
    return markdown(
        ("domain", "guard", "images", "AUROC", "FPR95", "AUPR", "admitted", f"called {finding}"),
        [
            (
                f"{row['domain']} ({'near' if row['near'] else 'far'})",
                str(row["guard"]),
                _count(row, "n_images"),
                "{} ({} to {})".format(*(f"{value:.3f}" for value in _bounded(row, "auroc"))),
                _share_of(row, "fpr95"),
                f"{number(row, 'aupr'):.3f}",
                _share_of(row, "admitted"),
                _share_of(row, "finding_calls"),
            )
            for row in table(metrics, "guard")
        ],
    )


def _bounded(row: Row, key: str) -> list[float]:
    """A value and the ends of its interval."""
    return [number(row, key + end) for end in ("", "_low", "_high")]


def _share_of(row: Row, key: str) -> str:
    value, low, high = (100 * one for one in _bounded(row, key))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"


def _confusion_table(metrics: MetricsFile) -> str:
    rows = table(metrics, "confusion")
    names = [str(row["true"]) for row in rows]
    return markdown(
        ("true", *names),
        [(str(row["true"]), *(_count(row, name) for name in names)) for row in rows],
    )


def _split_table(metrics: MetricsFile) -> str:
    return markdown(
        ("split", "class", "images", "groups of the split"),
        [
            (str(row["split"]), str(row["label"]), _count(row, "n_images"), _count(row, "n_groups"))
            for row in table(metrics, "splits")
        ],
    )


def _aside_table(metrics: MetricsFile) -> str:
    return markdown(
        ("labelled", "what speaks against it", "test images"),
        [
            (str(row["label"]), str(row["why"]), _count(row, "n_images"))
            for row in table(metrics, "set_aside")
        ],
    )


def _members(guard: GuardFile) -> str:
    return ", ".join(f"`{member.name}`" for member in guard.members)


def _strangers(guard: GuardFile) -> str:
    known = ", ".join(guard.strangers)
    return f"against {known}" if known else "on in-domain images alone"


def _link(before: str, name: str, text: str) -> str:
    return f"{before}[{text}]({contract.REPORTS}/{name})"


def _share(row: Row, key: str) -> str:
    return percent(number(row, key))


def _count(row: Row, key: str) -> str:
    return f"{number(row, key):.0f}"
