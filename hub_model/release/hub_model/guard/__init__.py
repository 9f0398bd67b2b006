"""How strange an image is, as a number that means something: fitted members, scored in numpy."""

from hub_model.guard.features import Features
from hub_model.guard.fitted import Guard
from hub_model.guard.kinds import KINDS, strangeness
from hub_model.guard.ranks import rank

__all__ = ["KINDS", "Features", "Guard", "rank", "strangeness"]
