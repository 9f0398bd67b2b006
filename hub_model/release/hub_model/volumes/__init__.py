"""Masks after the network: cleaned, back on the slice, joined over slices, measured in mm."""

from hub_model.volumes.cleaning import clean
from hub_model.volumes.grid import grid_of
from hub_model.volumes.measured import measure
from hub_model.volumes.placing import mask_on_slice

__all__ = ["clean", "grid_of", "mask_on_slice", "measure"]
