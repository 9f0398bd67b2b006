"""Records in, a Hugging Face `DatasetDict` on disk out: whole or not there at all; and back.

Images are embedded as the bytes their source holds (see `stored`), under names that say nothing. A
few records are in memory at a time, besides what the report needs of all of them (hashes and
names).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import datasets
from tqdm import tqdm

from hub_model.errors import UsageError
from training.bar import hidden
from training.dataset import arrow_files
from training.dataset import report as reports
from training.dataset.report import OFFICIAL_TEST, REPORT, BuildReport, Ledger, Scheme
from training.dataset.rows import FOLDS, DatasetError, Plan, features
from training.dataset.splits import assert_disjoint, check_shares
from training.dataset.workshop import workshop
from training.inputs import UNKNOWN
from training.sources import Record

GROUP_CONFIG = "group"  # name, on the Hub, of the division in which no group is on two sides
NEEDED = ("image", "label", "finding", "group", "sha256", "source", "path", "split")
NEEDED_TO_PUSH = ("mask", "sequence", "mask_sha256", "official_split", "fold")


def build(
    records: Iterable[Record],
    *,
    label_names: Sequence[str],
    shares: Mapping[str, float],
    seed: int,
    out: Path,
    scheme: Scheme = "group",
    warnings: Sequence[str] = (),
    origins: Mapping[str, str] = MappingProxyType({}),
    progress: bool = True,
    total: int | None = None,
    shard_bytes: int = arrow_files.SHARD_BYTES,
) -> BuildReport:
    """Write the dataset.

    A build that was stopped, however hard, leaves no `out`; the next one begins anew and removes
    what the first left.

    Args:
        records: read once, a few in memory at a time.
        label_names: names of the classes in their order.
        shares: split name to share, 1 together. Under "official_leaky" the share of "test" goes to
            the other splits in proportion, as the source says what is test.
        seed: of the division into splits and folds.
        out: folder to write; must not exist, and appears when it is whole.
        scheme: see `BuildReport`.
        warnings: sentences to carry into the report, e.g. those of a reader's survey.
        origins: see `BuildReport`.
        progress: show a bar with the images of each split so far.
        total: how many records come, for the bar; None: not known.
        shard_bytes: images after which a split begins a new file.

    Returns:
        Counts, what was found wrong, and the fingerprint; also written to `out/report.json`.

    Raises:
        UsageError: `out` exists, another build writes it, or the shares are wrong.
        DatasetError: a label is not among `label_names`, a mask does not fit its image, or a split
            got no image.
        LeakError: a group is on two sides under the scheme "group", or in two folds.
    """
    check_shares(shares)
    if scheme == "official_leaky" and OFFICIAL_TEST not in shares:
        raise UsageError(
            f"shares name {sorted(shares)}: the official scheme needs {OFFICIAL_TEST!r}"
        )
    if out.exists():
        raise UsageError("the dataset folder exists already: remove it or choose another")
    plan = Plan(tuple(label_names), dict(shares), seed, scheme)
    ledger = Ledger()
    with workshop(out) as folder, _quiet():
        bar = tqdm(desc="building", unit="image", total=total, disable=hidden(show=progress))
        whole = folder / out.name
        arrow_files.write(
            _counted(plan.rows(records, ledger), bar),
            features(label_names),
            list(shares),
            whole,
            shard_bytes=shard_bytes,
        )
        _refuse(ledger, plan)
        report = ledger.report(
            scheme=scheme,
            seed=seed,
            shares=plan.shares,
            folds=FOLDS,
            label_names=plan.label_names,
            fingerprint=fingerprint(load(whole)),
            warnings=warnings,
            origins=origins,
        )
        (whole / REPORT).write_text(json.dumps(report.to_dict(), indent=2) + "\n")
        whole.rename(out)
    return report


def _counted(rows: Iterable[dict[str, Any]], bar: tqdm[Any]) -> Iterator[dict[str, Any]]:
    """The rows, shown on the bar by split; it is closed when they end, however they end."""
    counts: Counter[str] = Counter()
    with bar:
        for row in rows:
            yield row
            counts[row["split"]] += 1
            bar.set_postfix(counts, refresh=False)
            bar.update()


def _refuse(ledger: Ledger, plan: Plan) -> None:
    """Raise where going on would mean measuring on nothing or on leaked groups."""
    filled = Counter(ledger.splits)
    if empty := [split for split in plan.shares if not filled[split]]:
        raise DatasetError(
            f"{len(ledger.groups)} readable images of {len(set(ledger.groups))} groups leave split "
            f"{', '.join(empty)} empty: give it a larger share, another seed, or more images"
        )
    if plan.scheme == "group":
        assert_disjoint(ledger.groups, ledger.splits)
    assert_disjoint(ledger.groups, ledger.folds)


def fingerprint(dataset: datasets.DatasetDict) -> str:
    """Sha256 over every row's pixels, label, group and split, in no particular order.

    Of a row with a mask the mask's pixels enter as well, of one without a label the finding. Paths,
    file encodings and library versions do not.

    Args:
        dataset: as `build` writes it.

    Returns:
        64 hex digits.
    """
    lines = []
    for split, part in dataset.items():
        names = part.features["label"].names
        for row in light_rows(part, ("sha256", "label", "group", "finding", "mask_sha256")):
            typed = row["label"] != UNKNOWN
            line = [row["sha256"], names[row["label"]] if typed else "", row["group"], split]
            mask = row.get("mask_sha256")
            if mask is not None or not typed:
                line += [row["finding"], mask]
            lines.append(json.dumps(line))
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def light_rows(part: datasets.Dataset, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Some columns of every row, without touching an image; columns it has not are left out."""
    present = [name for name in columns if name in part.column_names]
    table = part.select_columns(present).with_format("arrow")[:].to_pydict()
    for values in zip(*table.values(), strict=True):
        yield dict(zip(table, values, strict=True))


def load(folder: Path) -> datasets.DatasetDict:
    """The dataset that `build` wrote, its images left on disk until they are asked for.

    Raises:
        UsageError: the folder holds no such dataset.
    """
    if not (folder / "dataset_dict.json").is_file():
        raise UsageError("the folder holds no dataset_dict.json: build the dataset first")
    loaded = datasets.DatasetDict.load_from_disk(folder)
    _check_columns(loaded, NEEDED)
    return loaded


def load_to_push(folder: Path) -> tuple[datasets.DatasetDict, BuildReport]:
    """The same with its report, after both were found to agree.

    Raises:
        UsageError: the folder holds no such dataset, or one of an older form.
        DatasetError: its rows are not those of the report.
    """
    loaded = load(folder)
    _check_columns(loaded, NEEDED_TO_PUSH)
    report = reports.read(folder / REPORT)
    _check_fingerprint(loaded, report)
    return loaded, report


@dataclass(frozen=True, slots=True)
class Opened:
    """A dataset and what names it.

    Args:
        splits: the division in which no group is on two sides.
        report: of its build.
        revision: 40 hex digits on the Hub, or None for a folder.
    """

    splits: datasets.DatasetDict
    report: BuildReport
    revision: str | None

    @property
    def fingerprint(self) -> str:
        """See `fingerprint`; it was computed of these rows and compared with the report."""
        return self.report.fingerprint


def open_at(reference: str) -> Opened:
    """The dataset that a reference names, after its rows were found to be those of its report.

    Args:
        reference: a folder that `build` wrote, or `owner/name@<40 hex digits>` of one that
            `neuroguard dataset push` put on the Hub.

    Raises:
        UsageError: neither a folder that exists nor such a reference, or the folder or repository
            holds something else.
        HubError: the Hub, or its cache on this machine, does not have that revision.
        DatasetError: the rows are not those of the report.
    """
    folder = Path(reference)
    if folder.is_dir():
        splits, report, revision = load(folder), reports.read(folder / REPORT), None
    else:
        from training.dataset.hub import download

        splits, report, revision = download(reference, GROUP_CONFIG)
        _check_columns(splits, NEEDED)
    _check_fingerprint(splits, report)
    return Opened(splits, report, revision)


def _check_columns(dataset: datasets.DatasetDict, needed: Sequence[str]) -> None:
    for split, part in dataset.items():
        if missing := set(needed) - set(part.column_names):
            raise UsageError(f"split {split} lacks {sorted(missing)}: build the dataset again")


def _check_fingerprint(dataset: datasets.DatasetDict, report: BuildReport) -> None:
    if (found := fingerprint(dataset)) != report.fingerprint:
        raise DatasetError(
            f"the rows have fingerprint {found[:12]}…, {REPORT} says {report.fingerprint[:12]}…: "
            "the dataset was altered; build or download it again"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's own progress bars off: ours counts the same images."""
    were_disabled = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not were_disabled:
            datasets.enable_progress_bars()
