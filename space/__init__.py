"""The page that runs exactly one revision."""
