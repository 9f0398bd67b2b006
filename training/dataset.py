"""Records in, a Hugging Face `DatasetDict` on disk out: whole or not there at all.

Images are embedded as the bytes their source holds, under names that say nothing. One record is in
memory at a time, besides what the report needs of all of them (hashes and names).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import datasets
from datasets.arrow_writer import ArrowWriter
from tqdm import tqdm

from hub_model.errors import InputRejected, NeuroguardError, UsageError
from training.build_report import OFFICIAL_TEST, BuildReport, Ledger, Scheme
from training.sources import Record, pixel_hash
from training.splits import assert_disjoint, check_shares, side

UNKNOWN = -1  # label of an image whose type is not known
BUFFERED_ROWS = 64  # rows held before they are written; 64 images of 100 kB are 6 MB


class DatasetError(NeuroguardError):
    """Records do not make a dataset: an unknown label, a split without images."""

    exit_code = 3


def features(label_names: Sequence[str]) -> datasets.Features:
    """Columns of every split; the order of `label_names` is the order of the classes."""
    text = datasets.Value("string")
    return datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=list(label_names)),
            "finding": text,
            "group": text,
            "sha256": text,  # of the decoded pixels
            "source": text,
            "path": text,
            "split": text,
        }
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a record becomes a row."""

    label_names: tuple[str, ...]
    label_from: Literal["type", "finding"]
    shares: dict[str, float]
    seed: int
    scheme: Scheme

    def label(self, record: Record) -> str | None:
        """Name of the class, or None where the source does not say it."""
        label = record.label if self.label_from == "type" else record.finding
        if label is not None and label not in self.label_names:
            raise DatasetError(
                f"an image of source {record.source} is labelled {label!r}, the labels are "
                f"{list(self.label_names)}: name every label, or map it in the table of sources"
            )
        return label

    def split(self, record: Record, group: str) -> str:
        """Name of the split."""
        if self.scheme == "group":
            return side(group, self.shares, self.seed)
        if record.official_split is None:
            raise DatasetError(
                f"source {record.source} states no split of its own: use the scheme 'group'"
            )
        if record.official_split == OFFICIAL_TEST:
            return OFFICIAL_TEST
        rest = {name: share for name, share in self.shares.items() if name != OFFICIAL_TEST}
        whole = sum(rest.values())
        return side(group, {name: share / whole for name, share in rest.items()}, self.seed)

    def rows(self, records: Iterable[Record], ledger: Ledger) -> Iterator[dict[str, Any]]:
        """One row a readable record, each entered in the ledger."""
        for record in records:
            try:
                sha = pixel_hash(record.image)
            except InputRejected as error:
                ledger.unreadable.append(f"{record.source}/{record.path} ({error.code})")
                continue
            label = self.label(record)
            group = record.group or f"pixels-{sha[:16]}"
            split = self.split(record, group)
            ledger.groups.append(group)
            ledger.splits.append(split)
            ledger.labels.append(label or "")
            ledger.sources.append(record.source)
            ledger.hashes.append(sha)
            suffix = Path(record.path).suffix.lower()
            yield {
                "image": {"bytes": record.image, "path": f"{sha[:12]}{suffix}"},
                "label": UNKNOWN if label is None else label,
                "finding": record.finding,
                "group": group,
                "sha256": sha,
                "source": record.source,
                "path": record.path,
                "split": split,
            }


def build(
    records: Iterable[Record],
    *,
    label_names: Sequence[str],
    shares: Mapping[str, float],
    seed: int,
    out: Path,
    scheme: Scheme = "group",
    label_from: Literal["type", "finding"] = "type",
    warnings: Sequence[str] = (),
    progress: bool = True,
) -> BuildReport:
    """Write the dataset.

    Args:
        records: read once, one in memory at a time.
        label_names: names of the classes in their order.
        shares: split name to share, 1 together. Under "official_leaky" the share of "test" goes to
            the other splits in proportion, as the source says what is test.
        seed: of the division into splits.
        out: folder to write; must not exist, and appears when it is whole.
        scheme: see `BuildReport`.
        label_from: "finding" makes the findings the classes, for sources that state no type.
        warnings: sentences to carry into the report, e.g. those of a reader's survey.
        progress: show bars.

    Returns:
        Counts, what was found wrong, and the fingerprint.

    Raises:
        UsageError: `out` exists, or the shares are wrong.
        DatasetError: a label is not among `label_names`, or a split got no image.
        LeakError: a group is on two sides under the scheme "group".
    """
    check_shares(shares)
    if scheme == "official_leaky" and OFFICIAL_TEST not in shares:
        raise UsageError(
            f"shares name {sorted(shares)}: the official scheme needs {OFFICIAL_TEST!r}"
        )
    if out.exists():
        raise UsageError("the dataset folder exists already: remove it or choose another")
    plan = _Plan(tuple(label_names), label_from, dict(shares), seed, scheme)
    ledger = Ledger()
    with _workshop(out) as workshop, _bars(progress):
        rows = plan.rows(tqdm(records, "reading", unit="image", disable=not progress), ledger)
        dataset = _write(rows, features(label_names), list(shares), workshop)
        _refuse(ledger, plan)
        dataset.save_to_disk(workshop / "whole")
        report = ledger.report(
            scheme=scheme,
            seed=seed,
            shares=plan.shares,
            label_names=plan.label_names,
            fingerprint=fingerprint(dataset),
            warnings=warnings,
        )
        (workshop / "whole").rename(out)
    return report


def _write(
    rows: Iterable[dict[str, Any]], columns: datasets.Features, splits: Sequence[str], folder: Path
) -> datasets.DatasetDict:
    """Rows to one Arrow file a split, opened again without reading it into memory."""
    files = {split: str(folder / f"{split}.arrow") for split in splits}
    with ExitStack() as stack:
        writers = {
            split: stack.enter_context(
                ArrowWriter(path=file, features=columns, writer_batch_size=BUFFERED_ROWS)
            )
            for split, file in files.items()
        }
        for row in rows:
            writers[row["split"]].write(columns.encode_example(row))
        for writer in writers.values():
            writer.finalize()
    return datasets.DatasetDict(
        {split: datasets.Dataset.from_file(file) for split, file in files.items()}
    )


def _refuse(ledger: Ledger, plan: _Plan) -> None:
    """Raise where going on would mean measuring on nothing or on leaked groups."""
    filled = Counter(ledger.splits)
    empty = [split for split in plan.shares if not filled[split]]
    if empty:
        raise DatasetError(
            f"{len(ledger.groups)} readable images of {len(set(ledger.groups))} groups leave split "
            f"{', '.join(empty)} empty: give it a larger share, another seed, or more images"
        )
    if plan.scheme == "group":
        assert_disjoint(ledger.groups, ledger.splits)


def fingerprint(dataset: datasets.DatasetDict) -> str:
    """Sha256 over every row's pixels, label, group and split, in no particular order.

    Paths, file encodings and library versions do not enter.

    Args:
        dataset: as `build` writes it.

    Returns:
        64 hex digits.
    """
    lines = []
    for split, part in dataset.items():
        names = part.features["label"].names
        table = (
            part.with_format("arrow").select_columns(["sha256", "label", "group"])[:].to_pydict()
        )
        for sha, label, group in zip(table["sha256"], table["label"], table["group"], strict=True):
            lines.append(json.dumps([sha, "" if label == UNKNOWN else names[label], group, split]))
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def load(folder: Path) -> datasets.DatasetDict:
    """The dataset that `build` wrote, its images left on disk until they are asked for.

    Raises:
        UsageError: the folder holds no such dataset.
    """
    if not (folder / "dataset_dict.json").is_file():
        raise UsageError("the folder holds no dataset_dict.json: build the dataset first")
    loaded = datasets.DatasetDict.load_from_disk(folder)
    for split, part in loaded.items():
        missing = set(features(["any"])) - set(part.column_names)
        if missing:
            raise UsageError(f"split {split} lacks {sorted(missing)}: build the dataset again")
    return loaded


@contextmanager
def _workshop(out: Path) -> Iterator[Path]:
    """A folder beside `out`, on the same file system so that renaming is one step."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        yield Path(folder)


@contextmanager
def _bars(shown: bool) -> Iterator[None]:
    """Keep the library's own progress bars quiet where none are asked for."""
    were_disabled = datasets.are_progress_bars_disabled()
    if not shown:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not shown and not were_disabled:
            datasets.enable_progress_bars()
