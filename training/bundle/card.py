"""The bundle's README.md: everything it says comes out of the bundle's own files.

The words stand in `card.md`; no figure stands there or here. A bundle that was converted and never
measured says so in place of its figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from huggingface_hub import EvalResult, ModelCardData

from hub_model import contract
from hub_model.contract import (
    EnvironmentFile,
    GuardFile,
    MetricsFile,
    ModelConfig,
    PolicyFile,
    Promise,
    TemperatureFile,
)
from training.bundle.card_figures import FIGURES, TEST, sections
from training.bundle.spoken import markdown, percent, shown
from training.recipe import Recipe
from training.sources.stream import find
from training.sources.table import Source

TEMPLATE = Path(__file__).with_name("card.md")
CONVERTED_FROM = "converted_from"  # key in the environment's recipe of a converted bundle
NOT_MEASURED = "Converted from an older form of bundle, not measured: no figure of it is known."

HUB_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "f1",
    "finding_accuracy": "accuracy",
    "coverage": "coverage",
    "coverage_typed": "coverage",
    "accepted_accuracy": "accuracy",
    "accepted_finding_accuracy": "accuracy",
}  # figures that go into the header, with the type the Hub files them under


def render(
    config: ModelConfig,
    metrics: MetricsFile,
    policy: PolicyFile,
    temperature: TemperatureFile,
    guard: GuardFile,
    environment: EnvironmentFile,
    reports: Sequence[str],
) -> str:
    """The card as Markdown with the Hub's YAML header.

    Args:
        config: of the network, with our part.
        metrics: every figure; without any, the card says that nothing was measured.
        policy: thresholds and promises.
        temperature: of the calibrated probabilities.
        guard: what the shipped guard is.
        environment: of the run; its recipe says what each source was for.
        reports: file names in the bundle's `reports/`; pictures are shown, tables linked.

    Raises:
        BundleError: a table of the figures is missing.
        UsageError: the environment names a source that is not in the table of sources.
    """
    facts, finding = config.neuroguard.facts, config.neuroguard.finding
    recipe = Recipe.model_validate(environment.recipe) if metrics.figures else None
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        header=_header(config, metrics, recipe),
        warning=f"**{contract.PHANTOM_WARNING}**\n\n" if facts.phantom else "",
        title=facts.title,
        architecture=config.architecture,
        modality=facts.modality,
        classes=", ".join(config.label_names),
        finding=finding.name,
        notice=contract.RESEARCH_ONLY,
        figures=_join(sections(metrics, guard, finding.name, reports)) if recipe else NOT_MEASURED,
        promises=_join(_promises(policy, temperature)),
        data=_join(_data(environment, recipe)),
        recipe=environment.recipe_hash,
        made_with=_made_with(environment),
    )


def _header(config: ModelConfig, metrics: MetricsFile, recipe: Recipe | None) -> str:
    facts, finding = config.neuroguard.facts, config.neuroguard.finding.name
    results = [] if recipe is None else _results(metrics, find(recipe.data.source), finding)
    return ModelCardData(
        library_name="timm",
        pipeline_tag="image-classification",
        license="apache-2.0",
        tags=[
            "medical",
            "selective-prediction",
            "out-of-distribution-detection",
            "calibration",
            facts.modality,
            *(["phantom"] if facts.phantom else []),
        ],
        metrics=sorted(set(HUB_METRICS.values())) if results else None,
        model_name=facts.title if results else None,
        eval_results=results or None,
    ).to_yaml()


def _results(metrics: MetricsFile, source: Source, finding: str) -> list[EvalResult]:
    """What the Hub shows beside the card; each accuracy names its coverage."""
    results = []
    for name, kind in HUB_METRICS.items():
        text, coverage = FIGURES[name]
        answered = "" if coverage is None else f" (coverage {shown(metrics, TEST + coverage)})"
        figure = metrics.figures[TEST + name]
        results.append(
            EvalResult(
                task_type="image-classification",
                dataset_type=source.handle or source.name,
                dataset_name=source.title,
                dataset_split=figure.sample.split,
                metric_type=kind,
                metric_name=text.format(finding=finding) + answered,
                metric_value=float(figure.value),  # YAML would write a numpy scalar as Python code
            )
        )
    return results


def _promises(policy: PolicyFile, temperature: TemperatureFile) -> Iterable[str]:
    limits = policy.thresholds.model_dump()
    if policy.promises:
        yield (
            "Each threshold with a bound was chosen on images that nothing else was chosen on: "
            "from the strictest candidate on, the last one before a bound exceeded its target. The "
            "promise is about one answered image, drawn at random, of a group (a patient, or "
            "look-alikes) drawn at random: groups count as independent, which slices of one "
            "patient are not, so a large patient weighs no more than a small one. It holds for "
            "images like those it was chosen on that pass quality and guard, each a case of its "
            "own, and for nothing else."
        )
        yield markdown(
            ("threshold", "value", "promise", "target", "bound", "confidence", "coverage",
             "images", "groups", "split"),
            [_promise_row(promise, limits[promise.threshold]) for promise in policy.promises],
        )  # fmt: skip
    else:
        yield "No promise: the thresholds were taken over, and what they keep was not measured."
    yield "All thresholds and limits, as `final_policy_config.json` holds them:"
    settings = {**limits, **policy.quality.model_dump()}
    yield markdown(
        ("name", "value"), [(f"`{name}`", f"{value:g}") for name, value in settings.items()]
    )
    pooled = policy.aggregation
    yield f"Slices of a case become one answer by `{pooled.kind}`, level {pooled.level:g}."
    yield _temperature(temperature)


def _promise_row(promise: Promise, value: float) -> tuple[str, ...]:
    exact = promise.confidence is not None
    return (
        f"`{promise.threshold}`",
        f"{value:.3f}",
        promise.statement,
        percent(promise.target),
        percent(promise.bound),
        percent(promise.confidence) if exact else "no guarantee: an empirical quantile",
        percent(promise.coverage),
        str(promise.sample.n_images),
        str(promise.sample.n_groups),
        promise.sample.split,
    )


def _temperature(file: TemperatureFile) -> str:
    text = f"Probabilities are softmax(logits / {file.temperature:.3f}). "
    if file.nll_before is None or file.nll_after is None:
        return text + "The temperature was taken over; what it does was not measured."
    sample = file.fitted_on
    return text + (
        f"That temperature was fitted on {sample.n_images} images of {sample.n_groups} groups "
        f"({sample.split}); there the NLL went from {file.nll_before:.3f} to {file.nll_after:.3f} "
        f"nats an image, the calibration error from {percent(file.ece_before)} to "
        f"{percent(file.ece_after)}."
    )


def _data(environment: EnvironmentFile, recipe: Recipe | None) -> Iterable[str]:
    yield (
        "The licence in the header covers code and weights. The images keep their own, and what is "
        "not known about those is said here."
    )
    if recipe is None:
        yield "The older bundle does not say which images it was built on, nor under which terms."
        return
    sources = {name: find(name) for name in environment.sources}
    yield markdown(
        ("source", "what it is", "used for", "pinned", "licence", "as stated"),
        [
            (name, found.title, _role(recipe, name), environment.sources[name], found.licence,
             found.licence_stated_where)
            for name, found in sources.items()
        ],
    )  # fmt: skip
    yield (
        "A group is a patient where the source or its linkage names one, else a set of look-alike "
        "images. Splits share no group, and each of fitting, early stopping, calibration, choice "
        "of thresholds and test has groups of its own."
        if recipe.data.scheme == "group"
        else "**Leaky:** the source's own division was kept, with patients on both sides of it."
    )
    yield "Known of these sources:"
    yield "\n".join(
        f"- {name}: {issue}" for name, found in sources.items() for issue in _issues(found)
    )


def _issues(source: Source) -> tuple[str, ...]:
    return source.known_issues or ("no issue is on record, which does not say that there is none.",)


def _role(recipe: Recipe, name: str) -> str:
    strange = [spec.name for spec in recipe.data.strangers if spec.source == name]
    roles = []
    if name == recipe.data.source:
        roles.append("training, calibration, thresholds, test")
    for one in recipe.data.also:
        if one.source == name:
            roles.append("training" if one.types else "training, the finding only")
            roles += ["calibration, thresholds, test"] if one.role == "divided" else []
    if name in recipe.data.left_out_sets.values():
        roles.append("test, never learnt from")
    if name in recipe.data.finding_only:
        roles.append("training, the finding only")
    if strange:
        roles.append(f"out of domain: {', '.join(strange)}")
    return "; ".join(roles)


def _made_with(environment: EnvironmentFile) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in environment.packages.items())
    rows = [
        ("recipe", f"`{environment.recipe_hash}`"),
        ("data set", f"`{environment.dataset_fingerprint}`"),
        ("code", f"`{environment.code_commit}`"),
        ("Python", environment.python),
        ("packages", packages),
        *((f"`{name}`", f"`{sha256}`") for name, sha256 in _converted_from(environment)),
    ]
    return markdown(("what", "which"), rows)


def _converted_from(environment: EnvironmentFile) -> Iterable[tuple[str, str]]:
    """Name and sha256 of every file of the older bundle; none where this one was trained."""
    return sorted(environment.recipe.get(CONVERTED_FROM, {}).items())


def _join(parts: Iterable[str]) -> str:
    return "\n\n".join(parts)
