"""One way of the benchmark in a process of its own.

`python -m scripts.bench_worker WAY BUNDLE FOLDER` loads the bundle, runs every work twice to warm
up, and then answers every line on stdin, the name of a work, with one JSON line: milliseconds.
`FOLDER` is one that `bench_cases` has written. With a file in its place the process gives one
verdict on it, says how much memory that took, and ends.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from scripts import bench_limit
from scripts.bench_cases import cases
from training import peak

if TYPE_CHECKING:
    from hub_model.engine import Kind
    from hub_model.policy import Evidence

WARM_UP = 2  # times; the first run of a network picks its kernels
PEER, PIPELINE = "peer", "transformers"  # beside the engines
Works = dict[str, Callable[[], object]]


class Way(Protocol):
    """What is timed: whole cases, and parts of the way there.

    Args:
        batch: slices that the bare network is timed on, known after `parts`; 0: it is not.
    """

    batch: int

    def verdict(self, files: Sequence[Path]) -> str:
        """What a case comes to, from files on."""

    def parts(self, files: Sequence[Path]) -> Works:
        """Parts of what `verdict` does; all but decoding on files that are decoded before."""

    def evidence(self, files: Sequence[Path]) -> Evidence | None:
        """The figures behind a verdict, where it has any."""


class Ours:
    """`read_case` and `GuardedClassifier.predict`, with one of the engines."""

    def __init__(self, bundle: Path, kind: Kind) -> None:
        from hub_model import GuardedClassifier
        from hub_model.reading import read_case

        self._read, self._classifier = read_case, GuardedClassifier.from_folder(bundle, kind)
        self.batch = 0

    def verdict(self, files: Sequence[Path]) -> str:
        """Files to decision."""
        return self._classifier.predict(self._read(files)).verdict.value

    def parts(self, files: Sequence[Path]) -> Works:
        """Decoding, preparation in one thread, the bare network, and convolutions beside it."""
        import numpy as np

        from hub_model.preprocess import prepare
        from hub_model.quality import reasons

        case, engine, bundle = self._read(files), self._classifier.engine, self._classifier.bundle
        examined = self._classifier.examine(case.slices)
        batch = np.array([one.prepared.image for one in examined if not one.reasons])
        self.batch = len(batch)

        def prepare_all() -> None:
            spec = bundle.config.neuroguard.preprocess
            for piece in case.slices:
                reasons(piece, prepare(piece, spec), bundle.policy.quality, spec.crop_threshold)

        return {
            "decode": lambda: self._read(files),
            "prepare": prepare_all,
            "network": lambda: engine.forward(batch),
            **bench_limit.kernels(engine.kind, self.batch),
        }

    def evidence(self, files: Sequence[Path]) -> Evidence:
        """The figures behind the decision."""
        return self._classifier.evidence(self._read(files))


class Peer:
    """The usual way; see `bench_peer`."""

    batch = 0

    def __init__(self, bundle: Path) -> None:
        from scripts.bench_peer import PeerClassifier, opened

        self._classifier, self._opened = PeerClassifier(bundle), opened

    def verdict(self, files: Sequence[Path]) -> str:
        """Files to decision."""
        return self._classifier.predict(self._opened(files))[0].verdict.value

    def parts(self, files: Sequence[Path]) -> Works:
        """Decoding, and model inputs with quality reasons."""
        images = self._opened(files)
        return {
            "decode": lambda: self._opened(files),
            "prepare": lambda: [self._classifier.prepare(image) for image in images],
        }

    def evidence(self, files: Sequence[Path]) -> Evidence:
        """The figures behind the decision."""
        return self._classifier.predict(self._opened(files))[1]


class Pipeline:
    """The network alone in transformers' pipeline: no crop, no checks, no guard, no thresholds."""

    batch = 0

    def __init__(self, bundle: Path) -> None:
        from scripts.bench_peer import opened, pipeline

        self._ask, self._opened = pipeline(bundle), opened

    def verdict(self, files: Sequence[Path]) -> str:
        """The likeliest class of the first slice: what comes of a case, it leaves to its caller."""
        return str(self._ask(self._opened(files))[0][0]["label"])

    def parts(self, files: Sequence[Path]) -> Works:
        """None: it is called as a whole."""
        return {}

    def evidence(self, files: Sequence[Path]) -> None:
        """None: it has none."""


def main(name: str, bundle: Path, given: Path) -> None:
    """One verdict on a file; or, of a folder, everything as often as stdin asks."""
    if given.is_file():
        verdict = _way(name, bundle).verdict([given])
        _answer({"verdict": verdict, "megabytes": peak.megabytes()})
        return
    way, asked = _way(name, bundle), cases(given)
    works: Works = {case: _whole(way, files) for case, files in asked.items()}
    works |= way.parts(asked["jpeg"])
    for _ in range(WARM_UP):
        for work in works.values():
            work()
    evidence = way.evidence(asked["jpeg"])
    _answer(
        {
            "works": list(works),
            "batch": way.batch,
            "verdicts": {case: way.verdict(files) for case, files in asked.items()},
            "probabilities": [] if evidence is None else evidence.probabilities.tolist(),
            "p_in_domain": [] if evidence is None else evidence.p_in_domain.tolist(),
        }
    )
    for line in sys.stdin:
        start = time.perf_counter()
        works[line.strip()]()
        _answer({"milliseconds": 1000 * (time.perf_counter() - start)})


def _way(name: str, bundle: Path) -> Way:
    if name == PEER:
        return Peer(bundle)
    from hub_model.engine import Kind

    return Pipeline(bundle) if name == PIPELINE else Ours(bundle, Kind(name))


def _whole(way: Way, files: Sequence[Path]) -> Callable[[], object]:
    return lambda: way.verdict(files)


def _answer(values: dict[str, Any]) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
