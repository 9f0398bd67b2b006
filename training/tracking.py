"""Where a training's figures can be watched: nowhere, or in trackio's dashboard on this machine.

    with tracked(recipe, "runs-7") as tracker:
        loop.train(..., tracker=tracker)

`trackio show` then draws them beside those of other runs. They go into a database of this machine
(`TRACKIO_DIR`) and nowhere else; `trackio sync` is how a user sends them to a Space.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from typing import Any, Protocol

from hub_model.errors import UsageError
from training.processes import here
from training.recipe import Recipe

PROJECT = "neuroguard"
ELSEWHERE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")  # would send every figure there at once
Line = Mapping[str, Any]


class Tracker(Protocol):
    """What hears of every epoch, in the words of the file of metrics."""

    def begin(self, past: Sequence[Line]) -> None:
        """A training begins, or goes on after these epochs."""

    def log(self, line: Line, step: int) -> None:
        """One more epoch, the `step`th of the training, counted from 1."""

    def finish(self) -> None:
        """Nothing more will come."""


class Nowhere:
    """Nobody watches."""

    def begin(self, past: Sequence[Line]) -> None:
        """Nothing."""

    def log(self, line: Line, step: int) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""


class Trackio:
    """A run of trackio's local project `PROJECT`; its rows are the lines of the file of metrics.

    Args:
        name: of the run.
        config: what shapes it.
    """

    def __init__(self, name: str, config: Mapping[str, Any]) -> None:
        self._name, self._config = name, dict(config)
        self._run: Any = None
        self._known = 0

    def begin(self, past: Sequence[Line]) -> None:
        """A new run, or the last of the name, with the rows it has not yet got."""
        import trackio
        from trackio.sqlite_storage import SQLiteStorage

        self.finish()
        with redirect_stdout(sys.stderr), _offline():
            self._run = trackio.init(
                PROJECT,
                self._name,
                config=self._config,
                resume="allow" if past else "never",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
        self._known = SQLiteStorage.get_last_step(PROJECT, run_id=self._run.id) or 0
        for number, line in enumerate(past, start=1):
            self.log(line, number)

    def log(self, line: Line, step: int) -> None:
        """A row; one that is there already is not written twice."""
        if step > self._known:
            self._run.log(dict(line), step=step)

    def finish(self) -> None:
        """Write what waits."""
        if self._run is not None:
            import trackio

            with redirect_stdout(sys.stderr):
                trackio.finish()
            self._run = None


def check(recipe: Recipe) -> None:
    """Refuse a recipe whose tracking cannot be done here, before anything is run.

    Raises:
        UsageError: trackio is not installed, or its environment sends figures to another machine.
    """
    if recipe.track == "none":
        return
    if find_spec("trackio") is None:
        raise UsageError(
            "track is 'trackio', which is not installed: pip install 'neuroguard[track]', or set "
            "track=none"
        )
    if set_ := [name for name in ELSEWHERE if os.environ.get(name)]:
        raise UsageError(
            f"track is 'trackio' and {set_[0]} is set: a run is tracked on its own machine; unset "
            "it, and send what was tracked with trackio sync"
        )


@contextmanager
def tracked(recipe: Recipe, name: str) -> Iterator[Tracker]:
    """What the recipe wants to be told; in all processes but the main one nobody is.

    Args:
        recipe: names it, and is shown beside the figures as a revision would publish it.
        name: of the run.

    Raises:
        UsageError: as `check`.
    """
    check(recipe)
    watched = recipe.track == "trackio" and here().main
    tracker: Tracker = Trackio(name, recipe.published) if watched else Nowhere()
    try:
        yield tracker
    finally:
        tracker.finish()


@contextmanager
def _offline() -> Iterator[None]:
    """No request leaves the machine: trackio would ask the Hub for the name of the user."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
