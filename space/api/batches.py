"""Answers to many files at once, each a case of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Generic, Protocol, Self, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict

from hub_model.contract import Verdict
from space.api.problems import Problem


class Base(BaseModel):
    """What every answer is: exactly its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@runtime_checkable
class Judged(Protocol):
    """An answer with a verdict."""

    @property
    def verdict(self) -> Verdict:
        """On the case."""


Answered = TypeVar("Answered", bound=Judged)
Outcome = tuple[Answered | None, Problem | None]  # of a file: one of the two


class InBatch(Base, Generic[Answered]):
    """One file of a batch: its answer, or why there is none."""

    model_config = ConfigDict(arbitrary_types_allowed=True)  # `Judged` is no model

    index: int  # in the order sent
    answer: Answered | None
    problem: Problem | None


class Batch(Base, Generic[Answered]):
    """An answer for each file, in the order sent, and how often each verdict was given."""

    cases: tuple[InBatch[Answered], ...]
    verdicts: dict[Verdict, int]
    refused: int

    @classmethod
    def of(cls, outcomes: Iterable[Outcome[Answered]]) -> Self:
        """The answer to files that ended like this."""
        found = list(outcomes)
        cases = [
            {"index": index, "answer": answer, "problem": problem}
            for index, (answer, problem) in enumerate(found)
        ]
        verdicts = Counter(answer.verdict for answer, _ in found if answer is not None)
        refused = sum(problem is not None for _, problem in found)
        return cls.model_validate({"cases": cases, "verdicts": dict(verdicts), "refused": refused})
