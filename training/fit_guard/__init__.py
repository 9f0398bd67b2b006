"""Guards fitted on what the network says, and judged on domains that they did not see."""

from training.fit_guard.fit import Head, Material, fit
from training.fit_guard.guards import Guards, fit_all

__all__ = ["Guards", "Head", "Material", "fit", "fit_all"]
