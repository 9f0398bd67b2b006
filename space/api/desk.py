"""Files in, answers out: what each route does, without HTTP."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from hub_model.case import Case
from hub_model.contract import REASON_TEXT, RESEARCH_ONLY, Verdict
from hub_model.errors import InputRejected
from hub_model.policy import Decision
from hub_model.predictor import Explained
from hub_model.reading import read_case
from space import measures
from space.api import answers
from space.api.problems import ProblemError
from space.metrics import Metrics
from space.pictures import overlay, pictures, png
from space.revisions import Revisions, Served
from space.turns import Seat

Result = TypeVar("Result")


class Desk:
    """What the routes ask. Everything that reads or judges a case runs in the seat's turn.

    Args:
        revisions: those that are served.
        metrics: where verdicts and refusals are counted.
    """

    def __init__(self, revisions: Revisions, metrics: Metrics) -> None:
        self.revisions = revisions
        self._metrics = metrics

    async def classify(self, served: Served, seat: Seat, paths: Sequence[Path]) -> answers.Answer:
        """The verdict on one case.

        Raises:
            ProblemError: the files cannot be used; so of all that follow.
        """
        return (await self._turn(seat, lambda: self._judged(served, paths)))[1]

    async def explain(
        self, served: Served, seat: Seat, paths: Sequence[Path]
    ) -> answers.Explanation:
        """The verdict on one case, and pictures of what it rests on."""

        def work() -> answers.Explanation:
            found, case = self._explained(served, paths)
            shown = pictures(found.images, found.maps)
            return answers.Explanation(
                answer=answers.Answer.of(found.decision, case.warnings),
                pictures=tuple(answers.PictureAnswer(**asdict(picture)) for picture in shown),
            )

        return await self._turn(seat, work)

    async def picture(
        self, served: Served, seat: Seat, paths: Sequence[Path], index: int | None
    ) -> tuple[Verdict, bytes]:
        """The verdict, and one slice with its map as a PNG.

        Args:
            served: the revision.
            seat: of the request.
            paths: the files of one case.
            index: of the slice; None: the first that has a map.

        Raises:
            ProblemError: the verdict names no class, or the slice was not judged.
        """

        def work() -> tuple[Verdict, bytes]:
            found, _ = self._explained(served, paths)
            maps = {one.index: one.activation for one in found.maps}
            chosen = min(maps, default=0) if index is None else index
            if chosen not in maps:
                raise ProblemError(
                    "no_map",
                    f"the verdict is {found.decision.verdict.value}, and {len(maps)} of "
                    f"{len(found.images)} slices have a map, slice {chosen} has none: ask for JSON",
                )
            return found.decision.verdict, png(overlay(found.images[chosen], maps[chosen]))

        return await self._turn(seat, work)

    async def patient(
        self, served: Served, seat: Seat, paths: Sequence[Path]
    ) -> answers.PatientAnswer:
        """The verdict on a stack, and a row for each slice."""

        def work() -> answers.PatientAnswer:
            case, answer = self._judged(served, paths)
            rows = measures.judged(case, served.model.bundle)
            slices = tuple(
                answers.PatientSlice(
                    **dict(_quality(index, row)),
                    position_mm=piece.position,
                    p_in_domain=said.p_in_domain,
                )
                for index, (row, piece, said) in enumerate(
                    zip(rows, case.slices, answer.slices, strict=True)
                )
            )
            judged = sum(said.valid for said in answer.slices)
            return answers.PatientAnswer(answer=answer, judged=judged, slices=slices)

        return await self._turn(seat, work)

    async def quality(
        self, served: Served, seat: Seat, paths: Sequence[Path]
    ) -> answers.QualityAnswer:
        """The quality of every slice; the network is not asked."""

        def work() -> answers.QualityAnswer:
            case = read_case(paths)
            rows = measures.judged(case, served.model.bundle)
            policy = served.model.bundle.policy
            return answers.QualityAnswer(
                passed=sum(not row.reasons for row in rows),
                min_valid_slices=policy.thresholds.min_valid_slices,
                limits=policy.quality,
                slices=tuple(_quality(index, row) for index, row in enumerate(rows)),
                revision=served.model.revision,
                notice=RESEARCH_ONLY,
                warnings=case.warnings,
            )

        return await self._turn(seat, work)

    async def batch(
        self, served: Served, seat: Seat, paths: Sequence[Path], request_id: str
    ) -> answers.BatchAnswer:
        """A verdict for each file; a turn each, so that others are judged in between."""
        cases = []
        for index, path in enumerate(paths):
            answer = problem = None
            try:
                answer = await self.classify(served, seat, [path])
            except ProblemError as error:
                problem = error.problem(request_id)
            cases.append(answers.BatchCase(index=index, answer=answer, problem=problem))
        verdicts = Counter(case.answer.verdict for case in cases if case.answer)
        return answers.BatchAnswer(
            cases=tuple(cases),
            verdicts=dict(verdicts),
            refused=sum(case.problem is not None for case in cases),
        )

    def models(self) -> answers.ModelsAnswer:
        """What is known of every served revision."""
        return answers.ModelsAnswer(
            default=self.revisions.names[0],
            models=tuple(_info(served) for served in self.revisions),
            notice=RESEARCH_ONLY,
        )

    def _judged(self, served: Served, paths: Sequence[Path]) -> tuple[Case, answers.Answer]:
        began = time.monotonic()
        case = read_case(paths)
        decision = served.classifier.predict(case)
        self._count(served, decision, began)
        return case, answers.Answer.of(decision, case.warnings)

    def _explained(self, served: Served, paths: Sequence[Path]) -> tuple[Explained, Case]:
        began = time.monotonic()
        case = read_case(paths)
        found = served.classifier.explain(case)
        self._count(served, found.decision, began)
        return found, case

    def _count(self, served: Served, decision: Decision, began: float) -> None:
        self._metrics.decided(served.name, decision, time.monotonic() - began)

    async def _turn(self, seat: Seat, work: Callable[[], Result]) -> Result:
        """What the work gives once it was its turn; a time limit cancels it while it waits."""
        try:
            return await asyncio.wrap_future(seat.submit(work))
        except InputRejected as refusal:
            self._metrics.refused(refusal.code)
            raise ProblemError.of_refusal(refusal) from None


def _quality(index: int, row: measures.Judged) -> answers.QualitySlice:
    return answers.QualitySlice(
        index=index,
        passed=not row.reasons,
        measures=answers.MeasuresAnswer(**asdict(row.measures)),
        reasons=row.reasons,
        reason_texts=tuple(REASON_TEXT[reason] for reason in row.reasons),
    )


def _info(served: Served) -> answers.ModelInfo:
    model = served.model
    config, policy = model.bundle.config, model.bundle.policy
    facts = config.neuroguard.facts
    return answers.ModelInfo(
        name=served.name,
        repo_id=served.repo_id,
        revision=model.revision,
        title=facts.title,
        modality=facts.modality,
        phantom=facts.phantom,
        finding=model.finding.name,
        label_names=config.label_names,
        thresholds=policy.thresholds,
        aggregation=policy.aggregation,
        quality=policy.quality,
        promises=policy.promises,
        figures=model.bundle.metrics.figures,
    )
