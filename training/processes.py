"""The processes of one run: which this is, what the main one does alone, and how they wait.

`accelerate launch` and `torchrun` start one command several times, on one machine or on many, and
say in the environment which start is which. What only one of them may do is done by the main one:

    processes = here()
    report = processes.once(lambda: build(folder))  # built by one, known to all
    if processes.main:
        print(report)
    processes.wait()  # nobody passes before all have come

`once` and `wait` must be called by every process, in the same order. A process that ends with an
error takes the others with it: the launcher stops them. Nothing of torch is imported while there is
one process, so that asking costs nothing.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

from hub_model.errors import UsageError

Found = TypeVar("Found")
LONGEST_STAGE = timedelta(days=7)  # that the others wait for while the main process works alone


@dataclass(frozen=True)
class Processes:
    """This process among all that run the same command.

    Args:
        rank: number of this one, from 0.
        count: of all, over all machines; 1: it is alone.
    """

    rank: int = 0
    count: int = 1

    @property
    def main(self) -> bool:
        """Whether this is the one that writes files and speaks."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when every process has come here; waiting takes no processor time."""
        if self.count > 1:
            import torch

            torch.distributed.barrier(group=_quiet_group())

    def once(self, work: Callable[[], Found]) -> Found:
        """Let the main process alone do it; every process returns what it returned.

        Args:
            work: its result must be small or wanted: it is copied to every process.
        """
        if self.count == 1:
            return work()
        import torch

        box = [work() if self.main else None]
        torch.distributed.broadcast_object_list(box, src=0, group=_quiet_group())
        return box[0]  # type: ignore[return-value]

    def agree(self, found: Mapping[str, Any]) -> None:
        """Refuse to go on where a process sees other things than the main one.

        Args:
            found: what each sees, by name.

        Raises:
            UsageError: in every process, with the number of the first that differs.
        """
        if self.count == 1:
            return
        import torch

        seen: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(seen, dict(found), group=_quiet_group())
        for rank, other in enumerate(seen):
            if names := [name for name, value in seen[0].items() if other[name] != value]:
                raise UsageError(
                    f"process {rank} of {self.count} found other {', '.join(names)} than process "
                    "0: give all machines the same code, recipe and run folder"
                )

    def part(self, length: int) -> slice:
        """Which rows of a batch are this process's; none takes more than one more than another.

        Fewer than two rows a process cannot be normalised: all processes then take the whole batch.

        Args:
            length: rows of the batch.

        Example:
            >>> Processes(1, 4).part(32), Processes(1, 4).part(30), Processes(1, 4).part(7)
            (slice(8, 16, None), slice(7, 15, None), slice(0, 7, None))
        """
        if length < 2 * self.count:
            return slice(0, length)
        return slice(length * self.rank // self.count, length * (self.rank + 1) // self.count)


def here() -> Processes:
    """This process, as the launcher's environment has it.

    Raises:
        UsageError: the environment says half of it.
    """
    env = os.environ
    count = int(env.get("WORLD_SIZE", "1"))
    if count > 1:
        if missing := [n for n in ("RANK", "LOCAL_RANK", "MASTER_ADDR") if n not in env]:
            raise UsageError(
                f"WORLD_SIZE is {count} and {', '.join(missing)} is not set: start several "
                "processes with accelerate launch or torchrun, or unset WORLD_SIZE"
            )
        return Processes(int(env["RANK"]), count)
    if "WORLD_SIZE" not in env and {"ACCELERATE_MIXED_PRECISION", "MASTER_ADDR"} <= env.keys():
        raise UsageError(
            "accelerate launch was asked for several processes and started one, as it does with "
            "--cpu: give --multi_gpu, without graphics cards ACCELERATE_USE_CPU=1 and --multi_gpu"
        )
    return Processes()


def accelerator() -> Any:
    """An `accelerate.Accelerator` of this process, on the graphics card that is its own or the CPU.

    Raises:
        UsageError: the launcher asks for more than copies of one network, or runs with others than
            the environment says.
    """
    import torch
    from accelerate import Accelerator, DistributedType
    from accelerate.utils import GradientAccumulationPlugin

    # Without a card accelerate takes its own default for one process and starts each alone.
    found = Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision="no",  # the recipe's train.precision says it
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
    )
    known = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)
    if found.distributed_type not in known:
        raise UsageError(
            f"accelerate was configured for {found.distributed_type.value}: this training copies "
            "the network to every process, which --multi_gpu does"
        )
    if found.num_processes != here().count:
        raise UsageError(
            f"accelerate runs {found.num_processes} processes, WORLD_SIZE is {here().count}: start "
            "them with accelerate launch or torchrun"
        )
    if torch.distributed.is_initialized():
        _part_at_exit()
    return found


@cache
def _part_at_exit() -> None:
    """Close the connections before the interpreter ends: their threads would abort it."""
    import torch

    atexit.register(torch.distributed.destroy_process_group)


@cache
def _quiet_group() -> Any:
    """All processes, over sockets: waiting keeps no graphics card busy and no clock runs out."""
    import torch

    accelerator()  # brings the processes together
    return torch.distributed.new_group(backend="gloo", timeout=LONGEST_STAGE)
