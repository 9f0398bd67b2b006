"""A source whose types are not taught teaches the finding, and nothing of what kind it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.training.learning.tiny import images, train, weights
from training.inputs import UNKNOWN

QUICK = ("train.head.epochs=0",)
TYPED, UNTYPED = "data.also=[{source: lgg}]", "data.also=[{source: lgg, types: false}]"


def two_sources(seed=0):
    """Every other image is of another source."""
    data = images(40, seed)
    return replace(data, sources=np.where(np.arange(40) // 4 % 2 == 0, "lgg", "home"))


def with_other_types(data, source):
    """The same, and every tumor of one source called by the type after its own."""
    turned = np.array([1, 3, 2, 0])[data.labels]
    return replace(data, labels=np.where(data.sources == source, turned, data.labels))


def test_types_of_such_a_source_change_no_weight_and_those_of_others_do():
    data = two_sources()
    plain = weights(train(*QUICK, UNTYPED, data=data))
    assert weights(train(*QUICK, UNTYPED, data=with_other_types(data, "lgg"))) == plain
    assert weights(train(*QUICK, UNTYPED, data=with_other_types(data, "home"))) != plain
    assert weights(train(*QUICK, TYPED, data=with_other_types(data, "lgg"))) != plain


def test_only_types_are_hidden():
    data = two_sources()
    found = data.without_types(["lgg"])
    hidden = (data.sources == "lgg") & data.present
    assert (found.labels[hidden] == UNKNOWN).all()
    assert (found.labels[~hidden] == data.labels[~hidden]).all()
    assert found.present is data.present
    assert data.without_types([]) is data
