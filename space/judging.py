"""A case read, judged and counted: the one place where page and API do it.

Runs in the thread of `turns`. Knows nothing about HTML, HTTP or gradio.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hub_model.case import Case
from hub_model.policy import Decision
from hub_model.predictor import Explained
from space import measures
from space.measures import Judged
from space.metrics import Metrics
from space.report import Model
from space.revisions import Served

Reading = Callable[[], Case]  # reads the files of a case; raises InputRejected


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """A case as it was read, and the decision on it."""

    case: Case
    decision: Decision

    def to_dict(self) -> dict[str, Any]:
        """`Decision.to_dict` and the warnings about the files, as `handler.py` answers."""
        return {**self.decision.to_dict(), "warnings": list(self.case.warnings)}


@dataclass(frozen=True, eq=False)
class Seen:
    """A case with all that may be shown of it.

    Args:
        model: what judged it.
        judgement: the decision on it, and the case as it was read.
        explained: what the verdict rests on.
    """

    model: Model
    judgement: Judgement
    explained: Explained

    @property
    def case(self) -> Case:
        """The case as it was read."""
        return self.judgement.case

    @property
    def decision(self) -> Decision:
        """The decision on it."""
        return self.judgement.decision

    @cached_property
    def rows(self) -> tuple[Judged, ...]:
        """Figures of the quality of every slice, from what the network was shown."""
        return measures.judged(self.case, self.explained.examined, _threshold(self.model))


class Judge:
    """Reads, judges and counts.

    Args:
        metrics: where verdicts are counted.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def decide(self, served: Served, read: Reading) -> Judgement:
        """The verdict on one case.

        Raises:
            InputRejected: the files cannot be used; so of all that follow.
        """
        began = time.monotonic()
        case = read()
        return self._counted(served, Judgement(case, served.classifier.predict(case)), began)

    def explain(self, served: Served, read: Reading) -> Seen:
        """The verdict on one case, and what it rests on."""
        began = time.monotonic()
        case = read()
        found = served.classifier.explain(case)
        judgement = self._counted(served, Judgement(case, found.decision), began)
        return Seen(served.model, judgement, found)

    def examine(self, served: Served, read: Reading) -> tuple[Case, tuple[Judged, ...]]:
        """The case and the quality of its slices; the network is not asked, nothing is counted."""
        case = read()
        examined = served.classifier.examine(case.slices)
        return case, measures.judged(case, examined, _threshold(served.model))

    def _counted(self, served: Served, judgement: Judgement, began: float) -> Judgement:
        self._metrics.decided(served.name, judgement.decision, time.monotonic() - began)
        return judgement


def _threshold(model: Model) -> float:
    return model.bundle.config.neuroguard.preprocess.crop_threshold
