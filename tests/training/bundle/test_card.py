"""The card keeps to its contract, and every number on it stands in one of the bundle's files."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from hub_model.contract import PHANTOM_WARNING, MetricsFile
from hub_model.errors import BundleError, UsageError
from hub_model.policy import Decision
from tests.training.measured_run import DOMAINS, FIGURES, GUARDS, NEAR, Parts, parts
from training.bundle import card
from training.bundle.spoken import spoken
from training.recipe import load

REPORTS = ["confusion.svg", "verdicts.svg", "verdicts.csv"]
CELL = r"[^|\n]+"
PERCENT = r"\d+\.\d %"
AREA = r"[01]\.\d{3}"
BOUNDED = rf"{PERCENT} \(\d+\.\d to \d+\.\d\)"
PATTERN = {
    "What it is": r"\n# [^\n]+\n\nA \w+ that sorts \w+ slices into [^\n]+\.\n",
    "Research only": r"\n\*\*Research tool\. Not for clinical use\.\*\*\n",
    "How to use it": r"```bash\nhf download [^`]*--revision <revision>[^`]*```.*"
    r"from_pretrained\(\"<owner>/<name>\", \"<revision>\"\).*"
    r"timm\.create_model\(\"hf-hub:<owner>/<name>@<revision>\", pretrained=True\).*"
    r"hf_hub_download\([^)]*revision=\"<revision>\"\)",
    "Figures": r"\| figure \| value \| 95 % interval \| coverage \| images \| groups \| split \|\n"
    rf"\|[- |]+\|\n(\| {CELL} \| {CELL} \| {CELL} to {CELL} \| (every image|{PERCENT}) "
    r"\| \d+ \| \d+ \| [^|\n]+ \|\n)+",
    "Verdicts by domain": rf"\| test \| \d+ (\| {PERCENT} ){{8}}\|\n(\| \w+ \| \d+ "
    rf"(\| {PERCENT} ){{8}}\|\n)+",
    "The guard on domains that it had not seen": r"(\| \w+ \((near|far)\) \| \w+ \| \d+ "
    rf"\| {AREA} \({AREA} to {AREA}\) \| {BOUNDED} \| {AREA} \| {BOUNDED} \| {BOUNDED} \|\n)+",
    "Confusion": r"\| true \|( \w+ \|){4}\n\|[- |]+\|\n(\| \w+ \|( \d+ \|){4}\n){4}",
    "Reports": r"!\[confusion\]\(reports/confusion\.svg\)\n!\[verdicts\]\(reports/verdicts\.svg\)"
    r"\n\n- \[verdicts\.csv\]\(reports/verdicts\.csv\)",
    "Images and groups": r"(\| \w+ \| \w+ \| \d+ \| \d+ \|\n)+",
    "Promises and thresholds": rf"groups count as independent.*\| `tau_none` \| \d\.\d{{3}} "
    rf"\| [^|]+ (\| {PERCENT} ){{4}}\| \d+ \| \d+ \| threshold \|\n.*`tau_domain`.*no guarantee.*"
    r"\| `min_valid_slices` \| \d+ \|.*softmax\(logits / \d\.\d{3}\)",
    "Data and its limits": r"licence in the header covers code and weights\..*"
    r"\| masoudnickparvar \|.*CC0-1\.0 \| by a third party's word \|.*unknown.*"
    r"Known of these sources:\n\n(- \w+: [^\n]+\n)+",
    "Intended use": r"Research on selective prediction",
    "Not intended": r"- Any decision about a patient",
    "How to cite": r"```bibtex\n@misc\{.*revision <revision>.*```",
    "Made with": r"\| code \| `[0-9a-f]{40}` \|",
}
# Words that hold a digit and are no figure of this model.
DEFINITIONS = ("95 % interval", "95 % of", "FPR95", "macro F1", "40 hexadecimal digits")


def render(what: Parts, reports: list[str] | None = None) -> str:
    return card.render(
        what.config,
        what.metrics,
        what.policy,
        what.temperature,
        what.guard,
        what.environment,
        REPORTS if reports is None else reports,
    )


def replaced(what: Parts, **changes: Any) -> Parts:
    return Parts(**{field.name: getattr(what, field.name) for field in fields(Parts)} | changes)


def converted() -> Parts:
    whole = parts()
    return replaced(
        whole,
        metrics=MetricsFile(phantom=False, figures={}, tables={}),
        policy=whole.policy.model_copy(update={"promises": ()}),
        temperature=whole.temperature.model_copy(update={"nll_before": None, "nll_after": None}),
        environment=whole.environment.model_copy(
            update={"recipe": {card.CONVERTED_FROM: {"best_model.pth": "ef" * 32}}, "sources": {}}
        ),
    )


def header(text: str) -> dict[str, Any]:
    assert text.startswith("---\n")
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


def body(text: str) -> str:
    return text.split("---\n", 2)[2]


def section(text: str, title: str) -> str:
    """What stands under a heading of any level, up to the next one."""
    found = re.search(rf"^##+ {title}\n(.*?)(?=^##+ |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"no section {title!r}"
    return found[1]


def leaves(value: Any) -> Iterator[str | int | float]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, str | int | float):
        yield value


def ways_to_print(what: Parts) -> set[str]:
    """Every way in which a number of the bundle's files may stand on the card."""
    found: set[str] = set()
    known = [getattr(what, field.name).model_dump(mode="json") for field in fields(Parts)]
    known += [vars_of(source) for source in card_sources(what)]
    for leaf in leaves(known):
        if isinstance(leaf, str):
            found.update(re.findall(r"\d+(?:\.\d+)?", leaf))
        else:
            found |= {f"{100 * leaf:.1f}", f"{leaf:.3f}", f"{leaf:.0f}", f"{leaf:g}"}
    return found


def card_sources(what: Parts) -> list[Any]:
    return [card.find(name) for name in what.environment.sources]


def vars_of(source: Any) -> dict[str, Any]:
    return {field.name: getattr(source, field.name) for field in fields(source)}


@pytest.mark.parametrize("title", PATTERN)
def test_every_section_keeps_to_its_pattern(title):
    text = render(parts())
    where = text if title in ("What it is", "Research only") else section(text, title)
    assert re.search(PATTERN[title], where, re.DOTALL), where


@pytest.mark.parametrize("phantom", [False, True])
def test_every_number_stands_in_one_of_the_files(phantom):
    what = parts(phantom=phantom, official=True)
    text = re.sub(r"```.*?```", "", body(render(what)), flags=re.DOTALL)
    for words in DEFINITIONS:
        text = text.replace(words, "")
    printed = re.findall(r"\d+(?:\.\d+)?", text)
    assert len(printed) > 200
    assert set(printed) - ways_to_print(what) == set()


def test_the_template_holds_no_number_but_the_length_of_a_commit():
    words = card.TEMPLATE.read_text().replace("40 hexadecimal digits", "")
    assert re.findall(r"\d+", words) == []


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_stands_with_its_interval_coverage_n_and_split(name):
    what = parts()
    figure = what.metrics.figures[f"test.{name}"]
    text, coverage = card.FIGURES[name]

    def shown(value: float) -> str:
        return f"{100 * value:.1f} %" if figure.unit == "share" else f"{value:.3f}"

    assert figure.low is not None
    assert figure.high is not None
    answered = "every image"
    if coverage is not None:
        answered = f"{100 * what.metrics.figures[f'test.{coverage}'].value:.1f} %"
    row = (
        f"| {text.format(finding='tumor')} | {shown(figure.value)} | {shown(figure.low)} to "
        f"{shown(figure.high)} | {answered} | 731 | 67 | test groups |"
    )
    assert row in section(render(what), "Figures").splitlines()


def test_an_accuracy_of_answered_images_is_never_without_coverage():
    for name, (_, coverage) in card.FIGURES.items():
        assert (coverage is not None) == (
            name.startswith(("accepted", "coverage", "refused")) or "_called_" in name
        )


def test_a_figure_without_interval_shows_none():
    what = parts()
    figure = what.metrics.figures["test.accuracy"].model_copy(update={"low": None, "high": None})
    figures = {**what.metrics.figures, "test.accuracy": figure}
    text = render(replaced(what, metrics=what.metrics.model_copy(update={"figures": figures})))
    assert f"| {100 * figure.value:.1f} % | – | every image |" in text


def test_an_interval_without_width_is_not_left_to_speak_for_itself():
    what = parts()
    assert "without width" not in render(what)
    never = what.metrics.figures["test.tumor_called_none"].model_copy(
        update={"value": 0.0, "low": 0.0, "high": 0.0}
    )
    figures = {**what.metrics.figures, "test.tumor_called_none": never}
    text = render(replaced(what, metrics=what.metrics.model_copy(update={"figures": figures})))
    assert "An interval without width says" in section(text, "Figures")


def test_every_row_of_the_official_split_is_marked_leaky():
    rows = [
        line
        for line in render(parts(official=True)).splitlines()
        if "the source's own test images" in line
    ]
    assert len(rows) == len(FIGURES)
    assert all("(leaky) |" in row for row in rows)
    assert "leaky" not in section(render(parts()), "Figures").lower()


def test_a_cross_validation_stands_by_group_and_its_leaky_twin_is_marked():
    what = parts()
    one = what.metrics.figures["test.accuracy"]
    folds = {f"{way}.accuracy": one for way in ("crossval", "crossval_by_image")}
    metrics = what.metrics.model_copy(update={"figures": {**what.metrics.figures, **folds}})
    text = section(render(replaced(what, metrics=metrics)), "Cross-validation")
    honest, leaky = text.split("**Leaky, for comparison only:**")
    assert "| likeliest class right |" in honest
    assert "| likeliest class right (leaky) |" in leaky
    assert "Cross-validation" not in render(parts())


def test_a_source_that_was_left_out_stands_with_both_harms_and_its_sequences():
    what = parts()
    one = what.metrics.figures["test.accuracy"]
    shown = spoken(one, one.value)
    found = {
        f"left_out.lgg.{part}{name}": one
        for part in ("", "flair.")
        for name in ("answered", "answered_right", "tumor_called_none", "none_called_tumor")
    }
    del found["left_out.lgg.flair.tumor_called_none"]  # no tumor in that sequence
    row = {"source": "lgg", "n_images": 120, "n_groups": 16}
    tables = {"left_out": [{**row, "sequence": None}, {**row, "sequence": "flair"}]}
    metrics = what.metrics.model_copy(
        update={
            "figures": {**what.metrics.figures, **found},
            "tables": {**what.metrics.tables, **tables},
        }
    )
    text = section(render(replaced(what, metrics=metrics)), "Sources never met")
    whole, flair = (line for line in text.splitlines() if line.startswith("| lgg"))
    assert whole.count(shown) == 4
    assert flair.startswith("| lgg, flair | 120 | 16 |")
    assert flair.count(shown) == 3
    assert flair.count("| – |") == 1
    assert "Sources never met" not in render(what)


def test_what_answers_rest_on_is_said_in_words():
    what = parts()
    names = ("covered.before", "covered.after", "activation_inside", "alike.border")
    found = {f"evidence.{name}": what.metrics.figures["test.accuracy"] for name in names}
    metrics = what.metrics.model_copy(update={"figures": {**what.metrics.figures, **found}})
    text = section(render(replaced(what, metrics=metrics)), "What answers rest on")
    assert "| the same once it is covered with tissue of the same image |" in text
    assert "| the same, made alike: border |" in text
    assert "`" not in text


def test_masks_stand_in_a_section_of_their_own_and_only_where_there_are_any():
    whole = parts()
    assert "### Masks" not in render(whole)
    one = whole.metrics.figures["test.accuracy"]
    names = ("masks.dice", "masks.false_positive_as_served", "masks.dice.glioma")
    more = dict.fromkeys((*names, "crossval.masks.dice"), one)
    changed = whole.metrics.model_copy(update={"figures": {**whole.metrics.figures, **more}})
    text = render(replaced(whole, metrics=changed))
    rows = [line for line in section(text, "Masks").splitlines() if line.startswith("| ")][1:]
    said = [row.split(" | ")[0] for row in rows if not row.startswith("| ---")]
    assert said == [
        "| Dice, mean over slices with a mask",
        "| slices without tumor on which a pixel is drawn, as served",
        "| `dice.glioma`",
    ]
    assert "| Dice, mean over slices with a mask" in section(text, "Cross-validation")


def test_a_source_beside_the_recipes_own_says_what_it_was_for():
    what, recipe = parts(), load("mri_tumor_4class_evidence")
    named = {
        "recipe": recipe.model_dump(mode="json"),
        "sources": dict.fromkeys(recipe.data.sources, "local"),
    }
    environment = what.environment.model_copy(update=named)
    text = section(render(replaced(what, environment=environment)), "Data and its limits")
    rows = [line.split(" | ") for line in text.splitlines() if line.endswith(" |")]
    used = {row[0].removeprefix("| "): row[2] for row in rows}
    assert used["lgg"] == "training, the finding only; calibration, thresholds, test"
    assert used["navoneel"] == "test, never learnt from"
    assert used["masoudnickparvar"] == "training, calibration, thresholds, test"


def test_uncertainty_stands_with_intervals_and_a_dash_where_nothing_is_ranked():
    whole = parts()
    assert "rank the errors" not in render(whole)
    row = {
        "of": "class", "samples": "dropout", "measure": "information", "n_images": 731,
        "n_groups": 67, "errors": 40, "loss": 0.055, "auroc": 0.812, "auroc_low": 0.7,
        "auroc_high": 0.9, "area": 0.021, "area_low": 0.01, "area_high": 0.03,
    }  # fmt: skip
    none = {"auroc": None, "auroc_low": None, "auroc_high": None}
    mask = {**row, "of": "mask", "samples": "flips", "measure": "entropy", "errors": 0, **none}
    changed = whole.metrics.model_copy(
        update={"tables": {**whole.metrics.tables, "uncertainty": [row, mask]}}
    )
    lines = section(render(replaced(whole, metrics=changed)), "Does uncertainty rank the errors")
    assert (
        "| class | dropout before the last layer | mutual information | 731 | 67 | 40 "
        "| 0.812 (0.700 to 0.900) | 0.021 (0.010 to 0.030) | 0.055 |"
    ) in lines
    assert "| mask | the image and its mirror image | predictive entropy | 731 | 67 | 0 | – |" in (
        lines
    )


def test_every_domain_stands_under_verdicts_and_guard():
    text = render(parts())
    for domain in DOMAINS:
        assert f"| {domain} | " in section(text, "Verdicts by domain")
    for domain in DOMAINS[1:]:
        kin = "near" if domain in NEAR else "far"
        for guard in GUARDS:
            assert f"| {domain} ({kin}) | {guard} | " in section(text, "The guard on domains.*?")


def test_a_phantom_says_so_before_anything_else():
    first = body(render(parts(phantom=True))).strip().splitlines()[0]
    assert first == f"**{PHANTOM_WARNING}**"
    assert "phantom" in header(render(parts(phantom=True)))["tags"]


def test_only_a_phantom_is_called_one():
    assert "phantom" not in render(parts()).lower()


def test_header_reads_as_plain_yaml_with_python_floats():
    what = parts()
    found = header(render(what))
    assert found["library_name"] == "timm"
    assert found["pipeline_tag"] == "image-classification"
    assert found["license"] == "apache-2.0"
    assert {"medical", "selective-prediction"} <= set(found["tags"])
    results = found["model-index"][0]["results"]
    values = {metric["name"]: metric["value"] for one in results for metric in one["metrics"]}
    assert all(type(value) is float for value in values.values())
    name = next(name for name in values if name.startswith("class right"))
    coverage = what.metrics.figures["test.coverage_typed"].value
    assert values[name] == what.metrics.figures["test.accepted_accuracy"].value
    assert name.endswith(f"(coverage {100 * coverage:.1f} %)")


def test_header_never_files_the_leaky_split():
    text = render(parts(official=True))
    assert "leaky" not in text.split("---\n")[1]


def test_the_hub_client_reads_the_card_back():
    read = ModelCard(render(parts()))
    assert len(read.data.eval_results) == len(card.HUB_METRICS)


def test_code_on_the_card_names_what_exists():
    blocks = re.findall(r"```python\n(.*?)```", render(parts()), re.DOTALL)
    assert len(blocks) == 3
    known = {field.name for field in fields(Decision)}
    for block in blocks:
        tree = ast.parse(block)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert node.module is not None
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert node.value.id != "decision" or node.attr in known


def test_every_issue_of_every_source_is_told():
    what = parts()
    text = section(render(what), "Data and its limits")
    for source in card_sources(what):
        assert f"| {source.name} | {source.title} | " in text
        for issue in source.known_issues:
            assert f"- {source.name}: {issue}\n" in text + "\n"


def test_a_leaky_division_is_called_leaky():
    what = parts()
    recipe = what.environment.recipe
    leaky = {**recipe, "data": {**recipe["data"], "scheme": "official"}}
    environment = what.environment.model_copy(update={"recipe": leaky})
    assert "**Leaky:**" in render(replaced(what, environment=environment))
    assert "**Leaky:**" not in render(what)


def test_a_converted_bundle_says_that_nothing_was_measured():
    text = render(converted(), [])
    assert section(text, "Figures").strip() == card.NOT_MEASURED
    assert "No promise" in section(text, "Promises and thresholds")
    assert "not measured" in section(text, "Promises and thresholds")
    assert "does not say which images" in section(text, "Data and its limits")
    assert f"| `best_model.pth` | `{'ef' * 32}` |" in section(text, "Made with")
    assert "model-index" not in header(text)


@pytest.mark.parametrize("name", ["confusion", "verdicts", "guard", "splits"])
def test_a_missing_table_is_refused_by_name(name):
    what = parts()
    rest = {key: rows for key, rows in what.metrics.tables.items() if key != name}
    with pytest.raises(BundleError, match=f"no table '{name}'"):
        render(replaced(what, metrics=what.metrics.model_copy(update={"tables": rest})))


def test_a_missing_coverage_is_refused_by_name():
    what = parts()
    rest = {key: one for key, one in what.metrics.figures.items() if key != "test.coverage"}
    with pytest.raises(BundleError, match=r"no figure 'test\.coverage'"):
        render(replaced(what, metrics=what.metrics.model_copy(update={"figures": rest})))


def test_a_source_that_nobody_described_is_refused():
    what = parts()
    environment = what.environment.model_copy(update={"sources": {"found_somewhere": "local"}})
    with pytest.raises(UsageError, match="found_somewhere"):
        render(replaced(what, environment=environment))
