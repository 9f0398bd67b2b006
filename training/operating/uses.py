"""How many models were scored on the same test images: a test that chooses is no test.

Another recipe is another run: those in folders beside this one count too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from training.whole_file import write_json

USES = "test_uses.json"  # beside the stages of a run, which outlives all of them


def record_use(run: Path, test: bytes, model: Mapping[str, str]) -> int:
    """Note that a model was scored on test images; returns how many different ones have been.

    Models that runs beside this one scored on the same images count.

    Args:
        run: folder of the run.
        test: what the test images are, as bytes: other images begin a count of their own.
        model: names of what the scores depend on, to their digests.
    """
    file = run / USES
    uses = _read(file)
    digest = hashlib.sha256(test).hexdigest()
    known = uses.setdefault(digest, [])
    if dict(model) not in known:
        known.append(dict(model))
        write_json(file, uses)
    return _count(run, digest)


def told(run: Path) -> str | None:
    """The counts in words, for the manifest; None where no test was scored."""
    file = run / USES
    if not file.is_file():
        return None
    counts = [str(_count(run, digest)) for digest in _read(file)]
    return f"models scored on the same test images: {', '.join(counts)}"


def _count(run: Path, test: str) -> int:
    """Different models over this run and those beside it."""
    files = {run / USES, *run.resolve().parent.glob(f"*/{USES}")}
    models = (one for file in files for one in _read(file).get(test, []))
    return len({json.dumps(one, sort_keys=True) for one in models})


def _read(file: Path) -> dict[str, list[dict[str, str]]]:
    """Digest of test images to the models that were scored on them."""
    found: dict[str, list[dict[str, str]]] = {}
    return json.loads(file.read_text()) if file.is_file() else found
