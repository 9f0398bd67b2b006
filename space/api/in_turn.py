"""Work of a request, done in its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from hub_model.errors import InputRejected
from hub_model.reading import read_case
from space.api.problems import Problem, ProblemError
from space.judging import Reading
from space.metrics import Metrics
from space.revisions import Served
from space.turns import Seat

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class InTurn:
    """One request's place in the queue.

    Args:
        served: the revision it asks.
        seat: it has.
        metrics: where refusals are counted.
        series: which one of several in a case, from 1; None: there must be one alone.
    """

    served: Served
    seat: Seat
    metrics: Metrics
    series: int | None = None

    async def ask(
        self, question: Callable[[Served, Reading], Result], paths: Sequence[Path]
    ) -> Result:
        """The answer to a question about one case; a time limit cancels it while it waits.

        Args:
            question: of the desk, such as `Desk.classify`.
            paths: the files of the case.

        Raises:
            ProblemError: the files cannot be used.
        """
        work = partial(question, self.served, partial(read_case, paths, series=self.series))
        try:
            return await asyncio.wrap_future(self.seat.submit(work))
        except InputRejected as refusal:
            self.metrics.refused(refusal.code)
            raise ProblemError.of_refusal(refusal) from None

    async def ask_each(
        self, question: Callable[[Served, Reading], Result], paths: Sequence[Path], number: str
    ) -> list[tuple[Result | None, Problem | None]]:
        """The same of files that are a case each, a turn each: others are judged in between.

        Args:
            question: as of `ask`.
            paths: one a case.
            number: of the request, for the problems.
        """
        found: list[tuple[Result | None, Problem | None]] = []
        for path in paths:
            try:
                found.append((await self.ask(question, [path]), None))
            except ProblemError as error:
                found.append((None, error.problem(number)))
        return found
