"""GuardedClassifier: a pinned revision in, verdicts out. Fails closed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hub_model import bundle as bundles
from hub_model import (
    calibration,
    contract,
    engine,
    explain,
    golden,
    image_statistics,
    mask_policy,
    policy,
    preprocess,
    quality,
)
from hub_model.ahead import ahead
from hub_model.bundle import Bundle
from hub_model.case import Case, Slice
from hub_model.engine import Engine, Kind, Outputs
from hub_model.guard import Features
from hub_model.policy import Decision, Evidence
from hub_model.preprocess import Prepared
from hub_model.volumes import clean

THREADS = 2  # that prepare; the network runs in the calling thread alone
Progress = Callable[[int], object]  # told how many more slices are done


@dataclass(frozen=True, eq=False)
class SliceMap:
    """Where in one slice the answer came from; accepted cases only."""

    index: int
    activation: NDArray[np.floating]  # (size, size), 0-1


@dataclass(frozen=True, eq=False)
class SliceMask:
    """Where in one slice the finding lies; cases with an accepted finding only."""

    index: int
    probability: NDArray[np.float32]  # (size, size), 0-1, calibrated
    mask: NDArray[np.bool_]  # (size, size), from the bundle's threshold on, and cleaned


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """One slice as the model would be shown it, and why it is not worth asking about."""

    prepared: Prepared
    reasons: tuple[contract.Reason, ...]  # empty: it may be asked about
    statistics: NDArray[np.float32] | None = None  # see `image_statistics`; None: it may not


@dataclass(frozen=True, eq=False)
class Explained:
    """A verdict and what it rests on.

    Args:
        decision: as `predict` gives it.
        examined: every slice as it was examined, in reading order.
        maps: activation maps of the valid slices; empty when the verdict names no class.
        masks: of the slices that show the finding, where the verdict accepts one and the bundle has
            a decoder; else empty.
        findings: calibrated probability of the finding in each slice alone, 0-1, in reading order;
            None for those that are not valid; empty when abstaining.
    """

    decision: Decision
    examined: tuple[Examined, ...]
    maps: tuple[SliceMap, ...]
    masks: tuple[SliceMask, ...] = ()
    findings: tuple[float | None, ...] = ()

    @property
    def images(self) -> tuple[NDArray[np.uint8], ...]:
        """What the model was shown of each slice, `(size, size)` uint8."""
        return tuple(one.prepared.image for one in self.examined)


@dataclass(frozen=True, eq=False)
class _Look:
    """One pass over the slices of some cases: row i of `outputs` is slice `valid[i]`.

    `examined` is empty unless it was to be kept; `masks` are of the slices that the network calls a
    finding, if there is a decoder.
    """

    examined: list[Examined]
    valid: list[int]
    outputs: Outputs
    evidence: list[Evidence]
    masks: list[SliceMask]


class GuardedClassifier:
    """One revision, ready to answer.

    Args:
        bundle: verified by `bundle.read`.
        revision: 40 hex digits, or the content hash of a folder.
        kind: what is to run the network; None: the fastest that is installed and fits the bundle.

    Raises:
        BundleError: the network does not fit the bundle or does not reproduce its golden outputs.
        UsageError: the engine asked for is not installed, or the bundle has nothing for it.
    """

    def __init__(self, bundle: Bundle, revision: str, kind: Kind | None = None) -> None:
        self.bundle = bundle
        self.revision = revision
        self._engine: Engine = engine.load(bundle.folder, bundle.config, kind)
        golden.check(self._engine, bundle)

    @classmethod
    def from_folder(cls, folder: str | Path, kind: Kind | None = None) -> GuardedClassifier:
        """The bundle in a folder; its revision is the sha256 of its manifest."""
        bundle = bundles.read(Path(folder))
        return cls(bundle, bundle.content, kind)

    @classmethod
    def from_pretrained(
        cls, repo_id: str, revision: str, kind: Kind | None = None
    ) -> GuardedClassifier:
        """Exactly one revision from the Hub.

        Args:
            repo_id: "owner/name".
            revision: 40 hex digits; a tag or branch is resolved to them first, with one request.
            kind: as of the class.

        Raises:
            BundleError: the revision breaks the contract; the message names the file at fault.
        """
        from hub_model.hub import download, resolve

        pinned = resolve(repo_id, revision)
        return cls(bundles.read(download(repo_id, pinned)), pinned, kind)

    @property
    def runs_on(self) -> tuple[Kind, str]:
        """What runs the network, and why that."""
        return self._engine.kind, self._engine.why

    @property
    def engine(self) -> Engine:
        """What runs the network, for whoever asks it for more than a verdict."""
        return self._engine

    @property
    def label_names(self) -> tuple[str, ...]:
        """Class names in the network's order."""
        return self.bundle.config.label_names

    def predict(self, case: Case, progress: Progress | None = None) -> Decision:
        """The verdict on one case.

        Beside the case itself memory holds two batches of prepared slices, and a few kB a slice.

        Args:
            case: any case.
            progress: called after each batch with the number of slices that were done since.
        """
        return self._decide(self._look([case], keep=False, progress=progress))[0]

    def predict_many(self, cases: Sequence[Case]) -> list[Decision]:
        """Verdicts on several cases, their slices batched together."""
        return self._decide(self._look(cases, keep=False))

    def evidence(self, case: Case) -> Evidence:
        """The figures behind a verdict, without the policy. For evaluation, never for users."""
        return self.evidence_many([case])[0]

    def evidence_many(self, cases: Sequence[Case]) -> list[Evidence]:
        """Evidence on several cases, their slices batched together."""
        return self._look(cases, keep=False).evidence

    def explain(self, case: Case, progress: Progress | None = None) -> Explained:
        """The verdict on one case together with what it rests on, from one pass.

        Args:
            case: any case.
            progress: as of `predict`.
        """
        look = self._look([case], keep=True, progress=progress)
        (decision,) = self._decide(look)
        return Explained(
            decision,
            tuple(look.examined),
            self._maps(decision, look),
            _to_show(decision, look),
            _findings(decision, look.evidence[0]),
        )

    def examine(self, pieces: Sequence[Slice]) -> list[Examined]:
        """What is asked of every slice before the network is."""
        return list(self._examined(pieces))

    def _maps(self, decision: Decision, look: _Look) -> tuple[SliceMap, ...]:
        if decision.label is None:
            return ()
        label = self.label_names.index(decision.label)
        size, weight = self._engine.preprocess.size, self._engine.classifier_weight
        found = zip(look.valid, look.outputs.feature_map, strict=True)
        return tuple(
            SliceMap(index, explain.activation_map(features, weight, label, size))
            for index, features in found
        )

    def _decide(self, look: _Look) -> list[Decision]:
        """The policy's verdict on every case, taken back where its masks contradict it."""
        decided = [policy.decide(one, self.bundle.policy, self.revision) for one in look.evidence]
        spec = self.bundle.config.neuroguard.masks
        if spec is None:
            return decided
        masked = np.zeros(sum(len(one.slice_reasons) for one in look.evidence), bool)
        masked[[one.index for one in look.masks if one.mask.any()]] = True
        ends = np.cumsum([len(one.slice_reasons) for one in look.evidence])[:-1]
        cases = zip(decided, np.split(masked, ends), strict=True)
        return [mask_policy.agree(one, found.tolist(), spec) for one, found in cases]

    def _masks(self, outputs: Outputs, valid: Sequence[int]) -> list[SliceMask]:
        """Of the slices that the decoder was run on."""
        spec = self.bundle.config.neuroguard.masks
        if spec is None:
            return []
        probabilities = calibration.mask_probabilities(outputs.masks.logits, spec.temperature)
        rows = zip(outputs.masks.rows, probabilities, clean(probabilities, spec), strict=True)
        return [SliceMask(valid[row], probability, mask) for row, probability, mask in rows]

    def _calls_finding(self, logits: NDArray[np.float32]) -> NDArray[np.bool_]:
        """`(N,)` whether the finding is likelier than its absence: of those a mask is made."""
        probs = calibration.probabilities(logits, self.bundle.temperature.temperature)
        return self.bundle.config.neuroguard.finding.likelier(probs, self.label_names)

    def _look(
        self, cases: Sequence[Case], *, keep: bool, progress: Progress | None = None
    ) -> _Look:
        """One pass over the slices of several cases, a batch after the other.

        Args:
            cases: any number.
            keep: what was examined of the slices, and their feature maps.
            progress: as of `predict`.
        """
        pieces = [piece for case in cases for piece in case.slices]
        reasons: list[tuple[contract.Reason, ...]] = []
        examined: list[Examined] = []
        valid: list[int] = []
        seen: list[NDArray[np.float32]] = []

        def batches() -> Iterator[NDArray[np.uint8]]:
            """Of slices that may be asked about; prepared while the network runs on the last."""
            images, told = [], 0
            for index, one in enumerate(self._examined(pieces)):
                reasons.append(one.reasons)
                if keep:
                    examined.append(one)
                if one.statistics is not None:
                    valid.append(index)
                    seen.append(one.statistics)
                    images.append(one.prepared.image)
                if len(images) == engine.MAX_BATCH:
                    yield np.array(images)
                    images = []
                    told = _tell(progress, told, len(reasons))
            if images:
                yield np.array(images)
            _tell(progress, told, len(reasons))

        wanted = self._calls_finding if self._engine.draws else None
        outputs = engine.run_batches(self._engine, batches(), maps=keep, masks=wanted)
        probs = calibration.probabilities(outputs.logits, self.bundle.temperature.temperature)
        features = Features(
            outputs.embedding, outputs.middle, outputs.logits, image_statistics.table(seen)
        )
        p_in_domain = self.bundle.guard.p_in_domain(features)
        ends = np.cumsum([0, *(len(case.slices) for case in cases)])
        finding = self.bundle.config.neuroguard.finding
        found = []
        for start, end in itertools.pairwise(ends):
            rows = slice(*np.searchsorted(valid, (start, end)))
            found.append(
                Evidence(
                    label_names=self.label_names,
                    none_labels=finding.none_labels,
                    finding=finding.name,
                    slice_reasons=tuple(reasons[start:end]),
                    logits=outputs.logits[rows],
                    probabilities=probs[rows],
                    p_in_domain=p_in_domain[rows],
                )
            )
        return _Look(examined, valid, outputs, found, self._masks(outputs, valid))

    def _examined(self, pieces: Sequence[Slice]) -> Iterator[Examined]:
        """Every slice, in order, made in threads a batch ahead."""

        def make(piece: Slice) -> Examined:
            prepared = preprocess.prepare(piece, self._engine.preprocess)
            if reasons := self._reasons(piece, prepared):
                return Examined(prepared, reasons)
            return Examined(prepared, (), image_statistics.statistics(piece, prepared))

        return ahead(make, pieces, threads=THREADS, most=engine.MAX_BATCH)

    def _reasons(self, piece: Slice, prepared: Prepared) -> tuple[contract.Reason, ...]:
        spec, facts = self._engine.preprocess, self.bundle.config.neuroguard.facts
        return quality.unfit(piece, spec, facts.modality) or quality.reasons(
            piece, prepared, self.bundle.policy.quality, spec.crop_threshold
        )


def _tell(progress: Progress | None, told: int, done: int) -> int:
    """How many slices have been told of, once those since have been."""
    if progress is not None and done > told:
        progress(done - told)
    return done


def _to_show(decision: Decision, look: _Look) -> tuple[SliceMask, ...]:
    """The masks of a case that may be shown with its verdict."""
    drawn = {one.index: one for one in look.masks}
    nothing = np.zeros((1, 1), bool)
    masks = [drawn[k].mask if k in drawn else nothing for k in range(len(look.examined))]
    shown = mask_policy.to_show(decision, masks)
    return tuple(drawn[index] for index, mask in enumerate(shown) if mask is not None)


def _findings(decision: Decision, evidence: Evidence) -> tuple[float | None, ...]:
    """What each slice alone says of the finding, where the case has an answer."""
    if not decision.verdict.accepted:
        return ()
    present = iter(evidence.finding_probability(evidence.probabilities).tolist())
    return tuple(None if why else next(present) for why in evidence.slice_reasons)
