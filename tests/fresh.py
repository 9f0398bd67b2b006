"""What a bundle's graphs say in a process of its own, and what it has imported by then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hub_model.engine import Kind

HEAVY = frozenset(
    {"datasets", "onnx", "segmentation_models_pytorch", "sklearn", "timm", "torch", "torchvision"}
)


def answered(folder: Path, kind: Kind, *lines: str) -> tuple[list[str], set[str]]:
    """What lines of code print, in words, and which heavy packages were imported.

    Args:
        folder: of the bundle.
        kind: of the engine.
        lines: are given `model`, a classifier, and `case`, of one slice.
    """
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from hub_model.case import Case, Slice\n"
        "from hub_model.engine import Kind\n"
        "from hub_model.predictor import GuardedClassifier\n"
        f"model = GuardedClassifier.from_folder(Path({str(folder)!r}), Kind({kind.value!r}))\n"
        "plane = (np.indices((90, 80)).sum(0) % 200 + 20).astype(np.uint8)\n"
        "case = Case((Slice(plane, 'raster'),))\n" + "".join(f"{line}\n" for line in lines)
    )
    code += "print(*{name.split('.')[0] for name in sys.modules})\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *said, imported = done.stdout.splitlines()
    return " ".join(said).split(), HEAVY & set(imported.split())
