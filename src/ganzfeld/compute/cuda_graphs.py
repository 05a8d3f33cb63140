"""CUDA graphs: record the GPU operations of a piece of work once, then replay them.

A GPU often computes the step of a small network in less time than Python takes to launch it. The operations
are the same at every step and only their inputs differ, so they are recorded and launched as a whole; the
inputs are copied to where the recording reads them. Each kind of work has its own recording.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import torch
from torch import Tensor

REHEARSALS = 3
"""How often each kind of work runs normally before it is recorded, so that libraries can initialise."""

Work = Callable[[], list[Tensor]]


class Recorder(Protocol):
    """Records work for later replay."""

    def rehearse(self, work: Work) -> list[Tensor]:
        """Run the work normally, on the stream on which it will be recorded."""
        ...

    def record(self, work: Work) -> Work:
        """Record ``work`` without computing; return its replay on the values that its tensors then hold."""
        ...


class CudaGraphRecorder:
    """Records CUDA graphs that share memory: results must be copied before the next graph is replayed."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)
        self._memory = torch.cuda.graph_pool_handle()

    def rehearse(self, work: Work) -> list[Tensor]:
        """Run the work normally, on the stream on which it will be recorded, as CUDA requires."""
        usual = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(usual)
        with torch.cuda.stream(self._stream):
            outputs = work()
        usual.wait_stream(self._stream)
        return outputs

    def record(self, work: Work) -> Work:
        """Record ``work``; every replay writes its results to the same tensors and returns these."""
        with torch.cuda.device(self._stream.device):
            usual, graph = torch.cuda.current_stream(), torch.cuda.CUDAGraph()
            try:
                # thread_local: the thread that saves checkpoints may copy tensors during the recording.
                with torch.cuda.graph(graph, self._memory, self._stream, capture_error_mode="thread_local"):
                    outputs = work()
            except BaseException:
                # On an error torch leaves its own stream current and, before 2.13, the memory pool recording.
                torch.cuda.set_stream(usual)
                with contextlib.suppress(RuntimeError):
                    index = self._stream.device.index
                    torch._C._cuda_endAllocateToPool(index, self._memory)
                    torch._C._cuda_releasePool(index, self._memory)
                raise

        def replay() -> list[Tensor]:
            graph.replay()
            return outputs

        return replay


class GraphedWork:
    """The recordings of a function of tensors, one per kind of work; the shapes of the inputs are fixed."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._inputs: list[Tensor] = []
        self._rehearsed: Counter[Hashable] = Counter()
        self._recordings: dict[Hashable, Work] = {}

    def __len__(self) -> int:
        """Return the number of kinds of work recorded so far."""
        return len(self._recordings)

    @property
    def is_settled(self) -> bool:
        """Check whether all kinds of work done so far are recorded."""
        return self._rehearsed.keys() <= self._recordings.keys()

    def __call__(
        self, kind: Hashable, inputs: Sequence[Tensor], work: Callable[[list[Tensor]], list[Tensor]]
    ) -> list[Tensor]:
        """Return the results of ``work`` for these inputs; the next call overwrites them."""
        self._inputs = self._inputs or [torch.empty_like(tensor) for tensor in inputs]
        for buffer, tensor in zip(self._inputs, inputs, strict=True):
            buffer.copy_(tensor)
        if kind not in self._recordings and self._rehearsed[kind] == REHEARSALS:
            self._recordings[kind] = self._recorder.record(lambda: work(self._inputs))
        if kind in self._recordings:
            return self._recordings[kind]()
        self._rehearsed[kind] += 1
        return self._recorder.rehearse(lambda: work(self._inputs))
