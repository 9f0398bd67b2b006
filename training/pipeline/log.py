"""What a stage says: a line for people on the terminal, a line of JSON in its file.

Every line of a file has the same keys: `time` (UTC, ISO 8601), `level`, `run`, `stage`, `logger`,
`message`, and `data`, an object that may be empty.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

LOGGERS = ("training", "hub_model")
FOLDER = "logs"


class _Json(logging.Formatter):
    def __init__(self, run_id: str, stage: str) -> None:
        super().__init__()
        self._run, self._stage = run_id, stage

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "run": self._run,
            "stage": self._stage,
            "logger": record.name,
            "message": record.getMessage(),
            "data": getattr(record, "data", {}),
        }
        return json.dumps(line, ensure_ascii=False, default=str)


class _Terminal(logging.Handler):
    """Lines on stderr that leave progress bars whole."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line."""
        try:
            tqdm.write(self.format(record), file=sys.stderr)
        except OSError:  # a closed terminal ends no run
            self.handleError(record)


@contextmanager
def logged(folder: Path, run_id: str, stage: str) -> Iterator[None]:
    """Whatever our code logs meanwhile goes to the terminal and to the stage's file.

    Args:
        folder: of the run; its file is `logs/<stage>.jsonl`, and grows with every time a stage is
            run.
        run_id: of the run.
        stage: name.
    """
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(folder / FOLDER / f"{stage}.jsonl", encoding="utf-8")
    file.setFormatter(_Json(run_id, stage))
    terminal = _Terminal()
    terminal.setFormatter(logging.Formatter(f"%(asctime)s {stage:<9} %(message)s", "%H:%M:%S"))
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.addHandler(file)
        logger.addHandler(terminal)
    try:
        yield
    finally:
        for logger, level, propagate in before:
            logger.setLevel(level)
            logger.propagate = propagate
            logger.removeHandler(file)
            logger.removeHandler(terminal)
        file.close()
