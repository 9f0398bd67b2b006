"""`neuroguard bench`: a case from files to decision, the usual way and ours, in turn.

Each variant has a process of its own: inside one, the threads of the one slow the other. The
figures are medians over rounds in which both ran once, so that a machine that slows down slows
both; on a machine that is shared only the ratio says something.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from scripts.options import RELEASE, AsJson, BundleFolder, report
from scripts.worker import Worker, worker

SIDE = 512  # pixels of a slice, as most slices of the public collections have
PATIENT = 1  # of the drawn ones; its head fills the usual two thirds of the image


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured; times are medians in ms.

    Args:
        slices: of the case.
        rounds: in which each variant ran once.
        threads: of torch, in each process.
        peer_case: files to decision, the usual way.
        ours_case: files to decision, ours.
        peer_prepare: decoded slice to model input, a slice, one thread.
        ours_prepare: the same, ours.
        ratio: peer_case / ours_case.
        probability_gap: largest difference of a calibrated probability.
        domain_gap: largest difference of a slice's p_in_domain.
        same_verdict: whether both decided alike.
    """

    slices: int
    rounds: int
    threads: int
    peer_case: float
    ours_case: float
    peer_prepare: float
    ours_prepare: float
    ratio: float
    probability_gap: float
    domain_gap: float
    same_verdict: bool


def bench(
    model: BundleFolder = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each variant runs.")] = 15,
    slices: Annotated[int, typer.Option(min=2, help="Slices of the case.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Time a case against the usual way.

    The case is drawn, of 512 x 512 JPEG slices; the two ways' answers are compared, too.
    """
    from hub_model.errors import UsageError

    folder = model or RELEASE
    if not folder.is_dir():
        raise UsageError("there is no released bundle beside this code: name one with --model")
    result = measure(folder, rounds=rounds, slices=slices)
    print(json.dumps(asdict(result)) if as_json else table(result))


def measure(bundle: Path, *, rounds: int, slices: int) -> Result:
    """Run both variants in turn.

    Args:
        bundle: a bundle folder.
        rounds: 1 or more.
        slices: 2 or more.

    Raises:
        NeuroguardError: a variant ended early; its own message is on stderr.
    """
    with tempfile.TemporaryDirectory(prefix="neuroguard-bench-") as temporary:
        case = Path(temporary)
        write_case(case, slices)
        with _variant("peer", bundle, case) as peer, _variant("ours", bundle, case) as ours:
            times: dict[tuple[str, str], list[float]] = {}
            for number in range(1, rounds + 1):
                for work in ("case", "prepare"):
                    for name, variant in (("peer", peer), ("ours", ours)):
                        times.setdefault((name, work), []).append(_time(variant, work))
                report(f"round {number} of {rounds}")
    medians = {key: median(values) for key, values in times.items()}
    return Result(
        slices=slices,
        rounds=rounds,
        threads=ours.answer["threads"],
        peer_case=medians["peer", "case"],
        ours_case=medians["ours", "case"],
        peer_prepare=medians["peer", "prepare"] / slices,
        ours_prepare=medians["ours", "prepare"] / slices,
        ratio=medians["peer", "case"] / medians["ours", "case"],
        probability_gap=_gap(peer.answer["probabilities"], ours.answer["probabilities"]),
        domain_gap=_gap(peer.answer["p_in_domain"], ours.answer["p_in_domain"]),
        same_verdict=peer.answer["verdict"] == ours.answer["verdict"],
    )


def write_case(folder: Path, slices: int) -> None:
    """A drawn patient as `SIDE` x `SIDE` grey JPEG files, one a slice."""
    from PIL import Image

    from training.sources.phantom import draw
    from training.sources.phantom_files import heights
    from training.sources.phantom_heads import make_head

    head = make_head(PATIENT, seed=0)
    for number, level in enumerate(heights(slices)):
        image = Image.fromarray(draw(head, float(level)).pixels)
        big = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        big.save(folder / f"slice-{number:03d}.jpg", quality=90)


def table(result: Result) -> str:
    """The result for people."""
    prepare_ratio = result.peer_prepare / result.ours_prepare
    return "\n".join(
        [
            f"{result.slices} JPEG slices of {SIDE} x {SIDE}, {result.rounds} rounds in turn, "
            f"{result.threads} threads; medians",
            f"{'':32}{'usual way':>12}{'ours':>12}{'ratio':>8}",
            f"{'files to decision, ms a case':32}{result.peer_case:12.1f}{result.ours_case:12.1f}"
            f"{result.ratio:8.2f}",
            f"{'preparation alone, ms a slice':32}{result.peer_prepare:12.2f}"
            f"{result.ours_prepare:12.2f}{prepare_ratio:8.2f}",
            f"largest difference: probability {result.probability_gap:.1e}, p_in_domain "
            f"{result.domain_gap:.1e}; verdicts {'agree' if result.same_verdict else 'DIFFER'}",
        ]
    )


def _variant(name: str, bundle: Path, case: Path) -> AbstractContextManager[Worker]:
    """One of the two ways, in a process of its own."""
    return worker("scripts.bench_worker", name, str(bundle), str(case))


def _time(variant: Worker, work: str) -> float:
    """Milliseconds that one "case" or "prepare" took."""
    return float(variant.ask(work)["milliseconds"])


def _gap(first: list[Any], second: list[Any]) -> float:
    """Largest absolute difference of two arrays; infinite where their shapes differ."""
    import numpy as np

    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return float(np.abs(a - b).max(initial=0)) if a.shape == b.shape else float("inf")
