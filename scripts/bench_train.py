"""`neuroguard bench-train`: how fast a recipe trains, and how fast its images come.

Reading, augmenting and learning take turns on the same processors, so the images must come several
times faster than they are learnt from. Each part has a process of its own, and they run in turn, so
that a machine that slows down slows all; on a shared machine only the ratios say something.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from scripts.options import AsJson, report
from scripts.worker import Worker, worker

KINDS = ("input", "step", "plain")
BATCHES = {"input": 4, "step": 1, "plain": 1}  # a turn, so that each lasts about as long
DRAWN = 4  # batches of images on disk


@dataclass(frozen=True, slots=True)
class Rates:
    """What was measured; images a second of wall clock, medians over the rounds.

    Args:
        recipe: whose network and augmentation.
        side: of the images, pixels.
        batch: images a step.
        rounds: in which each part ran once.
        threads: of torch, in each process.
        input: memory map to augmented tensor, alone.
        step: the whole training step, the input in it.
        plain: the same images and network in single precision and torch's own layout.
        input_to_step: median of the rounds' ratios.
        step_to_plain: median of the rounds' ratios.
        busy: processor seconds for 1,000 images, by part.
    """

    recipe: str
    side: int
    batch: int
    rounds: int
    threads: int
    input: float
    step: float
    plain: float
    input_to_step: float
    step_to_plain: float
    busy: dict[str, float]


def bench_train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="Name of a shipped recipe, or a YAML file.")
    ] = "mri_tumor_4class",
    rounds: Annotated[int, typer.Option(min=1, help="How often each part runs.")] = 9,
    as_json: AsJson = False,
) -> None:
    """Time a recipe's training step, its input alone, and plain training beside them.

    The images are drawn noise of the recipe's size; the network starts at random.
    """
    rates = measure(recipe, rounds=rounds)
    print(json.dumps(asdict(rates)) if as_json else table(rates))


def measure(name: str, *, rounds: int) -> Rates:
    """Run all parts in turn.

    Args:
        name: of a shipped recipe, or a YAML file.
        rounds: 1 or more.

    Raises:
        NeuroguardError: a part ended early; its own message is on stderr.
    """
    from training import recipe

    effective = recipe.load(name)
    batch = effective.train.batch
    with tempfile.TemporaryDirectory(prefix="neuroguard-bench-") as temporary, ExitStack() as stack:
        write_images(Path(temporary), effective.preprocess.size, DRAWN * batch, effective.labels)
        parts = {kind: stack.enter_context(_part(kind, name, Path(temporary))) for kind in KINDS}
        turns: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        for number in range(1, rounds + 1):
            for kind, part in parts.items():
                turns[kind].append(part.ask("go"))
            report(f"round {number} of {rounds}")
        threads = int(parts["step"].answer["threads"])
    rates = {kind: [BATCHES[kind] * batch / turn["wall"] for turn in turns[kind]] for kind in KINDS}
    return Rates(
        recipe=name,
        side=effective.preprocess.size,
        batch=batch,
        rounds=rounds,
        threads=threads,
        input=median(rates["input"]),
        step=median(rates["step"]),
        plain=median(rates["plain"]),
        input_to_step=_ratio(rates["input"], rates["step"]),
        step_to_plain=_ratio(rates["step"], rates["plain"]),
        busy={
            kind: 1000 * median(turn["busy"] for turn in turns[kind]) / (BATCHES[kind] * batch)
            for kind in KINDS
        },
    )


def write_images(folder: Path, side: int, count: int, labels: tuple[str, ...]) -> None:
    """Drawn noise as `inputs.write` leaves prepared images."""
    import numpy as np

    from scripts.bench_train_worker import SET

    rng = np.random.default_rng(0)
    np.save(folder / f"{SET}.npy", rng.integers(0, 256, (count, side, side), np.uint8))
    index = {
        "labels": [row % len(labels) for row in range(count)],
        "present": [True] * count,
        "groups": [str(row) for row in range(count)],
        "quality": [[]] * count,
    }
    (folder / f"{SET}.json").write_text(json.dumps(index))


def table(rates: Rates) -> str:
    """The result for people."""
    busy = rates.busy
    return "\n".join(
        [
            f"{rates.recipe}: {rates.side} px, batches of {rates.batch}, {rates.rounds} rounds in "
            f"turn, {rates.threads} threads; medians",
            f"{'':28}{'images a second':>16}{'processor ms an image':>24}",
            f"{'input alone':28}{rates.input:16.0f}{busy['input']:24.2f}",
            f"{'training step':28}{rates.step:16.1f}{busy['step']:24.2f}",
            f"{'plain single precision':28}{rates.plain:16.1f}{busy['plain']:24.2f}",
            f"input {rates.input_to_step:.1f} times the step, the step {rates.step_to_plain:.2f} "
            "times plain training",
        ]
    )


def _ratio(first: list[float], second: list[float]) -> float:
    return median(one / other for one, other in zip(first, second, strict=True))


def _part(kind: str, recipe: str, folder: Path) -> AbstractContextManager[Worker]:
    """One part, in a process of its own."""
    batches = str(BATCHES[kind])
    return worker("scripts.bench_train_worker", kind, recipe, str(folder), batches)
