"""`neuroguard bench`: a case from files to decision, the usual ways and ours, in turn.

Each way has a process of its own: inside one, the threads of the one slow the other. The figures
are medians over rounds in which every way ran once, so that a machine that slows down slows all of
them; on a machine that is shared only the ratios say something.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from scripts import bench_cases, bench_fresh, bench_limit
from scripts.bench_cases import SIDE
from scripts.bench_fresh import Fresh
from scripts.bench_worker import PEER, PIPELINE
from scripts.options import RELEASE, AsJson, BundleFolder, report
from scripts.worker import Worker, worker

OURS = ("torch", "onnxruntime", "openvino")  # the slowest first, as in the table
TITLES = {
    PEER: "the usual way, two passes",
    PIPELINE: "transformers' pipeline",
    **{kind: f"ours, {kind}" for kind in OURS},
}
CASES = ("jpeg", "dicom", "one")
SETTLE = 0.1  # seconds before a turn, in which the threads of the last one fall asleep


@dataclass(frozen=True, slots=True)
class Way:
    """What was measured of one way; times are medians in ms.

    Args:
        name: one of `TITLES`.
        jpeg: JPEG slices, files to decision; of the pipeline, to the classes of every slice.
        dicom: as many slices as a ZIP of a DICOM series.
        one: one JPEG file.
        decode: files to slices, a slice; None: not apart from the rest.
        prepare: decoded slice to model input, a slice, one thread; None likewise.
        network: the bare forward of the batch that `jpeg` runs; None likewise.
        rate: of that forward, GFLOP/s; None likewise.
        fresh: the start of a process to its first verdict, on one JPEG file; None: not measured.
        probability_gap: largest difference of a calibrated probability from the usual way's; None
            where it has none.
        domain_gap: the same of a slice's p_in_domain.
        same_verdict: whether the verdict on the JPEG slices is the usual way's; None likewise.
    """

    name: str
    jpeg: float
    dicom: float
    one: float
    decode: float | None
    prepare: float | None
    network: float | None
    rate: float | None
    fresh: Fresh | None
    probability_gap: float | None
    domain_gap: float | None
    same_verdict: bool | None


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    Args:
        slices: of the case.
        rounds: in which each way ran once.
        cores: that this process may use.
        ways: the usual one first.
        limit: GFLOP/s of the fastest row of convolutions of any way, in the same rounds; None:
            no engine that runs graphs is here.
        left_out: what else there is, and why it was not measured.
        page: the same of a server with its page.
    """

    slices: int
    rounds: int
    cores: int
    ways: tuple[Way, ...]
    limit: float | None
    left_out: tuple[str, ...]
    page: Fresh | None


def bench(
    model: BundleFolder = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each way runs.")] = 15,
    slices: Annotated[int, typer.Option(min=2, help="Slices of the case.")] = 24,
    fresh: Annotated[
        int, typer.Option(min=0, help="Processes started to a first verdict, the fastest counts.")
    ] = 3,
    as_json: AsJson = False,
) -> None:
    """Time a case against the usual ways.

    The case is drawn, of 512 x 512 slices; the ways' answers are compared, too. transformers'
    pipeline is one of them where transformers is installed.
    """
    from hub_model.errors import UsageError

    folder = model or RELEASE
    if not folder.is_dir():
        raise UsageError("there is no released bundle beside this code: name one with --model")
    result = measure(folder, rounds=rounds, slices=slices, fresh=fresh)
    print(json.dumps(asdict(result)) if as_json else table(result))


def measure(bundle: Path, *, rounds: int, slices: int, fresh: int) -> Result:
    """Run all ways in turn.

    Args:
        bundle: a bundle folder.
        rounds: 1 or more.
        slices: 2 or more.
        fresh: processes started of each way; 0: none.

    Raises:
        NeuroguardError: a way ended early; its own message is on stderr.
    """
    names, left_out = _ways(bundle)
    with tempfile.TemporaryDirectory(prefix="neuroguard-bench-") as temporary:
        folder = Path(temporary)
        bench_cases.write(folder, slices)
        (file,) = bench_cases.cases(folder)["one"]
        first: dict[str, Fresh] = {}
        for name in names if fresh else ():
            first[name] = min(bench_fresh.alone(name, bundle, file) for _ in range(fresh))
        page = min((bench_fresh.with_page(bundle, file) for _ in range(fresh)), default=None)
        with ExitStack() as running:
            workers = {name: running.enter_context(_worker(name, bundle, folder)) for name in names}
            times: dict[tuple[str, str], list[float]] = {}
            for number in range(1, rounds + 1):
                for name, work in _turns(workers):
                    times.setdefault((name, work), []).append(_time(workers[name], work))
                report(f"round {number} of {rounds}")
    answers = {name: one.answer for name, one in workers.items()}
    took = {name: _medians(times, name) for name in names}
    operations = bench_limit.operations(bundle)
    ways = tuple(
        _way(name, took[name], answers, slices, operations, first.get(name)) for name in names
    )
    limit = max(
        (
            rate
            for name in names
            for rate in bench_limit.rates(took[name], answers[name]["batch"]).values()
        ),
        default=None,
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Result(slices, rounds, cores or 1, ways, limit, left_out, page)


def table(result: Result) -> str:
    """The result for people."""
    usual, slices = result.ways[0], result.slices
    lines = [
        f"{slices} slices of {SIDE} x {SIDE}, {result.rounds} rounds in turn, {result.cores} "
        "cores; medians in ms, and how many times faster than the usual way",
        f"{'':26}{f'{slices} JPEG':>15}{'DICOM ZIP':>15}{'one JPEG':>15}{'network':>10}"
        f"{'of limit':>10}{'case/network':>14}{'first verdict':>19}",
    ]
    for way in result.ways:
        cells = [_cell(getattr(way, case), getattr(usual, case)) for case in CASES]
        network = "-" if way.network is None else f"{way.network:.1f}"
        reached = "-" if not (way.rate and result.limit) else f"{way.rate / result.limit:.0%}"
        share = "-" if way.network is None else f"{way.jpeg / way.network:.2f}"
        lines.append(
            f"{TITLES[way.name]:26}{''.join(cells)}{network:>10}{reached:>10}{share:>14}"
            f"{_fresh(way.fresh):>19}"
        )
    if result.page:
        lines.append(f"{'ours, with the page':26}{'':79}{_fresh(result.page):>19}")
    if result.limit:
        lines.append(f"limit: {result.limit:.0f} GFLOP/s, the fastest row of convolutions")
    lines += [
        f"{TITLES[way.name]}: decoding {way.decode:.2f} ms a slice, preparation {way.prepare:.2f} "
        "in one thread; largest difference: "
        f"probability {way.probability_gap:.1e}, p_in_domain {way.domain_gap:.1e}; verdict "
        f"{'the same' if way.same_verdict else 'DIFFERS'}"
        for way in result.ways
        if way.decode is not None and way.prepare is not None
    ]
    return "\n".join([*lines, *result.left_out])


def _cell(value: float, usual: float) -> str:
    return f"{value:9.1f}{f'x{usual / value:.2f}':>6}"


def _fresh(found: Fresh | None) -> str:
    if found is None:
        return "-"
    return f"{found.seconds:.1f} s" + ("" if found.memory is None else f", {found.memory:.0f} MiB")


def _medians(times: dict[tuple[str, str], list[float]], name: str) -> dict[str, float]:
    """One way's works, ms."""
    return {work: median(values) for (way, work), values in times.items() if way == name}


def _way(
    name: str,
    took: dict[str, float],
    answers: dict[str, dict[str, Any]],
    slices: int,
    operations: int,
    fresh: Fresh | None,
) -> Way:
    """One way's figures, of the medians of its works."""
    found, usual, judges = answers[name], answers[PEER], name != PIPELINE
    network = took.get("network")
    return Way(
        name=name,
        jpeg=took["jpeg"],
        dicom=took["dicom"],
        one=took["one"],
        decode=took["decode"] / slices if "decode" in took else None,
        prepare=took["prepare"] / slices if "prepare" in took else None,
        network=network,
        rate=None if network is None else operations * found["batch"] / network / 1e6,
        fresh=fresh,
        probability_gap=_gap(usual, found, "probabilities") if judges else None,
        domain_gap=_gap(usual, found, "p_in_domain") if judges else None,
        same_verdict=found["verdicts"]["jpeg"] == usual["verdicts"]["jpeg"] if judges else None,
    )


def _ways(bundle: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What can be measured here, and what else there is with the reason why not."""
    from hub_model.engine import Kind
    from hub_model.engine.choice import choose
    from hub_model.errors import UsageError

    names, left_out = [PEER], []
    if find_spec(PIPELINE) is None:
        left_out.append(f"{TITLES[PIPELINE]}: transformers is not installed")
    else:
        names.append(PIPELINE)
    for kind in OURS:
        try:
            choose(bundle, Kind(kind))
        except UsageError as error:
            left_out.append(f"{TITLES[kind]}: {error}")
        else:
            names.append(kind)
    return tuple(names), tuple(left_out)


def _turns(workers: dict[str, Worker]) -> list[tuple[str, str]]:
    """Every work of every way, the ways in turn."""
    works = dict.fromkeys(work for one in workers.values() for work in one.answer["works"])
    return [
        (name, work)
        for work in works
        for name, one in workers.items()
        if work in one.answer["works"]
    ]


def _worker(name: str, bundle: Path, folder: Path) -> AbstractContextManager[Worker]:
    """One of the ways, in a process of its own."""
    return worker("scripts.bench_worker", name, str(bundle), str(folder))


def _time(one: Worker, work: str) -> float:
    """Milliseconds that one work took."""
    time.sleep(SETTLE)
    return float(one.ask(work)["milliseconds"])


def _gap(first: dict[str, Any], second: dict[str, Any], key: str) -> float:
    """Largest absolute difference of two arrays; infinite where their shapes differ."""
    import numpy as np

    a, b = (np.asarray(one[key], np.float64) for one in (first, second))
    return float(np.abs(a - b).max(initial=0)) if a.shape == b.shape else float("inf")
