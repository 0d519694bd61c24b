"""Batch normalisation over the global batch of several processes, on CPU as on GPU.

torch's own SyncBatchNorm refuses CPU tensors. Without one of the kind each process would normalise
by its own share, and the number of processes would change what is learnt.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Mean(torch.autograd.Function):
    """Mean over the processes; its gradient is the mean of the processes' gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _mean(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _mean(gradients[0])


def _mean(x: Tensor) -> Tensor:
    total = x.contiguous().clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


class SyncBatchNorm(_BatchNorm):
    """BatchNorm of any dimension whose training statistics are those of all processes.

    Parameters, buffers and their names are BatchNorm's. The processes' shares must be of equal
    size, as ``check_batch`` sees to.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, …) over B and … of all processes."""
        if not self.training:
            return super().forward(x)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = (1, -1, *(1,) * (x.ndim - 2))
        mean = cast(Tensor, _Mean.apply(x.mean(axes)))  # type: ignore[no-untyped-call]
        centred = x - mean.reshape(shape)
        variance = cast(Tensor, _Mean.apply(centred.square().mean(axes)))  # type: ignore[no-untyped-call]
        self._track(mean.detach(), variance.detach(), x.numel() // x.shape[1])
        out = centred * (variance + self.eps).rsqrt().reshape(shape)
        if self.affine:
            out = out * self.weight.reshape(shape) + self.bias.reshape(shape)
        return out

    def _check_input_dim(self, input: Tensor) -> None:
        pass  # whatever the layer that this one replaces would take

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, n_own: int) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        n = n_own * dist.get_world_size()
        share = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * n / (n - 1), share)


def synchronise(module: nn.Module) -> None:
    """Replace every BatchNorm inside ``module``, in place; parameters and buffers stay the same."""
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm) and not isinstance(child, SyncBatchNorm):
            setattr(module, name, _replacement(child))
        else:
            synchronise(child)


def _replacement(norm: _BatchNorm) -> SyncBatchNorm:
    new = SyncBatchNorm(
        norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
    )
    new._parameters, new._buffers, new.training = norm._parameters, norm._buffers, norm.training
    return new
