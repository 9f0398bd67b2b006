"""New images against the reference of a revision."""
