"""A built dataset to the Hub in one commit, and back at exactly that commit."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import datasets
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    LocalEntryNotFoundError,
    RevisionNotFoundError,
)

from hub_model import hub
from hub_model.errors import UsageError
from hub_model.hub import HubError
from training.dataset import card, manifests, parquet
from training.dataset import report as reports
from training.dataset.folder import load_to_push
from training.dataset.report import REPORT, BuildReport
from training.dataset.workshop import workshop

_COMMIT = re.compile(r"[0-9a-f]{40}")
AUDIT, AUDIT_JSON, AUDIT_TEXT = "audit", "audit.json", "audit.md"


def push(folder: Path, repo_id: str, *, public: bool = False, audit: Path | None = None) -> str:
    """The 40 hex digits of the one commit that holds the dataset, its card and nothing else.

    The same dataset in the same repository makes no new commit. A push that was stopped is begun
    anew; files that the Hub has already are not sent again.

    Args:
        folder: a built dataset.
        repo_id: `owner/name` of a dataset repository; created if missing, private unless `public`.
        public: let everybody see it.
        audit: folder of an audit of this dataset, with `audit.json` and `audit.md`.

    Raises:
        UsageError: the folder holds no dataset that can be pushed, the audit is of another one, or
            the repository can be seen by everybody and `public` was not said. Nothing was sent.
        HubError: the Hub refused.
    """
    with workshop(folder.with_name(f"{folder.name}.push")) as shop:
        content = shop / "content"
        lay_out(folder, content, audit)
        _create(repo_id, public=public)
        return hub.commit_folder(
            content, repo_id, repo_type="dataset", parent=None, message="Publish a built dataset"
        )


def lay_out(folder: Path, content: Path, audit: Path | None = None) -> None:
    """Write what the repository is to hold into the new folder `content`.

    Args:
        folder: a built dataset.
        content: parquet files, card, report, manifests and the audit go there.
        audit: see `push`.

    Raises:
        UsageError: see `push`.
    """
    built, report = load_to_push(folder)
    if report.scheme != "group":
        raise UsageError(
            "the dataset is divided as its source is, which leaks: push one built with the scheme "
            f"'group', which offers that division as well, as {parquet.OFFICIAL_CONFIG!r}"
        )
    content.mkdir(parents=True)
    text = None if audit is None else _copy_audit(audit, content / AUDIT, report)
    configs = parquet.write(built, content)
    manifests.write(built, content / manifests.FOLDER)
    shutil.copyfile(folder / REPORT, content / REPORT)
    names = built[next(iter(built))].features["label"].names
    (content / "README.md").write_text(card.render(report, names, configs, text), encoding="utf-8")


def download(reference: str, config: str) -> tuple[datasets.DatasetDict, BuildReport, str]:
    """One division of a pushed dataset, its report and its revision; see `open_at`."""
    repo_id, revision = hub.parse_model_ref(reference)
    if not _COMMIT.fullmatch(revision):
        raise UsageError(f"revision {revision!r} can move: give 40 lower-case hex digits")
    with hub.asking(f"open revision {revision}", repo_id):
        try:
            path = hf_hub_download(repo_id, REPORT, repo_type="dataset", revision=revision)
        except RevisionNotFoundError as error:
            raise HubError(f"{repo_id} has no such revision, {revision}") from error
        except LocalEntryNotFoundError as error:
            raise HubError(
                f"revision {revision} of {repo_id} is not in the cache, and the Hub cannot be "
                "reached"
            ) from error
        except EntryNotFoundError as error:
            raise UsageError(
                f"{repo_id} holds no {REPORT}, so `neuroguard dataset push` did not write it"
            ) from error
        report = reports.read(Path(path))
        return datasets.load_dataset(repo_id, config, revision=revision), report, revision


def _copy_audit(audit: Path, target: Path, report: BuildReport) -> str:
    """Copy the audit's folder; returns its Markdown."""
    for name in (AUDIT_JSON, AUDIT_TEXT):
        if not (audit / name).is_file():
            raise UsageError(f"the audit's folder has no {name}: run `neuroguard dataset audit`")
    found = json.loads((audit / AUDIT_JSON).read_text()).get("fingerprint", report.fingerprint)
    if found != report.fingerprint:
        raise UsageError(
            f"the audit is of a dataset with fingerprint {found[:12]}…, this one has "
            f"{report.fingerprint[:12]}…: audit this one"
        )
    shutil.copytree(audit, target)
    return (audit / AUDIT_TEXT).read_text(encoding="utf-8")


def _create(repo_id: str, *, public: bool) -> None:
    api = HfApi()
    with hub.asking("create the dataset", repo_id):
        api.create_repo(repo_id, repo_type="dataset", private=not public, exist_ok=True)
        seen = not api.repo_info(repo_id, repo_type="dataset").private
    if seen and not public:
        raise UsageError(
            f"{repo_id} can be seen by everybody: say --public, or choose another repository"
        )
