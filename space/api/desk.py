"""Files in, answers out: what each route and each named endpoint of the page gives.

Without HTTP. Whatever reads or judges a case runs in the thread of `turns`: callers see to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from hub_model.contract import REASON_TEXT, RESEARCH_ONLY, Verdict
from hub_model.outputs.forms import Form, Sent, packed
from hub_model.outputs.forms import files as files_of
from hub_model.outputs.pictures import png
from hub_model.segmented import of_explained
from space.api import answers
from space.api.problems import ProblemError
from space.api.segment_answers import SegmentAnswer
from space.judging import Judge, Judgement, Reading
from space.measures import Judged
from space.pictures import overlay, pictures
from space.revisions import Revisions, Served


class Desk:
    """What the routes ask.

    Args:
        revisions: those that are served.
        judge: what reads, judges and counts.
    """

    def __init__(self, revisions: Revisions, judge: Judge) -> None:
        self.revisions = revisions
        self._judge = judge

    def classify(self, served: Served, read: Reading) -> answers.Answer:
        """The verdict on one case.

        Raises:
            InputRejected: the files cannot be used; so of all that follow.
        """
        return _answer(self._judge.decide(served, read))

    def explain(self, served: Served, read: Reading) -> answers.Explanation:
        """The verdict on one case, and pictures of what it rests on."""
        seen = self._judge.explain(served, read)
        shown = pictures(seen.explained.images, seen.explained.maps)
        return answers.Explanation(
            answer=_answer(seen.judgement),
            pictures=tuple(answers.PictureAnswer(**asdict(picture)) for picture in shown),
        )

    def picture(
        self, served: Served, read: Reading, index: int | None = None
    ) -> tuple[Verdict, bytes]:
        """The verdict, and one slice with its map as a PNG.

        Args:
            served: the revision.
            read: reads the files of one case.
            index: of the slice; None: the first that has a map.

        Raises:
            ProblemError: the verdict names no class, or the slice was not judged.
        """
        found = self._judge.explain(served, read).explained
        maps = {one.index: one.activation for one in found.maps}
        chosen = min(maps, default=0) if index is None else index
        if chosen not in maps:
            raise ProblemError(
                "no_map",
                f"the verdict is {found.decision.verdict.value}, and {len(maps)} of "
                f"{len(found.images)} slices have a map, slice {chosen} has none: ask for JSON",
            )
        return found.decision.verdict, png(overlay(found.images[chosen], maps[chosen]))

    def patient(self, served: Served, read: Reading) -> answers.PatientAnswer:
        """The verdict on a stack, and a row for each slice."""
        seen = self._judge.explain(served, read)
        reports = seen.decision.slices
        findings = seen.explained.findings or (None,) * len(reports)
        slices = tuple(
            answers.PatientSlice(
                **dict(_quality(index, row)),
                position_mm=piece.position,
                p_in_domain=said.p_in_domain,
                p_finding=finding,
            )
            for index, (row, piece, said, finding) in enumerate(
                zip(seen.rows, seen.case.slices, reports, findings, strict=True)
            )
        )
        return answers.PatientAnswer(
            answer=_answer(seen.judgement),
            judged=sum(said.valid for said in reports),
            slices=slices,
        )

    def quality(self, served: Served, read: Reading) -> answers.QualityAnswer:
        """The quality of every slice; the network is not asked."""
        case, rows = self._judge.examine(served, read)
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

    def segment(
        self, served: Served, read: Reading, *, doubt: bool = False, pictures: bool = True
    ) -> SegmentAnswer:
        """The verdict on one case with masks and sizes.

        Args:
            served: a revision that draws masks.
            read: reads the files of one case.
            doubt: ask about the mirror image of every slice too.
            pictures: put masks into the answer.
        """
        seen = self._judge.explain(served, read)
        found = of_explained(served.classifier, seen.case, seen.explained, doubt=doubt)
        return SegmentAnswer.of(found, seen.case, pictures=pictures)

    def segment_files(
        self, served: Served, read: Reading, *, forms: Sequence[Form], sent: Sent
    ) -> tuple[Verdict, bytes]:
        """The verdict, and the masks as a ZIP of files.

        Args:
            served: a revision that draws masks.
            read: reads the files of one case.
            forms: which files.
            sent: gives the files of the case once more.

        Raises:
            ProblemError: no slice has a mask.
        """
        seen, doubt = self._judge.explain(served, read), Form.UNCERTAINTY in forms
        found = of_explained(served.classifier, seen.case, seen.explained, doubt=doubt)
        ours = served.model.bundle.config.neuroguard
        made = files_of(
            found, seen.case, forms, sent=sent, finding=ours.finding.name, spec=ours.preprocess
        )
        verdict = found.decision.verdict
        if not made:
            raise ProblemError(
                "no_mask", f"the verdict is {verdict.value}, no slice has a mask: ask for JSON"
            )
        return verdict, packed(made)

    def models(self) -> answers.ModelsAnswer:
        """What is known of every served revision."""
        return answers.ModelsAnswer(
            default=self.revisions.names[0],
            models=tuple(_info(served) for served in self.revisions),
            notice=RESEARCH_ONLY,
        )


def _answer(found: Judgement) -> answers.Answer:
    return answers.Answer.of(found.decision, found.case.warnings)


def _quality(index: int, row: Judged) -> answers.QualitySlice:
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
