"""The engine: the only place that knows devices, precision and memory layout."""

import contextlib
import ctypes
import gc
import os
import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ganzfeld.catalogue import did_you_mean
from ganzfeld.data.scales import Scale
from ganzfeld.errors import ResourceError, UsageError
from ganzfeld.networks.layout import lay_out

Precision = Literal["float32", "bfloat16"]
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bfloat16")

Network = TypeVar("Network", bound=nn.Module)


_casting = threading.RLock()


def _renew_lock() -> None:
    global _casting
    _casting = threading.RLock()


if (
    sys.platform != "win32"
):  # a thread that held the lock does not exist in the child, which would wait forever
    os.register_at_fork(after_in_child=_renew_lock)


@contextlib.contextmanager
def _one_at_a_time(autocast: AbstractContextManager[object]) -> Iterator[None]:
    """Enter autocast while no other thread is in it.

    torch keeps the weights cast by autocast in one cache for all threads, and empties it when any thread
    leaves. So timing would decide whether two passes through a network share one cast or use two, whose
    gradients are rounded separately: two runs in threads would change each other's last bits.
    """
    with _casting, autocast:
        yield


@dataclass(frozen=True)
class Engine:
    """A device and the precision of its convolutions; weights and statistics are always float32."""

    device: torch.device
    precision: Precision
    channels_last: bool = True

    def place(self, network: Network) -> Network:
        """Move a network to the device, in the engine's memory layout; return it."""
        return lay_out(network.to(self.device), self.channels_last)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context for forward passes; one thread at a time, see ``_one_at_a_time``."""
        usual = torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")
        return _one_at_a_time(usual)

    def carry(self, array: np.ndarray) -> Tensor:
        """Copy an array to a tensor on the device, without waiting for the copy."""
        tensor = torch.from_numpy(array)
        return (tensor.pin_memory() if self.device.type == "cuda" else tensor).to(
            self.device, non_blocking=True
        )

    def has_room_for(self, num_bytes: int) -> bool:
        """Check whether the device is a GPU with four times as many bytes of memory free."""
        if self.device.type != "cuda":
            return False
        free, _ = torch.cuda.mem_get_info(self.device)
        return 4 * num_bytes <= free

    def images(
        self,
        batch: Tensor,
        scale: Scale,
        mirrored: np.ndarray | None = None,
        shifts: np.ndarray | None = None,
    ) -> Tensor:
        """Turn stored images (B, H, W, C) on the device into float32 (B, C, H, W), by the scale.

        ``mirrored`` (B,) says which images are flipped from left to right; ``shifts`` (B, 2) says by how many
        rows and columns the window of each image is then moved down and right. The result has the engine's
        memory layout.
        """
        images = batch
        if mirrored is not None:
            images = torch.where(self.carry(mirrored)[:, None, None, None], images.flip(2), images)
        if shifts is not None:
            images = _windows(images, self.carry(shifts))
        # Channels come second before the copy to float32, which keeps the memory layout for the networks.
        floats = images.movedim(-1, 1).float()
        scaled = scale.encode(floats.movedim(1, -1), torch).movedim(-1, 1)
        return scaled if self.channels_last and scaled.dim() > 3 else scaled.contiguous()


def _windows(images: Tensor, shifts: Tensor) -> Tensor:
    """Move the window of each image (B, H, W, C) by its shift (B, 2), which is less than the image's size.

    Beyond its borders an image continues as its reflection, without repeating the outermost pixels.
    """
    rows, columns = (
        (size - 1) - ((size - 1) - (torch.arange(size, device=shifts.device) + shift[:, None]).abs()).abs()
        for size, shift in zip(images.shape[1:3], shifts.unbind(1), strict=True)
    )
    indices = torch.arange(len(images), device=images.device)
    return images[indices[:, None, None], rows[:, :, None], columns[:, None, :]]


def choose_engine(device: str = "auto", precision: str = "auto") -> Engine:
    """Choose the engine for this machine; by default the best device, and bfloat16 where the chip has it.

    ``device`` is auto, cpu, mps, cuda or cuda:N; ``precision`` is auto, float32 or bfloat16. Raises
    ``UsageError`` for an unknown word and ``ResourceError`` for a device that this machine does not have.
    """
    # A saturated discriminator makes denormal gradients, which slow a step on a CPU tenfold.
    torch.set_flush_denormal(True)
    # Some of cuDNN's weight gradients add in a different order each time; exact resuming needs the others.
    torch.backends.cudnn.deterministic = True
    chosen = _device(device)
    if chosen.type == "cpu":
        _keep_freed_memory()
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}", did_you_mean(precision, PRECISIONS))
    if precision == "float32" or (precision == "auto" and not has_fast_bfloat16(chosen)):
        return Engine(chosen, "float32")
    return Engine(chosen, "bfloat16")


def has_fast_bfloat16(device: torch.device) -> bool:
    """Check whether the chip multiplies bfloat16 in hardware; emulated, it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    capabilities = torch.backends.cpu.get_cpu_capability()
    has_instructions = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return has_instructions and capabilities.startswith("AVX512")


def _keep_freed_memory() -> None:
    """Ask glibc not to return large blocks to the system, since the next step would request them again.

    The system clears and maps every page that it hands out. Other C libraries have no such call.
    """
    trim_threshold, mmap_threshold, never = -1, -3, 2**31 - 1
    with contextlib.suppress(OSError, AttributeError, TypeError):
        tune = ctypes.CDLL(None).mallopt
        tune(mmap_threshold, 2**30)
        tune(trim_threshold, never)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind not in DEVICES or (index and not (kind == "cuda" and index.isdecimal())):
        raise UsageError(f"unknown device {name!r}", did_you_mean(kind, [*DEVICES, "cuda:0"]))
    if kind == "cuda" and not torch.cuda.is_available():
        raise ResourceError("this machine has no CUDA device that torch can use", "Use --device cpu.")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise ResourceError(
            f"there is no device {name}: this machine has {torch.cuda.device_count()} CUDA device(s)"
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ResourceError("this machine has no MPS device that torch can use", "Use --device cpu.")
    return torch.device(name)


def chip_of(device: torch.device) -> str:
    """Return the GPU's name, or the CPU instruction set that torch uses; both decide which kernels run."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def release_memory() -> None:
    """Free the memory that is no longer used, on the CPU and on the GPU."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has finished all queued work; return at once for a CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def num_threads() -> int:
    """Return the number of CPU threads that torch computes with."""
    return torch.get_num_threads()


@contextlib.contextmanager
def computing_with(threads: int | None) -> Iterator[None]:
    """Let torch compute with this many threads inside the block; None leaves the number unchanged."""
    usual = torch.get_num_threads()
    torch.set_num_threads(usual if threads is None else threads)
    try:
        yield
    finally:
        torch.set_num_threads(usual)
