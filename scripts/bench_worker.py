"""One variant of the benchmark in a process of its own.

`python -m scripts.bench_worker peer|ours BUNDLE CASE` loads the bundle, answers the case twice to
warm up, and then answers every line on stdin with one JSON line: "case" times files to decision,
"prepare" times the preparation of decoded slices alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from hub_model.policy import Decision, Evidence

WARM_UP = 2  # cases; the first run of a network picks its kernels


class Variant(Protocol):
    """What is timed: whole cases, and the preparation of their decoded slices."""

    def case(self) -> Decision:
        """Files to decision."""

    def prepare(self) -> None:
        """Decoded slices to model inputs and quality reasons, in one thread."""

    def evidence(self) -> Evidence:
        """The figures behind the decision."""


class Ours:
    """`read_case` and `GuardedClassifier.predict`."""

    def __init__(self, bundle: Path, files: list[Path]) -> None:
        from hub_model import GuardedClassifier
        from hub_model.reading import read_case

        self._files, self._read = files, read_case
        self._classifier = GuardedClassifier.from_folder(bundle)
        self._case = read_case(files)

    def case(self) -> Decision:
        """Files to decision."""
        return self._classifier.predict(self._read(self._files))

    def prepare(self) -> None:
        """Decoded slices to model inputs and quality reasons, in one thread."""
        from hub_model.preprocess import prepare
        from hub_model.quality import reasons

        bundle = self._classifier.bundle
        spec = bundle.config.neuroguard.preprocess
        for piece in self._case.slices:
            reasons(piece, prepare(piece, spec), bundle.policy.quality, spec.crop_threshold)

    def evidence(self) -> Evidence:
        """The figures behind the decision."""
        return self._classifier.evidence(self._case)


class Peer:
    """The usual way; see `bench_peer`."""

    def __init__(self, bundle: Path, files: list[Path]) -> None:
        from scripts.bench_peer import PeerClassifier, open_rgb

        self._files, self._classifier = files, PeerClassifier(bundle)
        self._images = [open_rgb(file) for file in files]

    def case(self) -> Decision:
        """Files to decision."""
        return self._classifier.predict(self._files)[0]

    def prepare(self) -> None:
        """Decoded slices to model inputs and quality reasons, in one thread."""
        for image in self._images:
            self._classifier.prepare(image)

    def evidence(self) -> Evidence:
        """The figures behind the decision."""
        return self._classifier.predict(self._files)[1]


VARIANTS: dict[str, Callable[[Path, list[Path]], Variant]] = {"peer": Peer, "ours": Ours}


def main(name: str, bundle: Path, case: Path) -> None:
    """Load, warm up, say so, and answer until stdin ends."""
    files = sorted(case.iterdir())
    variant = VARIANTS[name](bundle, files)
    for _ in range(WARM_UP):
        decision = variant.case()
    import torch

    _answer(
        {
            "verdict": decision.verdict.value,
            "probabilities": variant.evidence().probabilities.tolist(),
            "p_in_domain": variant.evidence().p_in_domain.tolist(),
            "threads": torch.get_num_threads(),
        }
    )
    for line in sys.stdin:
        work: Callable[[], object] = variant.case if line.strip() == "case" else variant.prepare
        start = time.perf_counter()
        work()
        _answer({"milliseconds": 1000 * (time.perf_counter() - start)})


def _answer(values: dict[str, Any]) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
