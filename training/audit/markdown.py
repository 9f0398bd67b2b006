"""An audit's report as Markdown. The words of its sections stand in `report.md`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Template

from hub_model.contract import PHANTOM_WARNING, Figure
from training.audit import shortcut
from training.audit.model import Finding, Report, Severity, Topic
from training.audit.plots import labels_of, side
from training.audit.shortcut import FEATURES, with_interval
from training.bundle.card_figures import FIGURES, OFFICIAL, TEST
from training.bundle.spoken import NOTHING, markdown, percent

TEMPLATE = Path(__file__).with_name("report.md")
COMPARED = ("accuracy", "macro_f1", "finding_accuracy", "tumor_called_none", "none_called_tumor")
UNTYPED = "type not stated"
NOT_MEASURED = "Not measured: no figures of a model were given to this audit."
ALT = {
    "leaks": "What held-out images share with the images that are trained on",
    "classes": "Images by origin and label",
    "sizes": "Width and height of the images by label",
    "shortcuts": "How well the classes are told apart without a look at any head",
}


def render(report: Report, pictures: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        report: of an audit.
        pictures: name of each picture of `plots.draw` to where it lies, relative to the page.
    """

    def section(topic: Topic, numbers: Iterable[str], picture: str | None = None) -> str:
        return _join([*numbers, *_picture(picture, pictures), *_findings(report, topic)])

    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=report.name,
        warning=f"**{PHANTOM_WARNING}**\n\n" if report.phantom else "",
        summary=_join(_summary(report)),
        holdings=_join(_holdings(report)),
        classes=_join(_picture("classes", pictures)),
        leaks=section("leaks", _leaks(report), "leaks"),
        comparison=_join(_comparison(report.accuracy)),
        copies=section("copies", _copies(report)),
        labels=section("labels", ()),
        shortcuts=section("shortcuts", _shortcuts(report), "shortcuts"),
        files=section("files", _files(report), "sizes"),
        trees=shortcut.TREES,
        folds=shortcut.FOLDS,
    )


def _summary(report: Report) -> Iterator[str]:
    images = sum(sum(counts.values()) for counts in report.images.values())
    counted = [
        f"{sum(finding.severity == severity for finding in report.findings)} {severity}"
        for severity in reversed(Severity)
    ]
    yield (
        f"{images} images in {report.n_groups} groups; a group is a patient or a set of "
        f"look-alikes. Findings: {', '.join(counted)}."
    )
    if report.findings:
        yield "\n".join(f"- **{finding.severity}**: {finding.found}" for finding in report.findings)


def _holdings(report: Report) -> Iterator[str]:
    yield markdown(
        ("source", "handle and version"), [(n, f"`{v}`") for n, v in report.sources.items()]
    )
    yield "Images as the sources hold them, and as this build divides them:"
    labels = labels_of(report)
    parts = [*report.origins.items(), *((f"split {n}", c) for n, c in report.images.items())]
    yield markdown(
        ("part", *(label or UNTYPED for label in labels), "all"),
        [
            (name, *_cells(counts, labels), str(sum(counts.values())))
            for name, counts in parts
        ],
    )  # fmt: skip
    yield "Groups; one that holds several labels is counted under each:"
    yield markdown(
        ("part", *(label or UNTYPED for label in labels)),
        [(f"split {name}", *_cells(counts, labels)) for name, counts in report.groups.items()],
    )
    yield f"Fingerprint of the dataset: `{report.fingerprint}`."


def _cells(counts: Mapping[str, int], labels: Sequence[str]) -> list[str]:
    return [str(counts.get(label, 0)) for label in labels]


def _leaks(report: Report) -> Iterator[str]:
    if not report.leaks:
        yield "There is no training side to compare another side with."
        return
    yield markdown(
        ("held-out side", "images", "pixel-identical", "same slice", "same patient or look-alikes"),
        [
            (
                side(leak),
                str(leak.images),
                *(
                    f"{count} ({percent(count / leak.images)})"
                    for count in (leak.identical, leak.same_slice, leak.same_group)
                ),
            )
            for leak in report.leaks
        ],
    )


def _comparison(figures: Mapping[str, Figure]) -> Iterator[str]:
    if not figures:
        yield NOT_MEASURED
        return
    yield (
        "One and the same recipe, trained and tested as the source divides itself, and on groups "
        "that it had not met. Intervals hold 95 % of a bootstrap over groups."
    )
    yield markdown(
        ("figure", "the source's own split (**leaky**)", "groups not met"),
        [
            (
                FIGURES[name][0].format(finding="tumor"),
                with_interval(figures[OFFICIAL + name]),
                with_interval(figures[TEST + name]),
            )
            for name in COMPARED
            if OFFICIAL + name in figures and TEST + name in figures
        ],
    )
    samples = dict.fromkeys(
        f"{figure.sample.n_images} images of {figure.sample.n_groups} groups "
        f"({figure.sample.split})"
        for figure in figures.values()
    )
    yield f"Measured on {'; '.join(samples)}."


def _copies(report: Report) -> Iterator[str]:
    if not report.transforms:
        yield "No two images of different pixels show the same slice."
        return
    turns, changes = Counter[str](), Counter[str]()
    for name, pairs in report.transforms.items():
        turn, *others = name.split("+")
        turns[turn] += pairs
        changes.update(dict.fromkeys(others, pairs))
    everyone = turns.total()
    yield (
        f"{everyone} pairs of images show the same slice in different pixels. Each pair is one of "
        "these symmetries, and may be changed besides."
    )
    yield markdown(
        ("what turns one into the other", "pairs", "share"),
        [
            (name, str(pairs), percent(pairs / everyone))
            for counts in (turns, Counter({f"… and {n}": c for n, c in changes.items()}))
            for name, pairs in counts.most_common()
        ],
    )


def _shortcuts(report: Report) -> Iterator[str]:
    if not report.shortcuts:
        yield "Not measured."
        return
    used = [name for name in FEATURES if any(s.features == name for s in report.shortcuts)]
    yield "\n".join(f"- {name}: {FEATURES[name]}" for name in used)
    rows = []
    for found in report.shortcuts:
        rows.append(
            (
                found.features,
                " or ".join(found.classes) if len(found.classes) == 2 else "every label",
                with_interval(found.accuracy),
                percent(found.guess),
                with_interval(found.balanced),
                percent(found.chance),
            )
        )
        rows += [
            (
                found.features,
                f"{one.label} or not",
                with_interval(one.accuracy),
                percent(one.guess),
                with_interval(one.balanced),
                percent(1 / 2),
            )
            for one in found.apart
        ]
    yield markdown(
        ("by", "told apart", "accuracy", "guessing", "balanced accuracy", "guessing, balanced"),
        sorted(rows, key=lambda row: -used.index(row[0])),
    )


def _files(report: Report) -> Iterator[str]:
    if report.build_warnings:
        yield "The build said:"
        yield "\n".join(f"- {said}" for said in report.build_warnings)
    yield markdown(
        ("label", "format", "colour mode", "images"),
        [
            (form.label or UNTYPED, form.format, form.mode or NOTHING, str(form.images))
            for form in report.forms
        ],
    )


def _findings(report: Report, topic: Topic) -> Iterator[str]:
    found = [finding for finding in report.findings if finding.topic == topic]
    yield from map(_finding, found)
    if not found:
        yield "Nothing was found."


def _finding(finding: Finding) -> str:
    lines = [
        f"**{finding.severity}** `{finding.code}`: {finding.found}",
        f"What it means: {finding.means} What to do: {finding.remedy}",
    ]
    if finding.examples:
        lines.append("\n".join(f"- `{example}`" for example in finding.examples))
    return _join(lines)


def _picture(name: str | None, pictures: Mapping[str, str]) -> Iterator[str]:
    if name is not None and name in pictures:
        yield f"![{ALT[name]}]({pictures[name]})"


def _join(parts: Iterable[str]) -> str:
    return "\n\n".join(parts)
