"""How many models were scored on the same test images: a test that chooses is no test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from training.whole_file import write_json

USES = "test_uses.json"  # beside the stages of a run, which outlives all of them


def record_use(run: Path, test: bytes, model: Mapping[str, str]) -> int:
    """Note that a model was scored on test images; returns how many different ones have been.

    Args:
        run: folder of the run.
        test: what the test images are, as bytes: other images begin a count of their own.
        model: names of what the scores depend on, to their digests.
    """
    file = run / USES
    uses: dict[str, list[dict[str, str]]] = json.loads(file.read_text()) if file.is_file() else {}
    known = uses.setdefault(hashlib.sha256(test).hexdigest(), [])
    if dict(model) not in known:
        known.append(dict(model))
        write_json(file, uses)
    return len(known)


def told(run: Path) -> str | None:
    """The counts in words, for the manifest; None where no test was scored."""
    file = run / USES
    if not file.is_file():
        return None
    counts = [str(len(models)) for models in json.loads(file.read_text()).values()]
    return f"models scored on the same test images: {', '.join(counts)}"
