"""Start a module in several processes on the CPU, as users start theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SEVERAL = ("--multi_gpu", "--main_process_port", "0")  # accelerate's word for one process each
ONE = ("--cpu",)


def launch(
    module: str, *arguments: object, count: int = 2, kind: tuple[str, ...] = SEVERAL
) -> subprocess.CompletedProcess[str]:
    """`accelerate launch -m module arguments...`; the processes have a thread each."""
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", *kind]
    command += ["--num_processes", str(count), "--num_machines", "1"]
    command += ["--mixed_precision", "no", "--dynamo_backend", "no", "-m", module]
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
