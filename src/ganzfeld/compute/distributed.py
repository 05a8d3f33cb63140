"""Several processes that train one pair of networks: the only place that knows ``torch.distributed``.

Each process has a rank, counted from 0, and a share of every batch. Results are averaged over the ranks, so
all ranks always hold the same weights. With a world size of 1 nothing here has an effect.
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
"""How long a rank waits for a rank that is alive but busy, such as one that is decoding images."""

_PORT_KEY = "ganzfeld/port"
_RENDEZVOUS_S = 300.0
_POLL_S = 0.2


@dataclass(frozen=True)
class Ranks:
    """The rank of this process and the world size.

    Every rank must call all methods except ``shard`` in the same order, with tensors of the same shape. They
    raise ``ResourceError`` if another rank has ended.
    """

    rank: int = 0
    world_size: int = 1

    def require(self, batch: int, device: torch.device) -> None:
        """Raise ``UsageError`` if the world size does not divide the batch, or does not fit the device."""
        if self.world_size == 1:
            return
        if batch % self.world_size:
            nearest = self.world_size * max(1, round(batch / self.world_size))
            raise UsageError(
                f"a batch of {batch} cannot be divided evenly among {self.world_size} processes",
                f"Use a multiple of {self.world_size}: --batch {nearest}.",
            )
        if device.type not in ("cpu", "cuda") or device.index is not None:
            raise UsageError(
                f"{self.world_size} processes cannot train on --device {device}",
                "Use --device cpu, or --device cuda, which gives each process its own GPU.",
            )
        here = launch()
        if device.type == "cuda" and here.local_world_size > torch.cuda.device_count():
            raise UsageError(
                f"{here.local_world_size} processes need {here.local_world_size} CUDA devices;"
                f" this machine has {torch.cuda.device_count()}",
                "Start fewer processes on this machine, or use --device cpu.",
            )

    def shard(self, whole: Tensor) -> Tensor:
        """Return this rank's share (B / world_size, ...) of a tensor for the whole batch (B, ...).

        The share holds the indices ``rank``, ``rank + world_size``, ..., as in ``data.order.batch_indices``.
        """
        return whole if self.world_size == 1 else whole[self.rank :: self.world_size].contiguous()

    def all_reduce_mean(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return each tensor's mean over the ranks, bit-identical on all ranks, in one message."""
        if self.world_size == 1:
            return list(tensors)
        joined_tensors = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self._communicating():
            dist.all_reduce(joined_tensors)
        parts = joined_tensors.div_(self.world_size).split([tensor.numel() for tensor in tensors])
        return [part.view_as(tensor).to(tensor.dtype) for part, tensor in zip(parts, tensors, strict=True)]

    def total(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the ranks; gradients of any order flow through the sum."""
        return tensor if self.world_size == 1 else _Total.apply(tensor, self)

    def broadcast(self, tensor: Tensor) -> None:
        """Overwrite a tensor with that of rank 0; their memory layouts may differ."""
        if self.world_size == 1:
            return
        values = tensor.detach().contiguous()
        with self._communicating():
            dist.broadcast(values, 0)
        if self.rank:
            tensor.detach().copy_(values)

    @contextlib.contextmanager
    def _communicating(self) -> Iterator[None]:
        """Turn the errors of ``torch.distributed`` inside the block into ``ResourceError``."""
        try:
            yield
        except RuntimeError as error:
            if ran_out_of_memory(error):
                raise
            raise ResourceError(
                f"rank {self.rank} has lost its connection to the other ranks: {_summary(error)}",
                "Another rank ended; see its error message for the reason.",
            ) from error


ALONE = Ranks()


class _Total(torch.autograd.Function):
    """The sum over the ranks. It is its own adjoint, since every rank's loss depends on every rank's term."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        total = tensor.clone(memory_format=torch.contiguous_format)
        with ranks._communicating():
            dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _Total.apply(gradients[0], ctx.ranks), None


class BatchNormOfAll(_BatchNorm):
    """A batch norm that takes its training statistics over all ranks; it shares the parameters of ``norm``.

    torch's own ``nn.SyncBatchNorm`` works on GPUs only, and its gradient cannot be differentiated again, as
    gradient penalties require.
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
        """Normalise (B / world_size, C, ...), with one message of 2 C numbers in training."""
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        x = input.to(self.weight.dtype)
        axes = [axis for axis in range(x.dim()) if axis != 1]
        own_variance, own_mean = torch.var_mean(x, axes, correction=0)
        # Moments about a point near the mean that is the same on all ranks, so that no large numbers cancel.
        point = self.running_mean.clone()
        offset = own_mean - point
        shares = torch.stack((offset, own_variance + offset.square())) / self.ranks.world_size
        offset, square = self.ranks.total(shares)
        mean, variance = point + offset, square - offset.square()
        with torch.no_grad():
            count = x.numel() // x.shape[1] * self.ranks.world_size
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        shape = [1, -1, *[1] * (x.dim() - 2)]
        return torch.addcmul((self.bias - mean * scale).view(shape), x, scale.view(shape)).to(input.dtype)


def with_common_statistics(network: nn.Module, ranks: Ranks) -> None:
    """Replace every batch norm of a network by one that takes its statistics over all ranks."""
    if ranks.world_size == 1:
        return
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm):
                setattr(module, name, BatchNormOfAll(child, ranks))


@contextlib.contextmanager
def with_own_statistics(network: nn.Module) -> Iterator[None]:
    """Let every batch norm of a network take its statistics on this rank alone inside the block."""
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
    """Join the process group of this launch inside the block: gloo between CPUs, NCCL between GPUs."""
    here = launch()
    if here.world_size == 1:
        yield ALONE
        return
    backend = "gloo"
    if torch.cuda.is_available() and dist.is_nccl_available():
        backend = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(here.local_rank % torch.cuda.device_count())
    try:
        dist.init_process_group(
            backend,
            store=_rendezvous_store(here),
            rank=here.rank,
            world_size=here.world_size,
            timeout=PATIENCE,
        )
    except (RuntimeError, ValueError) as error:
        message = f"rank {here.rank} cannot connect to the other ranks: {_summary(error)}"
        raise ResourceError(message, "Start the processes with torchrun.") from error
    try:
        yield Ranks(here.rank, here.world_size)
    finally:
        dist.destroy_process_group()


def _rendezvous_store(here: Launch) -> Store:
    """Return the store through which the ranks of this launch find each other.

    torchrun's own store outlives the processes that it starts, so after a restart it still holds the old
    addresses (pytorch issue 135712), and machines may count different numbers of restarts. So rank 0 opens a
    store of its own, and the other ranks poll torchrun's store until the port in it answers.
    """
    agent_store, _, _ = next(iter(rendezvous("env://", timeout=PATIENCE)))
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return agent_store
    host = os.environ["MASTER_ADDR"]
    if here.rank == 0:
        own_store = TCPStore(host, 0, is_master=True, timeout=PATIENCE, wait_for_workers=False)
        agent_store.set(_PORT_KEY, str(own_store.port))
        return own_store
    start = time.monotonic()
    while True:
        port = int(agent_store.get(_PORT_KEY))
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=_POLL_S):
            return TCPStore(host, port, is_master=False, timeout=PATIENCE, wait_for_workers=False)
        if time.monotonic() - start > _RENDEZVOUS_S:
            raise RuntimeError(f"rank 0 does not answer at {host}:{port}")
        time.sleep(_POLL_S)


def _summary(error: Exception) -> str:
    """Return the beginning of a library's message, without the position in its source."""
    return textwrap.shorten(str(error).splitlines()[0].rpartition(".cc:")[2], 100)
