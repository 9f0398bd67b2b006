"""What the documents show of data that stands elsewhere, rendered between their markers.

`python -m scripts.readme` writes the blocks of README.md and DATA_LICENSES.md anew. It is run after
a release, or after a change of the sources or the exit codes; a test proves that both documents are
as rendered here.
"""

from __future__ import annotations

import re
from pathlib import Path

from hub_model import bundle
from hub_model.contract import PHANTOM_WARNING, MetricsFile, ModelConfig, Verdict
from hub_model.errors import UsageError
from scripts.main import EXIT_CODES
from scripts.options import RELEASE
from training.bundle.card_figures import FIGURES, OFFICIAL, TEST
from training.bundle.plots import number, table
from training.bundle.spoken import NOTHING, markdown, percent, shown
from training.sources.table import SOURCES

ROOT = Path(__file__).parent.parent
NO_RELEASE = "There is no release yet: nothing was measured, so nothing is shown."
HEADLINE = (
    "accuracy",
    "finding_accuracy",
    "coverage",
    "coverage_typed",
    "accepted_accuracy",
    "accepted_finding_accuracy",
    "tumor_called_none",
    "none_called_tumor",
    "refused_by_guard",
    "ece_calibrated",
)  # figures of metrics.json that the README shows, all of them shares
LEAKY = " (**leaky**)"


def documents() -> dict[Path, str]:
    """The text that each document must have, its blocks rendered from what is true now.

    Raises:
        BundleError: the released bundle breaks the contract or lacks a figure.
        UsageError: a document does not have the markers of its blocks once each.
    """
    readme, licences = ROOT / "README.md", ROOT / "DATA_LICENSES.md"
    text = with_block(readme.read_text(), "figures", figures_of(RELEASE))
    return {
        readme: with_block(text, "exit-codes", exit_codes()),
        licences: with_block(licences.read_text(), "sources", sources()),
    }


def with_block(text: str, name: str, body: str) -> str:
    """The text with `body` between its two markers.

    Args:
        text: holds `<!-- name:begin -->` and `<!-- name:end -->` on lines of their own, once.
        name: of the block.
        body: Markdown.
    """
    block = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->\n)", re.DOTALL)
    changed, count = block.subn(lambda found: f"{found[1]}\n{body}\n\n{found[2]}", text)
    if count != 1:
        raise UsageError(f"the markers {name}:begin and {name}:end stand {count} times, expected 1")
    return changed


def figures_of(folder: Path) -> str:
    """The figures of the bundle in a folder, or that there is none."""
    if not folder.is_dir():
        return NO_RELEASE
    found = bundle.read(folder)
    return render_figures(found.metrics, found.config, found.content)


def render_figures(metrics: MetricsFile, config: ModelConfig, content: str) -> str:
    """The headline figures of one bundle as Markdown.

    Args:
        metrics: of a run that was measured.
        config: says what is sorted into what.
        content: the bundle's content hash, 64 hex digits.

    Raises:
        BundleError: a figure or the table of verdicts is missing.
    """
    facts, finding = config.neuroguard.facts, config.neuroguard.finding.name
    parts = [
        f"{facts.title}: {config.architecture}, classes {', '.join(config.label_names)}; bundle "
        f"`{content}`.",
        "Each image is a case of its own. Intervals hold 95 % of a bootstrap over groups; a group "
        "is a patient, or a set of look-alikes where no patient is known. Coverage is the share "
        "that was answered and belongs to every accuracy.",
        _figure_table(metrics, TEST, finding, ""),
    ]
    if facts.phantom:
        parts.insert(0, f"**{PHANTOM_WARNING}**")
    if any(name.startswith(OFFICIAL) for name in metrics.figures):
        parts += [
            "**Leaky, for comparison only:** the same recipe trained and tested as the source "
            "divides itself, with patients on both sides.",
            _figure_table(metrics, OFFICIAL, finding, LEAKY),
        ]
    parts += [
        "What becomes of whole domains. The first row is the test split; every other one was "
        "judged with a guard that was fitted without it.",
        _verdict_table(metrics),
    ]
    return "\n\n".join(parts)


def exit_codes() -> str:
    """The table of exit codes."""
    return markdown(("exit code", "meaning"), [(str(c), said) for c, said in EXIT_CODES.items()])


def sources() -> str:
    """The table of sources, and what is known to be wrong with each."""
    rows = [
        (
            source.name,
            source.title,
            source.modality,
            f"`{source.origin}`" if source.origin else NOTHING,
            source.licence,
            source.licence_stated_where,
        )
        for source in SOURCES.values()
    ]
    heads = ("source", "what it is", "modality", "pinned", "licence", "as stated")
    issues = [
        f"- {source.name}: {issue}" for source in SOURCES.values() for issue in source.known_issues
    ]
    return "\n\n".join([markdown(heads, rows), "Known of them:", "\n".join(issues)])


def _figure_table(metrics: MetricsFile, prefix: str, finding: str, mark: str) -> str:
    rows = []
    for name in HEADLINE:
        value = shown(metrics, prefix + name)
        figure = metrics.figures[prefix + name]
        text, coverage = FIGURES[name]
        low, high = percent(figure.low), percent(figure.high)
        rows.append(
            (
                text.format(finding=finding) + mark,
                value,
                NOTHING if NOTHING in (low, high) else f"{low} to {high}",
                "every image" if coverage is None else shown(metrics, prefix + coverage),
                str(figure.sample.n_images),
                str(figure.sample.n_groups),
                figure.sample.split,
            )
        )
    heads = ("figure", "value", "95 % interval", "coverage", "images", "groups", "split")
    return markdown(heads, rows)


def _verdict_table(metrics: MetricsFile) -> str:
    rows = []
    for row in table(metrics, "verdicts"):
        answered = sum(number(row, verdict) for verdict in Verdict if verdict.accepted)
        strange = number(row, Verdict.ABSTAIN_OOD)
        rows.append(
            (
                str(row["domain"]),
                f"{number(row, 'n_images'):.0f}",
                percent(answered),
                percent(strange),
                percent(max(0.0, 1 - answered - strange)),  # rounding may end just below 0
            )
        )
    heads = ("domain", "images", "answered", "refused as out of domain", "refused otherwise")
    return markdown(heads, rows)


if __name__ == "__main__":
    for _path, _text in documents().items():
        _path.write_text(_text)
