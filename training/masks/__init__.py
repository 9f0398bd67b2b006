"""Where the finding lies: how masks are learnt, judged, and how their threshold is chosen."""
