"""Arguments that several verbs share, and the model that `--model` names."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hub_model import GuardedClassifier

Folder = Annotated[
    Path, typer.Argument(exists=True, file_okay=False, metavar="FOLDER", show_default=False)
]
RepoId = Annotated[str, typer.Argument(metavar="OWNER/NAME", show_default=False)]
RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE", show_default=False, help="Name of a shipped recipe, or a YAML file."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-o",
        "--override",
        metavar="KEY=VALUE",
        help="Change one value, e.g. train.finetune.epochs=5.",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="FOLDER|POINTER|OWNER/NAME@REVISION",
        show_default=False,
        help="A bundle folder, a latest.json that points at a run's bundle, or a revision on the "
        "Hub: 40 hex digits or a tag.",
    ),
]

RELEASE = Path(__file__).parent.parent / "hub_model" / "release"
BundleFolder = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        file_okay=False,
        metavar="FOLDER",
        help="A bundle folder; the default is the bundle of the current release.",
    ),
]
Series = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="NUMBER",
        help="Which one is read of a case that holds several; without it they are listed.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@dataclass(frozen=True, eq=False)
class NamedModel:
    """A classifier and the repository it came from; None for a folder."""

    classifier: GuardedClassifier
    repo_id: str | None


def open_model(text: str) -> NamedModel:
    """The model that `--model` names; its revision is reported on stderr.

    Args:
        text: a bundle folder, a pointer to one, or `owner/name@revision`; a tag is resolved to 40
            hex digits first.

    Raises:
        UsageError: neither a folder, a pointer nor a well-formed reference.
        RunError: the pointer's target is gone or changed.
        HubError: the Hub does not have that revision.
        BundleError: the revision breaks the contract.
    """
    from hub_model import GuardedClassifier

    folder = Path(text)
    if folder.suffix == ".json" and folder.is_file():
        folder = _pointed(folder)
    if folder.is_dir():
        named = NamedModel(GuardedClassifier.from_folder(folder), None)
    else:
        repo_id, revision = parse_ref(text)
        pinned = pin(repo_id, revision)
        named = NamedModel(GuardedClassifier.from_pretrained(repo_id, pinned), repo_id)
    report(f"model {named.repo_id or folder}, revision {named.classifier.revision}")
    return named


def _pointed(file: Path) -> Path:
    """The bundle that a pointer names."""
    from hub_model.errors import UsageError
    from training.pipeline import pointers
    from training.stages.fitted import BUNDLE

    bundle = pointers.follow(file) / BUNDLE
    if not bundle.is_dir():
        raise UsageError(
            f"--model {file.name} points at a dataset or a source: give the pointer of a model"
        )
    return bundle


def parse_ref(text: str) -> tuple[str, str]:
    """`owner/name` and revision; a text that looks like a folder is told apart in the message."""
    from hub_model import hub
    from hub_model.errors import UsageError

    if "@" not in text:
        raise UsageError(
            f"--model {text!r} is neither a folder that exists nor owner/name@<40 hex digits or "
            "a tag>"
        )
    return hub.parse_model_ref(text)


def pin(repo_id: str, revision: str) -> str:
    """40 hex digits; what a tag or branch stands for is shown on stderr."""
    from hub_model import hub

    pinned = hub.resolve(repo_id, revision)
    if pinned != revision:
        report(f"{repo_id}@{revision} is {pinned}")
    return pinned


def report(text: str) -> None:
    """One line for people on stderr; stdout is kept for the verb's result."""
    print(text, file=sys.stderr, flush=True)
