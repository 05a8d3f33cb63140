"""Steps recorded once, as the work they give to a graphics card, and from then on only replayed.

A card often makes the step of a small network in less time than Python takes to ask for it. What is asked
for is the same at every step but for the numbers in it, so it can be recorded and asked for as a whole: a
CUDA graph. The numbers that differ (pictures, latents, classes, whether all was sound so far) are copied to
where the recording reads them; learning rates are tensors that it reads as well (``trainer.py``). Steps with
a lazy penalty and steps without are different work, recorded apart. The moving average follows outside, since
its decay changes.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ganzfeld.training.step import Moment, Outcome, Players, Rules, ema_decay, follow, play

REHEARSALS = 3
"""Steps of a kind that are made as usual before one is recorded: libraries set themselves up meanwhile."""

Work = Callable[[], list[Tensor]]


class Tape(Protocol):
    """What can record work."""

    def rehearse(self, work: Work) -> list[Tensor]:
        """Do the work as usual, where it will be recorded."""
        ...

    def record(self, work: Work) -> Work:
        """What does the same as ``work`` with the numbers that then lie in its tensors. Does nothing yet."""
        ...


class CardTape:
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


class RecordedSteps:
    """The like of ``step.step``, by recordings. For one pair of networks, and batches of one shape."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._inputs: list[Tensor] = []
        self._rehearsed: Counter[tuple[bool, ...]] = Counter()
        self._recordings: dict[tuple[bool, ...], Work] = {}

    def __call__(
        self,
        players: Players,
        rules: Rules,
        real: Tensor,
        latents: Tensor,
        moment: Moment,
        sound: Tensor,
        labels: Tensor | None = None,
    ) -> Outcome:
        """See ``step.step``; the rules have to be such that steps ``can_be_recorded``."""
        given = [real, latents, sound] if labels is None else [real, latents, sound, labels]
        self._inputs = self._inputs or [torch.empty_like(tensor) for tensor in given]
        for place, tensor in zip(self._inputs, given, strict=True):
            place.copy_(tensor)
        weights = [*players.discriminator.parameters(), *players.generator.parameters()]

        def work() -> list[Tensor]:
            real, latents, sound, *of_classes = self._inputs
            found = play(players, rules, real, latents, moment, sound, *of_classes)
            return [*_tensors(found), *(weight.grad for weight in weights if weight.grad is not None)]

        kind = (
            rules.one_pass,
            rules.shared_backward,
            *(each.due(moment.index) for each in rules.stabilisers),
        )
        if kind not in self._recordings and self._rehearsed[kind] == REHEARSALS:
            self._recordings[kind] = self._tape.record(work)
        if kind in self._recordings:
            found = self._recordings[kind]()
        else:
            self._rehearsed[kind] += 1
            found = self._tape.rehearse(work)
        outcome = Outcome(*(tensor.clone() for tensor in found[: -len(weights)]))
        for weight, gradient in zip(weights, found[-len(weights) :], strict=True):
            weight.grad = gradient  # those of this step, for whoever looks
        follow(players.average, players.generator, ema_decay(rules.ema, moment.index))
        return outcome


def can_be_recorded(rules: Rules) -> bool:
    """Whether a step asks for the same work every time it has the same penalties."""
    return all(stabiliser.REPEATS for stabiliser in rules.stabilisers)


def _tensors(outcome: Outcome) -> Sequence[Tensor]:
    return (
        outcome.generator_loss,
        outcome.discriminator_loss,
        outcome.real_logits,
        outcome.fake_logits,
        outcome.sound,
    )
