"""A case of many slices is judged a batch after the other, and says what it says as a whole."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest

from hub_model import engine, image_statistics, policy
from hub_model.ahead import ahead
from hub_model.case import Case, Slice
from hub_model.engine import MAX_BATCH
from hub_model.guard import Features
from hub_model.predictor import GuardedClassifier
from hub_model.preprocess import Prepared
from hub_model.reading import Limits, read_bytes
from hub_model.spool import Spooled
from tests.reading.samples import AXIAL, archive, dicom, nifti, raster
from tests.untrained import write_untrained

SLICES = 2 * MAX_BATCH + 20
BLANK_EVERY = 7
SIDE = 256  # pixels of a slice in a case whose memory is measured: 262 kB each
MOST_MIB = 24  # that hundreds of slices more may take; their planes are more than five times that
FRESH = """
import sys
from functools import partial
from hub_model.ahead import ahead
from hub_model.contract import PreprocessSpec
from hub_model.preprocess import prepare
from hub_model.reading import Limits, read_case

case = read_case(sys.argv[1], limits=Limits(memory_bytes=4 * 2**20))
spec = PreprocessSpec.model_validate_json(sys.argv[2])
for _ in ahead(partial(prepare, spec=spec), case.slices, threads=2, most=64):
    pass
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(len(case.slices), peak / 1024)
"""


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


def test_a_case_that_lies_in_a_file_is_judged_as_one_in_memory(classifier, case):
    files = {f"{number:03}": raster(piece.pixels) for number, piece in enumerate(case.slices)}
    spooled = read_bytes(archive(files), limits=Limits(memory_bytes=0))
    assert all(isinstance(piece.plane, Spooled) for piece in spooled.slices)
    one, other = classifier.evidence(case), classifier.evidence(spooled)
    assert one.logits.tobytes() == other.logits.tobytes()
    assert one.p_in_domain.tobytes() == other.p_in_domain.tobytes()
    assert classifier.predict(case).to_dict() == classifier.predict(spooled).to_dict()


def volume(path, count):
    """A NIfTI of `count` slices."""
    head = nifti(np.zeros((1, 1, 1), np.int16), dim=[3, SIDE, SIDE, count, 1, 1, 1, 1])
    plane = np.arange(SIDE * SIDE, dtype=np.int16).tobytes()
    with path.open("wb") as file:
        file.write(head[:352])
        for _ in range(count):
            file.write(plane)


def series(path, count):
    """A ZIP of `count` DICOM files."""
    plane = np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE)
    there = {"ImageOrientationPatient": AXIAL, "ImagePositionPatient": [0, 0, 1234]}
    one = dicom(plane, **there)
    with zipfile.ZipFile(path, "w") as packed:
        for number in range(count):
            packed.writestr(f"{number:04}", one.replace(b"1234", f"{1000 + number}".encode()))


@pytest.mark.skipif(sys.platform != "linux", reason="reads its peak memory from /proc")
@pytest.mark.parametrize(("write", "few", "many"), [(volume, 600, 1200), (series, 60, 600)])
def test_the_memory_of_a_case_does_not_grow_with_its_slices(tmp_path, classifier, write, few, many):
    spec, peaks = classifier.engine.preprocess.model_dump_json(), []
    for count in (few, many):
        write(tmp_path / str(count), count)
        done = subprocess.run(
            [sys.executable, "-c", FRESH, str(tmp_path / str(count)), spec],
            capture_output=True,
            text=True,
            check=True,
        )
        read, peak = done.stdout.split()
        assert int(read) == count
        peaks.append(float(peak))
    assert peaks[1] - peaks[0] < MOST_MIB
    assert (many - few) * SIDE * SIDE * 4 / 2**20 > 5 * MOST_MIB
