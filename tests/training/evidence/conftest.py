"""A prepared set of drawn heads, made once."""

from __future__ import annotations

import pytest

from tests.training.evidence.drawn import mixed, prepared
from training.inputs import Inputs


@pytest.fixture(scope="session")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """Sixteen heads, half of them with a lesion and its mask."""
    return prepared(tmp_path_factory.mktemp("heads"), mixed(16))
