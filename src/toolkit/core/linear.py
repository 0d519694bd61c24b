"""Linear layers whose large products of matrices oneDNN makes where MKL is slow.

For float32 torch takes MKL, which knows no AVX-512 on AMD's processors. From Zen 5 on, whose units
are as wide as that, oneDNN takes half the time; on Zen 4, where they are half as wide, MKL is as
fast and copies less. torch itself calls oneDNN for compiled and half-precision models alone. Where
``torch.set_float32_matmul_precision`` allows bfloat16, torch makes use of it on processors with AMX
alone; AVX-512 multiplies it faster than float32 too, once the factors are rounded.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LARGE = 2**22  # multiplications; below them a call costs more than it saves
_ZEN_5 = 26  # family of processors
_ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None)  # of no public name


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x Wᵀ + b of (..., n_in), (n_out, n_in) and (n_out,): (..., n_out)."""
    outputs = weight.shape[0]
    if outputs == 1:  # its gradients as products of matrices take twice as long
        return (x * weight).sum(-1, keepdim=True) + bias
    if x.numel() * outputs < _LARGE or not x.is_cpu or x.dtype != torch.float32:
        return F.linear(x, weight, bias)
    if torch.get_float32_matmul_precision() == "medium" and knows_bfloat16():
        rounded = (part.bfloat16() for part in (x, weight, bias))
        return F.linear(*rounded).float()
    if not is_onednn_faster():
        return F.linear(x, weight, bias)
    out: Tensor = _Linear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return out


@cache
def knows_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16; where it does not, torch is far slower with it."""
    processor = _processor()
    return "avx512_bf16" in processor or "amx_bf16" in processor


@cache
def is_onednn_faster() -> bool:
    """Whether this machine is one where oneDNN is to be preferred."""
    processor = _processor()
    family = re.search(r"^cpu family\s*:\s*(\d+)", processor, re.MULTILINE)
    is_wide = "AuthenticAMD" in processor and family is not None and int(family[1]) >= _ZEN_5
    return is_wide and "avx512f" in processor and _ONEDNN is not None


def _processor() -> str:
    """What the machine says of its processors, line by line. Only Linux does."""
    try:
        return Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return ""


class Linear(nn.Linear):
    """torch's layer by :func:`linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """x Wᵀ + b."""
        return linear(x, self.weight, self.bias)


class _Linear(torch.autograd.Function):
    """The product and its gradients, three products of one kind."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        rows = gradient.flatten(0, -2)
        return (
            _product(gradient, weight.T) if of_x else None,
            _product(rows.T, x.flatten(0, -2).T) if of_weight else None,
            rows.sum(0) if of_bias else None,
        )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return out
