"""A pushed dataset's README.md: everything it says comes out of the build's report and the audit.

The words stand in `card.md`; no number stands there or here.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from huggingface_hub import DatasetCardData

from hub_model.contract import RESEARCH_ONLY
from training.bundle.spoken import markdown
from training.dataset.folder import GROUP_CONFIG
from training.dataset.parquet import FOLDS_CONFIG, OFFICIAL_CONFIG, Config
from training.dataset.report import BuildReport, Counts
from training.dataset.rows import FOLDS
from training.sources.stream import find
from training.sources.table import Source

TEMPLATE = Path(__file__).with_name("card.md")
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
UNKNOWN_LICENCE = "unknown"
DRAWN = "PHANTOM: these images are drawn, they say nothing about any patient."
NO_AUDIT = (
    "No audit was handed in with this revision. That says nothing about leaks, near-copies or "
    "shortcuts: run `neuroguard dataset audit` on it."
)
DIVISIONS = {
    GROUP_CONFIG: "the default: no group is on two sides",
    OFFICIAL_CONFIG: "the sources' own division, **leaky** as far as the numbers below say, for "
    "comparison only",
    FOLDS_CONFIG: f"{FOLDS} folds over all images, disjoint by group",
}


def render(
    report: BuildReport,
    label_names: Sequence[str],
    configs: Sequence[Config],
    audit: str | None,
) -> str:
    """The card as Markdown with the Hub's YAML header.

    Args:
        report: of the build.
        label_names: classes in their order.
        configs: divisions that the repository's files can be read by, the default one first.
        audit: the audit's Markdown, its links relative to the folder `audit`; None: no audit.

    Raises:
        UsageError: an image is of a source that is not in the table of sources.
    """
    sources = {name: find(name) for name in report.sources}
    modalities = ", ".join(sorted({source.modality for source in sources.values()}))
    title = f"{modalities} slices: {', '.join(label_names)}"
    phantom = any(source.layout == "phantom" for source in sources.values())
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        header=_header(report, sources, configs, title),
        title=title,
        warning=f"**{DRAWN}**\n\n" if phantom else "",
        images=_total(report.images),
        groups=sum(report.groups.values()),
        notice=RESEARCH_ONLY,
        configs="\n".join(_division(config) for config in configs),
        labels=", ".join(f"`{name}`" for name in label_names),
        counts=_join(_counts(report)),
        provenance=_join(_provenance(report, sources)),
        audit=NO_AUDIT if audit is None else inside(audit),
        limits="\n".join(f"- {limit}" for limit in _limits(report, sources)),
        fingerprint=report.fingerprint,
        made_with=_made_with(report),
    )


def _header(
    report: BuildReport, sources: dict[str, Source], configs: Sequence[Config], title: str
) -> str:
    licences = sorted({source.licence.lower() for source in sources.values()})
    images = _total(report.images)
    return (
        DatasetCardData(
            pretty_name=title,
            license=licences if len(licences) > 1 else licences[0],
            task_categories=["image-classification"]
            + (["image-segmentation"] if report.masks else []),
            size_categories=next((name for limit, name in SIZES if images < limit), "n>1M"),
            tags=["medical", *sorted({source.modality for source in sources.values()})],
            configs=[
                {
                    "config_name": config.name,
                    **({"default": True} if config is configs[0] else {}),
                    "data_files": [
                        {"split": split, "path": pattern}
                        for split, pattern in config.patterns.items()
                    ],
                }
                for config in configs
            ],
        ).to_yaml()
        + "\n"
    )


def _division(config: Config) -> str:
    splits = ", ".join(f"`{split}`" for split in config.patterns)
    return f'- `"{config.name}"` ({splits}): {DIVISIONS[config.name]}.'


def _counts(report: BuildReport) -> Iterable[str]:
    yield "Images by class, and groups:"
    yield _table(report.images, "split", groups=report.groups)
    yield "Images by source:"
    yield _table(report.sources, "source")
    if report.masks:
        yield "Images with a mask:"
        yield markdown(
            ("source", "images"), [(name, str(count)) for name, count in report.masks.items()]
        )
    if report.official:
        yield (
            f"As the sources divide themselves (`{OFFICIAL_CONFIG}`): "
            f"**{report.official_shared_groups} groups stand on two sides** of that division, as "
            "far as groups are known."
        )
        yield _table(report.official, "official split")
    yield "Folds:"
    yield _table(report.folds, "fold")
    yield (
        "Sides are drawn by a hash of the group's name, so that adding images moves nobody; even "
        "classes are then a matter of luck and of the seed. The class of a source that is furthest "
        f"from its share of a split is off by {100 * report.imbalance:.0f} %, of a fold by "
        f"{100 * report.fold_imbalance:.0f} %."
    )


def _table(counts: Counts, head: str, groups: dict[str, int] | None = None) -> str:
    columns = list(dict.fromkeys(name for row in counts.values() for name in row))
    heads = [head, *(name or "type not stated" for name in columns), "all"]
    rows = [
        [name, *(str(row.get(column, 0)) for column in columns), str(sum(row.values()))]
        for name, row in counts.items()
    ]
    if groups is not None:
        heads.append("groups")
        rows = [[*row, str(groups[row[0]])] for row in rows]
    return markdown(heads, rows)


def _provenance(report: BuildReport, sources: dict[str, Source]) -> Iterable[str]:
    yield markdown(
        ("source", "what it is", "images", "pinned", "licence", "as stated"),
        [
            (
                name,
                source.title,
                str(sum(report.sources[name].values())),
                report.origins.get(name) or source.origin or "not pinned",
                source.licence,
                source.licence_stated_where,
            )
            for name, source in sources.items()
        ],
    )
    if unknown := [n for n, source in sources.items() if source.licence == UNKNOWN_LICENCE]:
        yield (
            f"Not known: under which terms the images of {', '.join(unknown)} may be passed on. "
            "Ask there before you do."
        )


def _limits(report: BuildReport, sources: dict[str, Source]) -> Iterable[str]:
    yield from report.warnings
    if report.ungrouped:
        yield (
            f"of {report.ungrouped} images no group is known: only equal pixels keep them "
            "together, so their patients may stand on two sides"
        )
    for name, source in sources.items():
        for issue in source.known_issues:
            yield f"{name}: {issue}"
    yield "who the people are, and how many of them, is known only as far as the groups say"


def _made_with(report: BuildReport) -> str:
    packages = ("datasets", "pyarrow")
    return markdown(
        ("what", "which"),
        [
            ("fingerprint", f"`{report.fingerprint}`"),
            ("seed", str(report.seed)),
            ("shares", ", ".join(f"{name} {share:g}" for name, share in report.shares.items())),
            ("written by", ", ".join(f"{n} {importlib.metadata.version(n)}" for n in packages)),
        ],
    )


def inside(text: str) -> str:
    r"""The audit's Markdown as a section of the card: headings lower, links into its folder.

    Example:
        >>> inside("# Audit\n![sizes](pictures/sizes.png)")
        '### Audit\n![sizes](audit/pictures/sizes.png)'
    """
    lower = re.sub(r"(?m)^(#{1,4}) ", r"##\1 ", text.strip())
    return re.sub(r"\]\((?!\w+:|/|#)", "](audit/", lower)


def _total(counts: Counts) -> int:
    return sum(sum(row.values()) for row in counts.values())


def _join(parts: Iterable[str]) -> str:
    return "\n\n".join(parts)
