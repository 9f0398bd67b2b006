"""Both ways have the same parts, and a mask is drawn of as many slices as is said."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from hub_model.errors import UsageError
from hub_model.network import build
from scripts import bench_masks
from scripts.bench_masks import Result, measure, table
from tests import masked_bundle
from tests.scripts.command import Command


@pytest.fixture(scope="module")
def result() -> Result:
    return measure("tiny", masked_bundle.config(decoder=True), rounds=1, slices=4, called=1)


def test_one_encoder_saves_the_parameters_of_the_other(result: Result) -> None:
    network = build(masked_bundle.config(decoder=True))
    sizes = {
        name: sum(value.numel() for value in part.parameters())
        for name, part in network.parts.items()
    }
    last = sum(value.numel() for value in network.backbone.get_classifier().parameters())
    assert result.together.parameters == sizes[""] + sizes["decoder"]
    assert result.apart.parameters - result.together.parameters == sizes[""] - last
    assert 0 < result.fewer_parameters < 0.5


def test_every_way_is_timed_and_shown(result: Result) -> None:
    for way in (result.together, result.apart):
        assert min(way.classes, way.called, way.every) > 0
    shown = table(result)
    assert "4 prepared slices of 64 x 64, 1 called a finding" in shown
    assert f"{result.apart.parameters:,}" in shown
    assert f"{result.not_drawn:.1%}" in shown
    json.dumps(asdict(result))


def test_masks_are_drawn_of_the_slices_that_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    from hub_model import engine

    drawn: list[tuple[int, int]] = []
    run = engine.run

    def counted(*given: object, **named: object) -> engine.Outputs:
        found = run(*given, **named)  # type: ignore[arg-type]
        drawn.append((len(found.logits), len(found.masks.rows)))
        return found

    monkeypatch.setattr(engine, "run", counted)
    monkeypatch.setattr(bench_masks, "WARM_UP", 0)
    measure("tiny", masked_bundle.config(decoder=True), rounds=1, slices=4, called=1)
    classes, called, every = [(4, 0), (4, 0)], [(4, 1), (4, 0), (1, 1)], [(4, 4), (4, 0), (4, 4)]
    assert drawn == [*classes, *called, *every]


@pytest.mark.parametrize(
    ("decoder", "called", "says"), [(True, 5, "there are 4"), (False, 1, "no masks")]
)
def test_what_cannot_be_compared_is_refused(decoder: bool, called: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        measure("tiny", masked_bundle.config(decoder=decoder), rounds=1, slices=4, called=called)


def test_a_recipe_without_masks_is_named(command: Command) -> None:
    said = command("bench-masks", "phantom", "--rounds", "1")
    assert said.code == 2
    assert "recipe phantom draws no masks" in said.err
