"""Where a score is cut into an answer: tables over thresholds, the choice, and how sure it is."""
