"""GuardedClassifier: a pinned revision in, verdicts out. Fails closed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
    image_statistics,
    mask_policy,
    policy,
    preprocess,
    quality,
)
from hub_model.bundle import Bundle
from hub_model.case import Case, Slice
from hub_model.engine import Engine, Kind, Outputs
from hub_model.errors import BundleError
from hub_model.guard import Features, Guard
from hub_model.policy import Decision, Evidence
from hub_model.preprocess import Prepared

GOLDEN_TOLERANCE = 1e-4  # largest difference allowed between golden and recomputed values
THREADS = 2  # that decode and prepare; the network runs in the calling thread alone


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

    `masks` are of the slices that the network calls a finding, if there is a decoder.
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
        self._check_golden()

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

    def predict(self, case: Case) -> Decision:
        """The verdict on one case."""
        return self.predict_many([case])[0]

    def predict_many(self, cases: Sequence[Case]) -> list[Decision]:
        """Verdicts on several cases, their slices batched together."""
        return self._decide(self._look(cases, maps=False))

    def evidence(self, case: Case) -> Evidence:
        """The figures behind a verdict, without the policy. For evaluation, never for users."""
        return self.evidence_many([case])[0]

    def evidence_many(self, cases: Sequence[Case]) -> list[Evidence]:
        """Evidence on several cases, their slices batched together."""
        return self._look(cases, maps=False).evidence

    def explain(self, case: Case) -> Explained:
        """The verdict on one case together with what it rests on, from one pass."""
        look = self._look([case], maps=True)
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
        prepared = self._prepare(pieces)
        pairs = zip(pieces, prepared, strict=True)
        return [Examined(ready, self._reasons(piece, ready)) for piece, ready in pairs]

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
        masked = np.zeros(len(look.examined), bool)
        masked[[one.index for one in look.masks if one.mask.any()]] = True
        ends = np.cumsum([len(one.slice_reasons) for one in look.evidence])[:-1]
        cases = zip(decided, np.split(masked, ends), strict=True)
        return [mask_policy.agree(one, found.tolist(), spec) for one, found in cases]

    def _masks(self, outputs: Outputs, valid: Sequence[int]) -> list[SliceMask]:
        """Of the slices that the decoder was run on."""
        spec = self.bundle.config.neuroguard.masks
        if spec is None:
            return []
        from hub_model.volumes import clean  # with scipy, which a bundle without masks needs not

        probabilities = calibration.mask_probabilities(outputs.masks.logits, spec.temperature)
        rows = zip(outputs.masks.rows, probabilities, clean(probabilities, spec), strict=True)
        return [SliceMask(valid[row], probability, mask) for row, probability, mask in rows]

    def _calls_finding(self, logits: NDArray[np.float32]) -> NDArray[np.bool_]:
        """`(N,)` whether the finding is likelier than its absence: of those a mask is made."""
        probs = calibration.probabilities(logits, self.bundle.temperature.temperature)
        return self.bundle.config.neuroguard.finding.likelier(probs, self.label_names)

    def _look(self, cases: Sequence[Case], *, maps: bool) -> _Look:
        """One pass over the slices of several cases."""
        pieces = [piece for case in cases for piece in case.slices]
        examined = self.examine(pieces)
        valid = [index for index, one in enumerate(examined) if not one.reasons]
        prepared = {index: examined[index].prepared for index in valid}
        outputs = self._run(list(prepared.values()), maps=maps)
        probs = calibration.probabilities(outputs.logits, self.bundle.temperature.temperature)
        seen = [image_statistics.statistics(pieces[index], prepared[index]) for index in valid]
        features = _features(outputs, seen)
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
                    slice_reasons=tuple(one.reasons for one in examined[start:end]),
                    logits=outputs.logits[rows],
                    probabilities=probs[rows],
                    p_in_domain=p_in_domain[rows],
                )
            )
        return _Look(examined, valid, outputs, found, self._masks(outputs, valid))

    def _prepare(self, pieces: Sequence[Slice]) -> list[Prepared]:
        spec = self._engine.preprocess
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(lambda piece: preprocess.prepare(piece, spec), pieces))

    def _reasons(self, piece: Slice, prepared: Prepared) -> tuple[contract.Reason, ...]:
        spec, facts = self._engine.preprocess, self.bundle.config.neuroguard.facts
        return quality.unfit(piece, spec, facts.modality) or quality.reasons(
            piece, prepared, self.bundle.policy.quality, spec.crop_threshold
        )

    def _run(self, prepared: Sequence[Prepared], *, maps: bool) -> Outputs:
        size = self._engine.preprocess.size
        images = np.array([ready.image for ready in prepared], np.uint8).reshape(-1, size, size)
        wanted = self._calls_finding if self._engine.draws else None
        return engine.run(self._engine, images, maps=maps, masks=wanted)

    def _check_golden(self) -> None:
        """The golden inputs must give the golden outputs on this machine."""
        golden = self.bundle.golden
        found = golden_outputs(self._engine, self.bundle.guard, golden["images"])
        for name, values in found.items():
            gap = float(np.abs(values - golden[name]).max())
            if not gap <= GOLDEN_TOLERANCE * max(1.0, float(np.abs(golden[name]).max())):
                raise BundleError(
                    contract.GOLDEN,
                    f"{name} differ by {gap:.2g} from what the network gives here, allowed "
                    f"{GOLDEN_TOLERANCE:g}: the weights, the guard or the golden file is not of "
                    "this revision",
                )


def golden_outputs(
    ready: Engine, guard: Guard, images: NDArray[np.uint8]
) -> dict[str, NDArray[np.generic]]:
    """What is made of prepared images: logits, embedding, image statistics, p_in_domain, masks.

    The statistics are those of a slice that was read as it was prepared.

    Args:
        ready: the network.
        guard: the one that is shipped.
        images: `(N, size, size)` uint8.
    """
    every = engine.every if ready.draws else None
    outputs = engine.run(ready, images, maps=False, masks=every)
    size = images.shape[1]
    seen = [
        image_statistics.statistics(
            Slice(image, "raster"), Prepared(image, (0, size, 0, size), len(np.unique(image)))
        )
        for image in images
    ]
    features = _features(outputs, seen)
    found: dict[str, NDArray[np.generic]] = {
        "logits": outputs.logits,
        "embedding": outputs.embedding,
        "middle": outputs.middle,
        "statistics": features.statistics,
        "p_in_domain": guard.p_in_domain(features),
    }
    return found | {"masks": outputs.masks.logits} if ready.draws else found


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


def _features(outputs: Outputs, seen: Sequence[NDArray[np.float32]]) -> Features:
    return Features(outputs.embedding, outputs.middle, outputs.logits, image_statistics.table(seen))
