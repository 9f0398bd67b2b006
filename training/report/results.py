"""Plots and tables of what was learnt and measured: training, test, domains, folds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from hub_model.contract import Figure, Verdict
from training.bundle.card_figures import BY_GROUP, BY_IMAGE
from training.bundle.plots import number, table
from training.bundle.spoken import percent
from training.pictures import draw
from training.pictures.model import MIN_GROUPS, CrossValidated, Mean
from training.report import figures, html
from training.report.found import Found
from training.report.html import NOTHING, Html, paragraph
from training.report.sections import missing

WAYS = {
    "group": "Divided by group",
    "image": "Divided image by image: leaky, for comparison only",
}


def training(found: Found) -> Iterator[Html]:
    """The course of the training."""
    if not found.history:
        yield missing(found, "train")
        return
    history = found.history
    alt = f"Loss, accuracy and learning rate of {len(history)} epochs"
    caption = "Training loss is that of the recipe, with its smoothing and augmentation."
    if found.folds:
        caption += " Thin lines: the folds of the cross-validation by group."
    with TemporaryDirectory() as folder:
        path = found.plots / "training.svg"
        if not path.is_file():  # a run that ended before it was evaluated
            path = Path(folder) / "training.svg"
            draw.training(history, path, phantom=found.recipe.phantom, behind=found.folds)
        yield html.beside([html.plot(path, alt, caption)], "plots")
    keys = [key for key in history[0] if key not in ("phase", "epoch")]
    yield html.folded(
        "Every epoch",
        html.table(
            "Epochs of both phases",
            ("phase", "epoch", *(key.replace("_", " ") for key in keys)),
            [
                (str(row["phase"]), str(row["epoch"]), *(f"{number(row, key):.4g}" for key in keys))
                for row in history
            ],
        ),
    )


def test(found: Found) -> Iterator[Html]:
    """Plots of the test images."""
    metrics = found.metrics
    if metrics is None:
        yield missing(found, "evaluate")
        return
    n = sum(
        sum(number(row, str(one["true"])) for one in table(metrics, "confusion"))
        for row in table(metrics, "confusion")
    )
    tested = f"{n:.0f} test images"
    finding = found.recipe.finding.name
    yield from _plots(
        found,
        (
            ("confusion", f"Confusion of true and likeliest class on {tested}", ""),
            (
                "reliability",
                f"Accuracy against mean confidence on {tested}, before and after the temperature",
                "",
            ),
            ("risk_coverage", f"Error of the most confident of {tested} by the share kept", ""),
            ("roc", f"ROC curves on {tested}, {_areas(found)}", ""),
            (
                "precision_recall",
                f"Precision against recall on {tested}",
                f"The line '{finding} or none' takes the summed probability of the classes that "
                "assert it; every other line takes one class against the rest.",
            ),
        ),
    )
    if found.curves is None:
        yield paragraph("No curves: the stage evaluate has left no curves.json.", "absent")
        return
    yield html.items(found.curves.left_out)
    yield html.table(
        "Areas under the curves",
        ("question", "with", "without", "ROC area", "95 % interval", "average precision",
         "95 % interval"),
        [
            (
                f"{one.name} or none" if one.kind == "finding" else f"{one.name} or another",
                str(one.n_positive),
                str(one.n_negative),
                f"{one.roc_area.value:.3f}",
                _between(one.roc_area),
                f"{one.average_precision.value:.3f}",
                _between(one.average_precision),
            )
            for one in found.curves.targets
        ],
    )  # fmt: skip
    yield paragraph(f"No interval where fewer than {MIN_GROUPS} groups are on one of the sides.")


def _between(area: Figure) -> str:
    """Ends of the interval of an area, which is spoken of as a number and not in percent."""
    if area.low is None or area.high is None:
        return NOTHING
    return f"{area.low:.3f} to {area.high:.3f}"


def _areas(found: Found) -> str:
    targets = () if found.curves is None else found.curves.targets
    return ", ".join(f"{one.name} {one.roc_area.value:.3f}" for one in targets)


def domains(found: Found) -> Iterator[Html]:
    """Verdicts on the test images and on every stranger."""
    if found.metrics is None:
        yield missing(found, "evaluate")
        return
    yield paragraph(
        "Each image is a case of its own. The first row is the test split; every other domain was "
        "judged with a guard that was fitted without it."
    )
    yield from _plots(found, (("verdicts", "Shares of the verdicts by domain", ""),))
    name = found.recipe.finding.name
    shares = [*(verdict.value for verdict in Verdict), "tumor_calls", "none_calls"]
    heads = (
        *(verdict.replace("_", "_\u200b") for verdict in Verdict),
        f"called {name}",
        "called none",
    )
    yield html.table(
        "Verdicts by domain, shares of the images",
        ("domain", "images", *heads),
        [
            (
                str(row["domain"]),
                f"{number(row, 'n_images'):.0f}",
                *(percent(number(row, key)) for key in shares),
            )
            for row in table(found.metrics, "verdicts")
        ],
    )
    yield html.folded(
        "Every kind of guard on domains it had not seen",
        html.table(
            "FPR95: share of the domain let in where 95 % of the test images are",
            ("domain", "guard", "images", "AUROC", "FPR95", "AUPR", "admitted", f"called {name}"),
            [
                (
                    f"{row['domain']} ({'near' if row['near'] else 'far'})",
                    str(row["guard"]),
                    f"{number(row, 'n_images'):.0f}",
                    f"{number(row, 'auroc'):.3f}",
                    percent(number(row, "fpr95")),
                    f"{number(row, 'aupr'):.3f}",
                    percent(number(row, "admitted")),
                    percent(number(row, "finding_calls")),
                )
                for row in table(found.metrics, "guard")
            ],
        ),
    )


def crossval(found: Found) -> Iterator[Html]:
    """Folds, their figures and curves."""
    if found.recipe.crossval is None:
        yield paragraph("The recipe asks for none.", "absent")
        return
    measured = found.metrics or found.measured_folds
    if measured is None:
        yield missing(found, "calibrate")
        return
    yield paragraph(
        "Every image is scored once, by a network that was not trained on it. Probabilities are "
        "the networks' own, without a temperature, and nothing is refused. In the pictures thin "
        "lines are folds and the broad one their mean at the same x (vertical averaging, Fawcett "
        "2006); the band is one standard deviation of the folds and no confidence interval."
    )
    curves = {} if found.curves is None else {way.by: way for way in found.curves.crossval}
    for by in found.recipe.crossval.by:
        yield html.element("h3", html.text(WAYS[by]))
        prefix = BY_GROUP if by == "group" else BY_IMAGE
        yield from figures.tables(measured, found.recipe.finding.name, prefix)
        yield figures.folds(measured, by)
        if (way := curves.get(by)) is None:
            yield missing(found, "evaluate")
            continue
        alt = f"ROC and precision-recall curves of folds divided by {way.by}"
        yield from _plots(found, ((f"folds_by_{way.by}", alt, ""),))
        yield _folded_areas(way)
        yield html.items(
            f"{target.name}: {line}" for target in way.targets for line in target.left_out
        )


def _folded_areas(way: CrossValidated) -> Html:
    rows = [
        (
            f"{one.name} or none" if one.kind == "finding" else f"{one.name} or another",
            str(len(one.folds)),
            _spread(one.roc),
            _spread(one.precision_recall),
        )
        for one in way.targets
    ]
    return html.table(
        "Areas, mean and standard deviation of the folds",
        ("question", "folds", "ROC area", "average precision"),
        rows,
    )


def _spread(mean: Mean | None) -> str:
    return NOTHING if mean is None else f"{mean.area:.3f} ± {mean.area_deviation:.3f}"


def _plots(found: Found, wanted: Iterable[tuple[str, str, str]]) -> Iterator[Html]:
    """Name, alternative text and caption of drawings; those that are not there are named."""
    there, absent = [], []
    for name, alt, caption in wanted:
        path = found.plots / f"{name}.svg"
        if path.is_file():
            there.append(html.plot(path, alt, caption))
        else:
            absent.append(paragraph(f"Not drawn: {name}.svg is not in the run.", "absent"))
    if there:
        yield html.beside(there, "plots")
    yield from absent
