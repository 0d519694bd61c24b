"""Several processes on one batch: torchrun starts them, gloo or NCCL joins them."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from toolkit.core.batch_norm import synchronise
from toolkit.core.errors import (
    CancelledRunError,
    ConfigError,
    InterruptedRunError,
    RunError,
    UnavailableError,
)

_TIMEOUT_S = 50  # a killed rank ends the others within a minute
_ENDING = timedelta(days=7)  # while the main one evaluates and draws, which has no limit


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
    ending = dist.new_group(backend="gloo", timeout=_ENDING)
    try:
        yield Ranks(dist.get_rank(), world)
        dist.barrier(ending)  # none may tear the group down while another still talks in it
    except RuntimeError as error:
        if not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        what = "another process of this run ended, and so does this one"
        raise RunError(what, hint="toolkit runs resume RUN") from error
    finally:
        gc.collect()  # of models in cycles, which would hold the group until the process ends
        dist.destroy_process_group()


def check_batch(batch_size: int, ranks: Ranks, name: str = "batch_size") -> None:
    """Refuse a global batch that the processes cannot share equally."""
    if batch_size % ranks.world:
        raise ConfigError(
            f"{name} = {batch_size} cannot be shared by {ranks.world} processes",
            where="--devices",
            hint=f"use a multiple of {ranks.world}",
        )


def relaunch(devices: int, arguments: Sequence[str]) -> int:
    """Run ``toolkit ARGUMENTS`` on ``devices`` processes, as torchrun does; stdout is dropped.

    Returns:
        The exit code of the first process that failed, which said why; 0 if none did.

    Raises:
        RunError: a process was killed; the others ended after it.
    """
    from torch.distributed.elastic.multiprocessing.api import (
        DefaultLogsSpecs,
        SignalException,
        Std,
    )
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # torchrun's own command line would end with exit code 1 and a traceback, whatever happened
    logging.disable(logging.ERROR)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # until the process takes its share of the cores
    try:
        with TemporaryDirectory(prefix="toolkit-") as folder:
            config = LaunchConfig(
                min_nodes=1,
                max_nodes=1,
                nproc_per_node=devices,
                logs_specs=DefaultLogsSpecs(folder, redirects=Std.OUT),
                run_id=uuid.uuid4().hex,
                rdzv_backend="c10d",
                rdzv_endpoint="localhost:0",
                max_restarts=0,
            )
            elastic_launch(config, sys.executable)("-m", "toolkit", *arguments)
    except SignalException as error:
        cancelled = error.sigval == signal.SIGINT
        return (CancelledRunError if cancelled else InterruptedRunError).exit_code
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode < 0:
            what = f"process {rank} of {devices} was killed by signal {-failure.exitcode}"
            raise RunError(what, hint="toolkit runs resume RUN") from error
        return failure.exitcode
    return 0


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
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = f"there are {torch.cuda.device_count()} CUDA devices here"
        raise UnavailableError(found, where=f"--device {name}", hint="--device cpu")
    return device


def take_device(name: str) -> torch.device:
    """The device that ``name`` stands for, from here on the current one of its kind.

    Random numbers on CUDA are seeded, drawn and restored on the current device (see ``rng``).

    Raises:
        UnavailableError: CUDA was asked for and is not there.
        ConfigError: no such kind of device.
    """
    device = resolve_device(name)
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    return device
