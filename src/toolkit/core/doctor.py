"""Whether this machine can do what the toolkit asks of it: checks that find, never change."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from toolkit.core import rng
from toolkit.core.convnet import ConvNetConfig, Encoder, pool
from toolkit.core.errors import ToolkitError
from toolkit.core.files import write_atomic

PACKAGES = ("numpy", "scipy", "scikit-learn", "pydantic", "click", "rich", "safetensors")
_FEW_BYTES = 2**30  # free space below which a long run may not end


@dataclass(frozen=True)
class Check:
    """What was looked at, how it is, what was found, and what to do about it."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    hint: str = ""


def guarded(name: str, look: Callable[[], Check]) -> Check:
    """What ``look`` finds; that it cannot look is a failed check."""
    try:
        return look()
    except ToolkitError as error:
        where = f" ({error.where})" if error.where else ""
        return Check(name, "fail", error.what + where, error.hint)
    except Exception as error:  # a doctor reports whatever is broken
        return Check(name, "fail", f"{type(error).__name__}: {error}")


def versions() -> Check:
    """Versions of Python, torch and what else numbers depend on."""
    named = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    found = f"python {platform.python_version()}, torch {torch.__version__}, {', '.join(named)}"
    return Check("versions", "ok", found)


def threads() -> Check:
    """Cores that this process may use against the threads that torch would."""
    cores, used = len(os.sched_getaffinity(0)), torch.get_num_threads()
    found = f"{cores} cores available, torch uses {used} threads"
    if used > cores:
        return Check("threads", "warn", found, f"--threads {cores}, or OMP_NUM_THREADS={cores}")
    return Check("threads", "ok", found)


def cuda() -> Check:
    """The CUDA devices, or why there are none."""
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Check("cuda", "ok", ", ".join(names))
    if torch.version.cuda is None:
        return Check("cuda", "ok", "none: this torch is built for the CPU alone")
    found = f"none: torch is built for CUDA {torch.version.cuda}, but finds no device"
    return Check("cuda", "warn", found, "nvidia-smi shows driver and devices; --device cpu works")


def disk(name: str, folder: Path, *, needed: bool = True) -> Check:
    """Write, fsync and rename in ``folder``, or where it would be made."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryDirectory(prefix=".toolkit-probe-", dir=place) as probe:
            write_atomic(Path(probe) / "file", b"written, synced, renamed")
        free = shutil.disk_usage(place).free
    except (OSError, ToolkitError) as error:
        hint = "choose another folder, or make this one writable"
        return Check(name, "fail" if needed else "warn", f"{folder}: {error}", hint)
    found = f"{folder}: writable, {free / 2**30:.1f} GiB free"
    return Check(name, "ok" if free > _FEW_BYTES else "warn", found)


def extras() -> list[Check]:
    """The optional dependencies, each extra with what it lacks."""
    wanted: dict[str, list[str]] = {}
    for requirement in importlib.metadata.requires("toolkit") or []:
        match = re.match(r"([\w.-]+).*extra == ['\"](\w+)['\"]", requirement)
        if match:
            wanted.setdefault(match[2], []).append(match[1])
    return [_extra(name, packages) for name, packages in wanted.items()]


def _extra(name: str, packages: Iterable[str]) -> Check:
    missing = [package for package in packages if not _installed(package)]
    label = f"extra {name}"
    if missing:
        found = f"optional, not installed: {', '.join(missing)}"
        return Check(label, "ok", found, f"pip install -c constraints.txt -e '.[{name}]'")
    return Check(label, "ok", "installed")


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def training_step(name: str, network: ConvNetConfig) -> Check:
    """One forward and backward pass of an application's network on noise."""
    size = {1: (128,), 2: (32, 32), 3: (16, 16, 16)}[network.ndim]
    with rng.torch_scope(0, "doctor"):
        encoder = Encoder(network)
        x_BCN = torch.randn(4, network.in_channels, *size)
        loss = pool(encoder(x_BCN)).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.get_total_norm([p.grad for p in encoder.parameters() if p.grad is not None])
    found = f"loss {loss.item():.3g}, gradient norm {norm.item():.3g}"
    finite = bool(torch.isfinite(norm)) and norm.item() > 0
    return Check(name, "ok" if finite else "fail", found)
