"""One process or several: what ``torchrun`` started, each with its own device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from larvastats.errors import DataError


@dataclass(frozen=True, slots=True)
class Process:
    """One process among those that train together.

    Attributes
    ----------
    rank, count : int
        Number of this process, from 0, and how many there are.
    device : torch.device
    """

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes files and draws progress bars."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """Sum a tensor over all processes, in place."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def processes(device: str = "auto") -> Iterator[Process]:
    """Join the processes that ``torchrun`` started; a process without it is alone.

    Parameters
    ----------
    device : {'auto', 'cpu', 'cuda'}
        ``auto`` takes graphics cards where there are some: nccl joins them, gloo processors.

    Raises
    ------
    DataError
        There are fewer graphics cards than processes.
    """
    cuda = torch.cuda.is_available() if device == "auto" else device == "cuda"
    count, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    if cuda and local >= torch.cuda.device_count():
        raise DataError(
            "expected a graphics card for every process, but there are "
            f"{torch.cuda.device_count()} and this is process {local + 1}; start fewer processes, "
            "or use --device cpu."
        )
    place = torch.device("cuda", local) if cuda else torch.device("cpu")
    if count == 1:
        yield Process(0, 1, place)
        return
    if cuda:
        torch.cuda.set_device(place)
    # the others wait while the first draws the training set
    distributed.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(days=1))
    try:
        yield Process(distributed.get_rank(), count, place)
    finally:
        distributed.destroy_process_group()
