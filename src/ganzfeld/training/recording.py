"""The update of a step as a list of operations that is made once and then replayed.

On a GPU the list is a CUDA graph (``compute/cuda_graphs.py``), on a CPU a trace (``compute/tracing.py``). Its
inputs are images, latents, labels and the flag ``all_finite``; weights, the state of the optimizers and the
learning rates are tensors that it reads and writes where they are. Steps with a lazy penalty and steps
without one have lists of their own.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

from torch import Tensor

from ganzfeld.training.step import GANState, StepConfig, StepContext, StepOutput, update_of


class Replay(Protocol):
    """Does kinds of work and replays them, as ``GraphedWork`` and ``TracedWork`` do."""

    def __len__(self) -> int:
        """Return the number of kinds that are replayed."""
        ...

    @property
    def is_settled(self) -> bool:
        """Check whether all kinds done so far will be done again as they were last."""
        ...

    def __call__(
        self, kind: Hashable, inputs: Sequence[Tensor], work: Callable[[list[Tensor]], list[Tensor]]
    ) -> list[Tensor]:
        """Return the results of ``work`` for these inputs."""
        ...


class ReplayedUpdate:
    """An ``Update`` that replays lists of operations, for one pair of networks and batches of one shape."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay

    def __call__(
        self,
        gan: GANState,
        config: StepConfig,
        real: Tensor,
        latents: Tensor,
        context: StepContext,
        all_finite: Tensor,
        labels: Tensor | None = None,
    ) -> StepOutput:
        """Update both networks; ``can_be_recorded(config)`` must hold."""
        updates_generator = config.updates_generator(context.index)
        weights = list(gan.discriminator.parameters())
        if updates_generator:
            weights += gan.generator.parameters()

        def work(inputs: list[Tensor]) -> list[Tensor]:
            real, latents, all_finite, *labels_if_any = inputs
            output = update_of(config)(gan, config, real, latents, context, all_finite, *labels_if_any)
            return [*_tensors(output), *(weight.grad for weight in weights if weight.grad is not None)]

        kind = (
            config.one_pass,
            config.shared_backward,
            config.shared_penalties,
            updates_generator,
            *(stabiliser.due(context.index) for stabiliser in config.stabilisers),
        )
        inputs = [real, latents, all_finite, *([] if labels is None else [labels])]
        values = self.replay(kind, inputs, work)
        for weight, gradient in zip(weights, values[-len(weights) :], strict=True):
            weight.grad = gradient  # the readings look at the gradients of the last step
        return StepOutput(*(tensor.clone() for tensor in values[: -len(weights)]))


def can_be_recorded(config: StepConfig) -> bool:
    """Check whether all steps with the same penalties do the same work."""
    return all(stabiliser.REPEATS for stabiliser in config.stabilisers)


def _tensors(output: StepOutput) -> Sequence[Tensor]:
    return (
        output.generator_loss,
        output.discriminator_loss,
        output.real_logits,
        output.fake_logits,
        output.all_finite,
    )
