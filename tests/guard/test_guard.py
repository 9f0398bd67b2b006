"""A guard of any members gives one number that means something, or is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model.contract import GUARD, GUARD_TENSORS
from hub_model.errors import BundleError
from hub_model.guard import Features, Guard, rank
from tests.guard.made import LAYERED, WIDTHS, features, file, guard, member

RNG = np.random.default_rng(0)
ROWS = features(RNG, 30, scale=1.5)
EVERY = [member(kind, layer) for kind, layer in LAYERED]
THREE = (
    member("logistic", "embedding", "unit"),
    member("knn", "statistics", "standard"),
    member("energy", "logits"),
)


@settings(deadline=None, max_examples=40)
@given(order=st.permutations(EVERY), images=st.permutations(range(30)))
def test_neither_the_order_of_members_nor_of_images_matters(order, images):
    found = guard(*EVERY).p_in_domain(ROWS)
    assert np.array_equal(guard(*order).p_in_domain(ROWS.rows(np.array(images))), found[images])


def test_one_member_alone_is_its_own_rank():
    for one in EVERY:
        made = guard(one)
        by_hand = rank(made.strangeness(one, ROWS), made.tensors[f"{one.name}.scores"])
        assert np.array_equal(made.p_in_domain(ROWS), by_hand)


def test_of_several_members_the_one_that_finds_an_image_strangest_counts():
    made = guard(*THREE)
    smallest = made.ranks(ROWS).min(axis=0)
    by_hand = [
        (1 + int((made.tensors["combined.scores"] >= -least).sum())) / 20 for least in smallest
    ]
    assert np.allclose(made.p_in_domain(ROWS), by_hand)


@pytest.mark.parametrize("members", [THREE, THREE[1:2]], ids=["three", "one"])
def test_the_least_p_is_what_the_strangest_image_gets(members):
    made = guard(*members)
    axis = np.array([[-1e6], [1e6]])
    far = Features(*(np.repeat(axis, w, axis=1) for w in (4, 6, 3, 5)))
    assert made.p_in_domain(far).min() == made.least_p > 0


@pytest.mark.parametrize("factor", [0, 1, 1e6, 1e30])
def test_p_in_domain_lies_between_0_and_1_for_all_finite_features(factor):
    rows = features(RNG, 10, scale=factor)
    for made in (guard(*EVERY), guard(member("logistic", "embedding"), scale="probability")):
        found = made.p_in_domain(rows)
        assert found.shape == (10,)
        assert ((found >= 0) & (found <= 1)).all()


def test_a_probability_is_that_of_the_logistic_model():
    one = member("logistic", "embedding")
    made = guard(one, scale="probability")
    weight, bias = made.tensors[f"{one.name}.weight"], made.tensors[f"{one.name}.bias"]
    assert np.allclose(made.p_in_domain(ROWS), 1 / (1 + np.exp(-(ROWS.embedding @ weight + bias))))
    assert made.least_p == 0


def test_features_of_other_widths_are_refused():
    wider = Features(*(np.zeros((2, width)) for width in (5, 6, 3, 5)))
    with pytest.raises(BundleError, match="fitted on features of widths"):
        guard(*THREE).p_in_domain(wider)


def test_features_are_matrices_of_as_many_rows():
    with pytest.raises(ValueError, match="as many rows"):
        Features(*(np.zeros((rows, 4)) for rows in (2, 2, 3, 2)))
    with pytest.raises(ValueError, match="expected matrices"):
        Features(*(np.zeros(3) for _ in range(4)))


def put(name, value):
    return lambda held: held.update({name: np.asarray(value, float)})


WRONG = {
    "missing": (lambda t: t.pop("embedding_logistic.weight"), "embedding_logistic.weight"),
    "no bank": (lambda t: t.pop("statistics_knn.bank"), "statistics_knn.bank has None"),
    "extra": (put("more", np.zeros(3)), "more has 1 dimensions, expected None"),
    "of no member": (put("other.weight", np.zeros(4)), "other.weight"),
    "dimensions": (put("embedding_logistic.weight", np.zeros((4, 1))), "logistic.weight has 2"),
    "not finite": (put("embedding_logistic.bias", np.nan), "bias holds a value that is not"),
    "not sorted": (put("logits_energy.scores", [2, 1]), "logits_energy.scores is not sorted"),
    "no scores": (put("combined.scores", np.zeros(0)), "combined.scores is empty"),
    "no member's": (put("logits_energy.scores", np.zeros(0)), "logits_energy.scores is empty"),
    "width": (put("embedding_logistic.weight", np.zeros(5)), r"\(5,\), its width must be 4"),
    "bank's width": (put("statistics_knn.bank", np.zeros((9, 4))), "its width must be 5"),
    "scaling": (put("statistics_knn.scale", np.zeros(5)), "scale holds a value that is not above"),
    "scaling's width": (put("statistics_knn.centre", np.zeros(4)), "centre is"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_tensors_are_refused_by_name(name):
    change, message = WRONG[name]
    held = dict(guard(*THREE).tensors)
    change(held)
    with pytest.raises(BundleError, match=message) as caught:
        Guard(file(*THREE), held)
    assert caught.value.file == GUARD_TENSORS


def test_sides_of_one_name_are_of_one_length():
    one = member("mahalanobis", "embedding")
    held = dict(guard(one).tensors)
    held[f"{one.name}.whitening"] = np.eye(4)[:, :3]
    with pytest.raises(BundleError, match="whitening is"):
        Guard(file(one), held)


@pytest.mark.parametrize("neighbours", [0, 2.5, 13])
def test_a_bank_has_the_neighbours_that_are_counted(neighbours):
    one = member("knn", "embedding")
    other = one.model_copy(update={"parameters": {"neighbours": neighbours}})
    with pytest.raises(BundleError, match=r"its bank has 12") as caught:
        Guard(file(other), guard(one).tensors)
    assert caught.value.file == GUARD


def test_parameters_are_those_of_the_kind():
    one = member("energy", "logits")
    other = one.model_copy(update={"parameters": {"temperature": 2.0}})
    with pytest.raises(BundleError, match="energy takes"):
        Guard(file(other), guard(one).tensors)


def test_a_kind_looks_at_layers_of_its_own():
    one = member("energy", "logits")
    other = one.model_copy(update={"layer": "embedding"})
    with pytest.raises(BundleError, match="logits_energy looks at embedding"):
        Guard(file(other), guard(one).tensors)


@pytest.mark.parametrize("names", [("a", "a"), ("combined",)])
def test_members_have_names_of_their_own(names):
    members = [member("energy", "logits").model_copy(update={"name": name}) for name in names]
    with pytest.raises(ValueError, match="repeat a name or take that of"):
        file(*members)


def test_a_probability_comes_from_one_logistic_member():
    with pytest.raises(ValueError, match="expected one logistic"):
        file(member("energy", "logits"), scale="probability")


def test_widths_are_those_of_the_layers():
    assert ROWS.widths == WIDTHS
