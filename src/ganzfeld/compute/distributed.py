"""Processes that train one pair of networks together: the only place that knows ``torch.distributed``.

Each has a rank from 0 on and a share of every batch. What is computed from a share is averaged over the
ranks, so that all of them hold the same weights at any time. For a training by one process nothing is done.
"""

import contextlib
import os
import socket
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import Store, TCPStore
from torch.distributed.rendezvous import rendezvous
from torch.nn.modules.batchnorm import _BatchNorm

from ganzfeld.errors import ResourceError, UsageError
from ganzfeld.launch import Launch, launch
from ganzfeld.system import ran_out_of_memory

PATIENCE = timedelta(hours=6)
"""How long a rank waits for another that is alive, such as one that decodes images."""

_WHERE = "ganzfeld/port"
_MEETING_S = 300.0
_POLL_S = 0.2


@dataclass(frozen=True)
class Ranks:
    """This process, ``rank``, among ``world_size`` of them.

    All methods but ``shard`` are to be called by every rank, in the same order, with tensors of the same
    shape; they raise ``ResourceError`` when another rank has gone.
    """

    rank: int = 0
    world_size: int = 1

    def require(self, batch: int, device: torch.device) -> None:
        """Raise ``UsageError`` if such a batch cannot be shared out, or not be computed on such a device."""
        if self.world_size == 1:
            return
        if batch % self.world_size:
            nearest = self.world_size * max(1, round(batch / self.world_size))
            raise UsageError(
                f"a batch of {batch} cannot be shared out evenly among {self.world_size} processes",
                f"Use a multiple: --batch {nearest}.",
            )
        if device.type not in ("cpu", "cuda") or device.index is not None:
            raise UsageError(
                f"{self.world_size} processes cannot train on --device {device}",
                "Use --device cpu, or --device cuda: each process takes the card of its own number.",
            )
        here = launch()
        if device.type == "cuda" and here.local_world_size > torch.cuda.device_count():
            raise UsageError(
                f"{here.local_world_size} processes need as many CUDA devices; there are"
                f" {torch.cuda.device_count()}",
                "Start fewer processes on this machine, or use --device cpu.",
            )

    def shard(self, whole: Tensor) -> Tensor:
        """Of something drawn for the whole batch (B, ...) what this rank works on, (B / world_size, ...).

        The places ``rank``, ``rank + number``, ... as in ``data.order.batch_indices``.
        """
        return whole if self.world_size == 1 else whole[self.rank :: self.world_size].contiguous()

    def all_reduce_mean(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Each tensor's mean over the ranks, the same bits on all of them; one message for all."""
        if self.world_size == 1:
            return list(tensors)
        together = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self._with_the_others():
            dist.all_reduce(together)
        parts = together.div_(self.world_size).split([tensor.numel() for tensor in tensors])
        return [part.view_as(tensor).to(tensor.dtype) for part, tensor in zip(parts, tensors, strict=True)]

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over the ranks, through which gradients of any order flow."""
        return tensor if self.world_size == 1 else _Total.apply(tensor, self)

    def broadcast(self, tensor: Tensor) -> None:
        """Overwrite a tensor by that of rank 0, whatever their layouts in memory."""
        if self.world_size == 1:
            return
        numbers = tensor.detach().contiguous()
        with self._with_the_others():
            dist.broadcast(numbers, 0)
        if self.rank:
            tensor.detach().copy_(numbers)

    @contextlib.contextmanager
    def _with_the_others(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if ran_out_of_memory(error):
                raise
            raise ResourceError(
                f"rank {self.rank} has lost the others: {_said(error)}",
                "One of them ended; what it said tells why.",
            ) from error


ALONE = Ranks()


class _Total(torch.autograd.Function):
    """The sum over ranks. It is its own adjoint: every rank's loss depends on every rank's summand."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        total = tensor.clone(memory_format=torch.contiguous_format)
        with ranks._with_the_others():
            dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _Total.apply(gradients[0], ctx.ranks), None


class BatchNormOfAll(_BatchNorm):
    """A batch norm in training whose statistics are those of the whole batch; parameters are shared with it.

    torch's own (``nn.SyncBatchNorm``) is for graphics cards only, and its gradient cannot be differentiated
    again, as penalties on gradients need.
    """

    def __init__(self, norm: _BatchNorm, ranks: Ranks) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.weight, self.bias = norm.weight, norm.bias
        for name, buffer in norm.named_buffers():
            setattr(self, name, buffer)
        self.ranks = ranks

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """(B / world_size, C, ...) to the same, normalised; one message of 2 C numbers."""
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        x = input.to(self.weight.dtype)
        axes = [axis for axis in range(x.dim()) if axis != 1]
        own_variance, own_mean = torch.var_mean(x, axes, correction=0)
        # Moments about a point that all ranks know and that is near the mean: nothing large cancels.
        point = self.running_mean.clone()
        off = own_mean - point
        shares = torch.stack((off, own_variance + off.square())) / self.ranks.world_size
        off, square = self.ranks.total(shares)
        mean, variance = point + off, square - off.square()
        with torch.no_grad():
            count = x.numel() // x.shape[1] * self.ranks.world_size
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        along = [1, -1, *[1] * (x.dim() - 2)]
        return torch.addcmul((self.bias - mean * scale).view(along), x, scale.view(along)).to(input.dtype)


def with_common_statistics(network: nn.Module, ranks: Ranks) -> None:
    """Let every batch norm of a network take its statistics over all ranks."""
    if ranks.world_size == 1:
        return
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm):
                setattr(module, name, BatchNormOfAll(child, ranks))


@contextlib.contextmanager
def with_own_statistics(network: nn.Module) -> Iterator[None]:
    """Let every batch norm of a network take its statistics on this rank alone while the block runs."""
    norms = [module for module in network.modules() if isinstance(module, BatchNormOfAll)]
    before = [norm.ranks for norm in norms]
    for norm in norms:
        norm.ranks = ALONE
    try:
        yield
    finally:
        for norm, ranks in zip(norms, before, strict=True):
            norm.ranks = ranks


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """Meet the other processes of this launch for a while: gloo between processors, NCCL between cards."""
    here = launch()
    if here.world_size == 1:
        yield ALONE
        return
    ways = "gloo"
    if torch.cuda.is_available() and dist.is_nccl_available():
        ways = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(here.local_rank % torch.cuda.device_count())
    try:
        place = _meeting_place(here)
        dist.init_process_group(
            ways,
            store=place,
            rank=here.rank,
            world_size=here.world_size,
            timeout=PATIENCE,
        )
    except (RuntimeError, ValueError) as error:
        what = f"rank {here.rank} cannot meet the others: {_said(error)}"
        raise ResourceError(what, "Start with torchrun.") from error
    try:
        yield Ranks(here.rank, here.world_size)
    finally:
        dist.destroy_process_group()


def _meeting_place(here: Launch) -> Store:
    """Where the ranks of this start find each other.

    torchrun's own store outlives the processes that it starts, and still holds where those before a restart
    were to be found (pytorch issue 135712); nor do all machines count the same number of restarts. So rank 0
    opens a store of its own, and the others look there for as long as what they are told is out of date.
    """
    launchers, _, _ = next(iter(rendezvous("env://", timeout=PATIENCE)))
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return launchers
    host = os.environ["MASTER_ADDR"]
    if here.rank == 0:
        own = TCPStore(host, 0, is_master=True, timeout=PATIENCE, wait_for_workers=False)
        launchers.set(_WHERE, str(own.port))
        return own
    begun = time.monotonic()
    while True:
        port = int(launchers.get(_WHERE))
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=_POLL_S):
            return TCPStore(host, port, is_master=False, timeout=PATIENCE, wait_for_workers=False)
        if time.monotonic() - begun > _MEETING_S:
            raise RuntimeError(f"rank 0 does not answer at {host}:{port}")
        time.sleep(_POLL_S)


def _said(error: Exception) -> str:
    """The beginning of what a library said, without the place in its source."""
    return textwrap.shorten(str(error).splitlines()[0].rpartition(".cc:")[2], 100)
