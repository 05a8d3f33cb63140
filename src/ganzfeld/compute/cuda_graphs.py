"""Work recorded once, as what it asks of a GPU, and from then on only replayed: CUDA graphs.

A GPU often makes the step of a small network in less time than Python takes to ask for it. What is asked for
is the same every time except for the numbers in it, so it can be recorded and asked for as a whole. Numbers
that differ are copied to where the recording reads them. Work of different kinds is recorded apart.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import torch
from torch import Tensor

REHEARSALS = 3
"""How often work of a kind is done as usual before it is recorded: libraries set themselves up meanwhile."""

Work = Callable[[], list[Tensor]]


class Recorder(Protocol):
    """What can record work."""

    def rehearse(self, work: Work) -> list[Tensor]:
        """Do the work as usual, where it will be recorded."""
        ...

    def record(self, work: Work) -> Work:
        """What does the same as ``work`` with the numbers that then lie in its tensors. Does nothing yet."""
        ...


class CudaGraphRecorder:
    """CUDA graphs, which share memory: each is done, and what it found copied, before the next begins."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)
        self._memory = torch.cuda.graph_pool_handle()

    def rehearse(self, work: Work) -> list[Tensor]:
        """On the stream on which it will be recorded, as CUDA wants it."""
        usual = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(usual)
        with torch.cuda.stream(self._stream):
            found = work()
        usual.wait_stream(self._stream)
        return found

    def record(self, work: Work) -> Work:
        """What ``work`` returns lies where every replay writes it."""
        with torch.cuda.device(self._stream.device):
            usual, graph = torch.cuda.current_stream(), torch.cuda.CUDAGraph()
            try:
                # The thread that saves may go on copying meanwhile.
                with torch.cuda.graph(graph, self._memory, self._stream, capture_error_mode="thread_local"):
                    found = work()
            except BaseException:
                # torch leaves its stream the current one, and, before 2.13, memory being recorded.
                torch.cuda.set_stream(usual)
                with contextlib.suppress(RuntimeError):
                    index = self._stream.device.index
                    torch._C._cuda_endAllocateToPool(index, self._memory)
                    torch._C._cuda_releasePool(index, self._memory)
                raise

        def replay() -> list[Tensor]:
            graph.replay()
            return found

        return replay


class GraphedWork:
    """Recordings of one function of tensors, one for each kind of work it does; inputs keep their shapes."""

    def __init__(self, tape: Recorder) -> None:
        self._tape = tape
        self._inputs: list[Tensor] = []
        self._rehearsed: Counter[Hashable] = Counter()
        self._recordings: dict[Hashable, Work] = {}

    def __len__(self) -> int:
        """Kinds of work recorded so far."""
        return len(self._recordings)

    def __call__(
        self, kind: Hashable, given: Sequence[Tensor], work: Callable[[list[Tensor]], list[Tensor]]
    ) -> list[Tensor]:
        """Return what ``work`` returns for the tensors given; the next call overwrites it."""
        self._inputs = self._inputs or [torch.empty_like(tensor) for tensor in given]
        for place, tensor in zip(self._inputs, given, strict=True):
            place.copy_(tensor)
        if kind not in self._recordings and self._rehearsed[kind] == REHEARSALS:
            self._recordings[kind] = self._tape.record(lambda: work(self._inputs))
        if kind in self._recordings:
            return self._recordings[kind]()
        self._rehearsed[kind] += 1
        return self._tape.rehearse(lambda: work(self._inputs))
