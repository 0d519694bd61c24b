"""Several processes on one batch: torchrun starts them, gloo or NCCL joins them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from toolkit.core.batch_norm import synchronise
from toolkit.core.errors import ConfigError, UnavailableError

_TIMEOUT_S = 50  # a killed rank ends the others within a minute (R16)


@dataclass(frozen=True)
class Ranks:
    """This process's place among ``world`` processes."""

    rank: int = 0
    world: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    def share(self, indices: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """This process's part of a global batch; the parts are disjoint and cover it."""
        return indices[self.rank :: self.world]

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is set on any process (all processes must ask)."""
        if self.world == 1:
            return flag
        value = torch.tensor([float(flag)])
        dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return bool(value.item())

    def gather(self, part: np.ndarray[Any, Any], total: int) -> np.ndarray[Any, Any]:
        """Join the rows that each process computed for its ``share`` of ``range(total)``."""
        if self.world == 1:
            return part
        parts: list[Any] = [None] * self.world
        dist.all_gather_object(parts, part)
        whole = np.empty((total, *parts[0].shape[1:]), parts[0].dtype)
        for rank, rows in enumerate(parts[:total]):  # fewer rows than processes: the last have none
            whole[rank :: self.world] = rows
        return whole

    def mean(self, value: float) -> float:
        """Mean of ``value`` over all processes, which must all ask."""
        if self.world == 1:
            return value
        total = torch.tensor([value], dtype=torch.float64)
        dist.all_reduce(total)
        return float(total.item()) / self.world

    def wrap(self, model: nn.Module) -> nn.Module:
        """``model``, averaging its gradients over the processes.

        Its batch normalisation is made to see the global batch, in place.
        """
        if self.world == 1:
            return model
        synchronise(model)
        return nn.parallel.DistributedDataParallel(model)


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the process group that torchrun announced, if any, and leave it at the end."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks()
        return
    # Control messages and CPU tensors always travel over gloo; NCCL carries CUDA tensors.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if torch.cuda.is_available():  # "cuda" is then each process's own device
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    dist.init_process_group(backend, timeout=timedelta(seconds=_TIMEOUT_S))
    try:
        yield Ranks(dist.get_rank(), world)
    finally:
        dist.destroy_process_group()


def check_batch(batch_size: int, ranks: Ranks) -> None:
    """Refuse a global batch that the processes cannot share equally."""
    if batch_size % ranks.world:
        raise ConfigError(
            f"batch_size = {batch_size} cannot be shared by {ranks.world} processes",
            where="--devices",
            hint=f"use a multiple of {ranks.world}",
        )


def relaunch(devices: int, arguments: Sequence[str]) -> None:
    """Replace this process by ``toolkit ARGUMENTS`` under torchrun on ``devices`` processes."""
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}"]
    command = [sys.executable, *launch, "-m", "toolkit", *arguments]
    # each process gets its share of the cores; without it torchrun sets one thread, saying so
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.execv(sys.executable, command)


def resolve_device(name: str) -> torch.device:
    """The device that ``name`` (auto, cpu, cuda, cuda:N) stands for.

    Raises:
        UnavailableError: CUDA was asked for and is not there.
        ConfigError: no such kind of device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(
            f"unknown device {name!r}", where="--device", hint="auto, cpu, cuda"
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("no CUDA device here", where=f"--device {name}", hint="--device cpu")
    return device
