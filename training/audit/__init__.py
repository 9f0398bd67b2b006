"""What is wrong with a dataset: leaks, copies, conflicts, shortcuts and broken files, counted."""
