"""From a source to a bundle."""
