"""A case of many slices is judged a batch after the other, and says what it says as a whole."""

from __future__ import annotations

import gc
import itertools
import threading

import numpy as np
import pytest

from hub_model import engine, image_statistics, policy
from hub_model.ahead import ahead
from hub_model.case import Case, Slice
from hub_model.engine import MAX_BATCH
from hub_model.guard import Features
from hub_model.predictor import GuardedClassifier
from hub_model.preprocess import Prepared
from tests.untrained import write_untrained

SLICES = 2 * MAX_BATCH + 20
BLANK_EVERY = 7


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return GuardedClassifier.from_folder(write_untrained(tmp_path_factory.mktemp("large") / "b"))


@pytest.fixture(scope="module")
def case():
    """Noise, and a blank slice now and then, so that batches are not of neighbours alone."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (SLICES, 70, 64), np.uint8)
    noise[::BLANK_EVERY] = 0
    return Case(tuple(Slice(pixels, "raster") for pixels in noise))


def test_batches_give_the_bytes_that_the_whole_gives(classifier, case):
    examined = classifier.examine(case.slices)
    valid = [index for index, one in enumerate(examined) if not one.reasons]
    images = np.array([examined[index].prepared.image for index in valid])
    whole = engine.run(classifier.engine, images, maps=True)
    seen = [
        image_statistics.statistics(case.slices[index], examined[index].prepared) for index in valid
    ]
    features = Features(whole.embedding, whole.middle, whole.logits, image_statistics.table(seen))
    found = classifier.evidence(case)
    assert len(valid) == SLICES - len(range(0, SLICES, BLANK_EVERY))
    assert found.logits.tobytes() == whole.logits.tobytes()
    assert found.p_in_domain.tobytes() == classifier.bundle.guard.p_in_domain(features).tobytes()
    by_hand = policy.decide(found, classifier.bundle.policy, classifier.revision)
    explained = classifier.explain(case)
    assert explained.decision.to_dict() == by_hand.to_dict()
    assert len(explained.examined) == SLICES
    assert np.ptp(found.logits) > 0


def test_it_is_told_batch_by_batch_how_many_slices_are_done(classifier, case):
    told: list[int] = []
    classifier.predict(case, told.append)
    assert sum(told) == SLICES
    assert len(told) >= 2
    assert min(told) > 0


def test_few_prepared_slices_are_alive_however_many_there_are(classifier, case):
    alive: list[int] = []
    classifier.predict(
        case, lambda _: alive.append(sum(type(one) is Prepared for one in gc.get_objects()))
    )
    assert 0 < max(alive) <= 2 * MAX_BATCH


def test_items_are_taken_no_further_ahead_than_allowed_and_given_in_order():
    taken: list[int] = []
    late = threading.Event()

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    def make(number):
        if number == 0:
            late.wait(5)  # the first one is done last
        return number

    results = ahead(make, items(), threads=2, most=4)
    threading.Timer(0.05, late.set).start()
    assert list(itertools.islice(results, 3)) == [0, 1, 2]
    assert len(taken) <= 3 + 4
    assert list(results) == list(range(3, 20))


def test_what_fails_fails_where_it_is_asked_for():
    results = ahead(lambda number: 1 // number, [1, 0, 1], threads=2, most=3)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
