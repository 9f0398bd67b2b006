"""A run as one HTML file that needs no other: light and dark, on paper and on a phone.

It shows images of the dataset: keep it where the dataset may be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from string import Template

import yaml

from hub_model.contract import PHANTOM_WARNING, RESEARCH_ONLY
from training.report import found, html, images, results, sections
from training.report.found import Found
from training.report.html import Html
from training.whole_file import whole_file

NAME = "report.html"
TEMPLATE = Path(__file__).with_name("page.html")
UNKNOWN = "not recorded"

SECTIONS: tuple[tuple[str, Callable[[Found], Iterable[Html]]], ...] = (
    ("Figures", sections.measured),
    ("Stages", sections.stages),
    ("Data", sections.data),
    ("Preparation", images.examples),
    ("Training", results.training),
    ("Test", results.test),
    ("Domains", results.domains),
    ("Cross-validation", results.crossval),
    ("Gallery", images.galleries),
)


def write(run_folder: Path) -> Path:
    """Render `report.html` in the run's folder and return its path.

    Args:
        run_folder: with `recipe.json`, and the results of whatever stages are done.

    Raises:
        UsageError: it holds no run, or a file that does not read.
        BundleError: the run's figures lack a table.
    """
    content = render(found.read(run_folder))
    out = run_folder / NAME
    with whole_file(out) as file:
        file.write(content)
    return out


def render(run: Found) -> str:
    """The page."""
    notice = [html.element("strong", html.text(RESEARCH_ONLY))]
    if run.recipe.phantom:
        notice.append(html.element("strong", html.text(PHANTOM_WARNING), class_="phantom"))
    shown = [(title, html.join(draw(run))) for title, draw in SECTIONS]
    shown.append(("Recipe", _recipe(run)))
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=html.text(f"{run.recipe.title}, run {_run_id(run)}"),
        heading=html.text(run.recipe.title),
        notice=html.join(notice, " "),
        on_paper=" ".join([RESEARCH_ONLY, *([PHANTOM_WARNING] if run.recipe.phantom else [])]),
        facts=_facts(run),
        contents=html.join(
            html.element("a", html.text(title), href=f"#{_anchor(title)}") for title, _ in shown
        ),
        sections=html.join(_section(title, content) for title, content in shown),
    )


def _run_id(run: Found) -> str:
    return run.folder.resolve().name


def _facts(run: Found) -> Html:
    """What this is a report of."""
    manifest = run.manifest
    facts = {
        "run": _run_id(run),
        "recipe": f"{run.recipe.name} {run.recipe.digest}",
        "code": run.code_commit or UNKNOWN,
        "dataset": UNKNOWN if run.build is None else run.build.fingerprint,
        "started": (manifest and manifest.started) or UNKNOWN,
        "ended": (manifest and manifest.ended) or UNKNOWN,
    }
    return html.element(
        "dl",
        html.join(
            html.join([html.element("dt", html.text(k)), html.element("dd", html.text(v))], "")
            for k, v in facts.items()
        ),
    )


def _section(title: str, content: Html) -> Html:
    anchor = _anchor(title)
    heading = html.element("h2", html.text(title), id=anchor)
    return html.element("section", html.join([heading, content]), aria_labelledby=anchor)


def _recipe(run: Found) -> Html:
    tree = run.recipe.model_dump(mode="json")
    written = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    pre = html.element("pre", html.text(written), tabindex="0")
    return html.folded("The effective recipe, every value", pre)


def _anchor(title: str) -> str:
    return title.lower()
