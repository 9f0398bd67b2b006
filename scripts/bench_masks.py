"""`neuroguard bench-masks`: one encoder with two heads against two networks, and what is not drawn.

Both ways have the same backbone and the same decoder: together, where the decoder reads what the
classifier's one pass left, and apart, where a U-Net has an encoder of its own. Weights change
neither parameters nor time, so they are random and no bundle is needed. The ways run in turn in one
process, one thread pool for both; on a machine that is shared only the ratios say something.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.options import AsJson, report

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hub_model.contract import ModelConfig
    from hub_model.engine import Engine
    from hub_model.network import Network

WARM_UP = 2  # runs; the first of a network picks its kernels


@dataclass(frozen=True, slots=True)
class Way:
    """What one way of having classes and masks costs; times are medians in ms a case.

    Args:
        parameters: of all its networks.
        classes: no mask is drawn.
        called: masks of the slices that the class head calls a finding.
        every: masks of all slices.
    """

    parameters: int
    classes: float
    called: float
    every: float


@dataclass(frozen=True, slots=True)
class Result:
    """Both ways, on the same slices in the same run.

    Args:
        recipe: whose network.
        side: of a slice, pixels.
        slices: of the case.
        called: how many of them get a mask where not all do.
        rounds: in which each ran once.
        threads: of torch.
        together: one encoder.
        apart: a classifier, and a U-Net with an encoder of its own.
        fewer_parameters: share that one encoder saves.
        less_time: share of `every` that it saves.
        not_drawn: share of `every` that one encoder saves by drawing only what is called.
    """

    recipe: str
    side: int
    slices: int
    called: int
    rounds: int
    threads: int
    together: Way
    apart: Way
    fewer_parameters: float
    less_time: float
    not_drawn: float


def bench_masks(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="Name of a shipped recipe, or a YAML file.")
    ] = "mri_tumor_multitask",
    rounds: Annotated[int, typer.Option(min=1, help="How often each way runs.")] = 15,
    slices: Annotated[int, typer.Option(min=1, help="Slices of the case.")] = 24,
    called: Annotated[
        int, typer.Option(min=0, help="How many of them the class head calls a finding.")
    ] = 8,
    as_json: AsJson = False,
) -> None:
    """Parameters and time of one encoder with classes and masks, against two separate networks.

    Prepared slices go in, logits and mask logits come out; both are of random weights.
    """
    from training import network_config
    from training import recipe as recipes

    effective = recipes.load(recipe)
    config = network_config.model_config(effective)
    result = measure(recipe, config, rounds=rounds, slices=slices, called=called)
    print(json.dumps(asdict(result)) if as_json else table(result))


def measure(name: str, config: ModelConfig, *, rounds: int, slices: int, called: int) -> Result:
    """Run both ways in turn.

    Args:
        name: of the recipe, for the result.
        config: of a network with a decoder.
        rounds: 1 or more.
        slices: 1 or more.
        called: 0 up to `slices`.

    Raises:
        UsageError: the network has no decoder, or more slices are called than there are.
    """
    import numpy as np
    import torch

    from hub_model import engine
    from hub_model.errors import UsageError
    from hub_model.network import build

    ours = config.neuroguard
    if ours.decoder is None:
        raise UsageError(f"recipe {name} draws no masks: name one with model.decoder")
    if called > slices:
        raise UsageError(f"{called} slices are called a finding, there are {slices}: call fewer")
    alone = config.model_copy(update={"neuroguard": ours.model_copy(update={"decoder": None})})
    with_masks, classes = build(config), build(alone)
    parameters = counted(with_masks, classes)
    joint, classifier = (engine.from_network(one, ours.preprocess) for one in (with_masks, classes))
    side = ours.preprocess.size
    images = np.random.default_rng(0).integers(0, 256, (slices, side, side), np.uint8)
    works = _works(joint, classifier, images, called)
    times: dict[tuple[str, str], list[float]] = {key: [] for key in works}
    for number in range(-WARM_UP, rounds):
        for key, work in works.items():
            start = time.perf_counter()
            work()
            if number >= 0:
                times[key].append(1000 * (time.perf_counter() - start))
        if number >= 0:
            report(f"round {number + 1} of {rounds}")
    found = {key: median(values) for key, values in times.items()}
    together, apart = (
        Way(parameters[way], *(found[way, what] for what in ("classes", "called", "every")))
        for way in ("together", "apart")
    )
    return Result(
        recipe=name,
        side=side,
        slices=slices,
        called=called,
        rounds=rounds,
        threads=torch.get_num_threads(),
        together=together,
        apart=apart,
        fewer_parameters=1 - together.parameters / apart.parameters,
        less_time=1 - together.every / apart.every,
        not_drawn=1 - together.called / together.every,
    )


def counted(with_masks: Network, classes: Network) -> dict[str, int]:
    """Parameters of either way; a separate U-Net's encoder needs no last layer for classes."""
    both, one, last = (
        sum(value.numel() for value in module.parameters())
        for module in (with_masks, classes, classes.backbone.get_classifier())
    )
    return {"together": both, "apart": one + both - last}


def _works(
    joint: Engine, classifier: Engine, images: NDArray[np.uint8], called: int
) -> dict[tuple[str, str], Callable[[], object]]:
    """Every piece of work that is timed."""
    import numpy as np

    from hub_model import engine

    def some(logits: NDArray[np.float32]) -> NDArray[np.bool_]:
        """A share of each batch."""
        return np.arange(len(logits)) < round(called / len(images) * len(logits))

    def first(images: NDArray[np.uint8]) -> engine.Outputs:
        return engine.run(classifier, images, maps=False)

    def then(images: NDArray[np.uint8]) -> engine.Outputs:
        return engine.run(joint, images, maps=False, masks=engine.every)

    return {
        ("together", "classes"): lambda: engine.run(joint, images, maps=False),
        ("apart", "classes"): lambda: first(images),
        ("together", "called"): lambda: engine.run(joint, images, maps=False, masks=some),
        ("apart", "called"): lambda: (first(images), then(images[:called])),
        ("together", "every"): lambda: engine.run(joint, images, maps=False, masks=engine.every),
        ("apart", "every"): lambda: (first(images), then(images)),
    }


def table(result: Result) -> str:
    """The result for people."""
    rows = (
        ("one encoder, two heads", result.together),
        ("two networks", result.apart),
    )
    saved = [
        1 - getattr(result.together, name) / getattr(result.apart, name)
        for name in ("parameters", "classes", "called", "every")
    ]
    return "\n".join(
        [
            f"{result.recipe}: {result.slices} prepared slices of {result.side} x {result.side}, "
            f"{result.called} called a finding, {result.rounds} rounds in turn, "
            f"{result.threads} threads; medians, ms a case",
            f"{'':24}{'parameters':>12}{'no mask':>10}{'of called':>11}{'of all':>10}",
            *(
                f"{name:24}{way.parameters:12,}{way.classes:10.1f}{way.called:11.1f}{way.every:10.1f}"
                for name, way in rows
            ),
            f"{'saved by one encoder':24}{saved[0]:12.1%}{saved[1]:10.1%}{saved[2]:11.1%}"
            f"{saved[3]:10.1%}",
            f"one encoder saves {result.not_drawn:.1%} of its time where it draws only what is "
            "called",
        ]
    )
