"""A bundle out of what was fitted: export, card, reports, and the older form."""
