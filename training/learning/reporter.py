"""Who hears of every epoch: people on stderr, a file with a line of JSON an epoch, a tracker."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tqdm import tqdm

from training.learning.history import Epoch
from training.tracking import Tracker
from training.whole_file import whole_file


class Reporter:
    """Tells of a training's epochs; the main process has one that speaks.

    Args:
        path: of the file of metrics; None: no file.
        tracker: hears the lines of that file.
        learnt: images that are learnt from.
        judged: images of validation.
        quiet: say and write nothing, as all processes but the main one do.
    """

    def __init__(
        self, path: Path | None, tracker: Tracker, *, learnt: int, judged: int, quiet: bool
    ) -> None:
        self._path, self._tracker, self._quiet = path, tracker, quiet
        self._learnt, self._judged = learnt, judged
        self._count = 0

    def begin(self, past: int) -> None:
        """Keep the first `past` lines of the file, whole, and nothing else."""
        self._count = past
        if self._quiet:
            return
        kept: list[str] = []
        if self._path is not None:
            kept = self._path.read_text().splitlines()[:past] if self._path.is_file() else []
            with whole_file(self._path) as file:
                file.writelines(f"{line}\n" for line in kept)
        self._tracker.begin([json.loads(line) for line in kept])

    def add(self, epoch: Epoch, seconds: float) -> None:
        """One more epoch.

        Args:
            epoch: what became of it.
            seconds: that learning took, without the validation.
        """
        if self._quiet:
            return
        dice = epoch.validation_dice
        masks = "" if dice is None else f", Dice {dice:.4f}"
        tqdm.write(
            f"{epoch.phase} {epoch.epoch}: train loss {epoch.train_loss:.4f}, validation NLL "
            f"{epoch.validation_nll:.4f}, accuracy {epoch.validation_accuracy:.4f}{masks} "
            f"(n = {self._judged})",
            file=sys.stderr,
        )
        line = epoch.line | {"seconds": seconds, "images_per_second": self._learnt / seconds}
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        self._count += 1
        self._tracker.log(line, self._count)
