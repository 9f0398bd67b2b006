"""Promises stand beside what became of them, and every image is counted once."""

from __future__ import annotations

import numpy as np
import pytest

from training.policy import figures as policy_figures
from training.policy.figures import TAUS, over_groups, tau_sweep
from training.policy.promise import losses


def test_the_rate_on_test_images_is_the_one_that_is_promised():
    rng = np.random.default_rng(0)
    groups = np.repeat([f"g{k}" for k in range(12)], rng.integers(1, 20, size=12))
    wrong = rng.random(len(groups)) < 0.3
    found = over_groups("test", groups, wrong)
    assert found.value == pytest.approx(losses(wrong, groups).mean())
    assert found.low <= found.value <= found.high
    assert found.sample.n_groups == 12


def test_a_sweep_refuses_nothing_at_nothing_and_never_less_at_more():
    rng = np.random.default_rng(1)
    p, called = rng.random(200), rng.random(200) < 0.4
    rows = tau_sweep((p, called), {"knee": (p / 20, called)})
    assert len(rows) == 2 * len(TAUS)
    for domain in ("test", "knee"):
        part = [row for row in rows if row["domain"] == domain]
        refused = [row["refused"] for row in part]
        assert refused[0] == 0
        assert refused == sorted(refused)
        assert part[0]["finding_calls"] == pytest.approx(called.mean())
        assert all(row["finding_calls"] <= row["admitted"] for row in part)
        assert all(row["admitted"] + row["refused"] == pytest.approx(1) for row in part)


def test_taus_that_are_swept_rise_from_nothing():
    assert TAUS[0] == 0
    assert list(TAUS) == sorted(set(policy_figures.TAUS))
