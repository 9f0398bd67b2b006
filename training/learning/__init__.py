"""From prepared images to trained weights."""
