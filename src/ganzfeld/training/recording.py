"""The update of a step by recordings: see ``compute/cuda_graphs.py``.

Copied to where the recordings read them are images, latents, classes, and whether all was finite so far;
learning rates are tensors that they read as well (``trainer.py``). Steps with a lazy penalty and steps
without are different kinds of work.
"""

from collections.abc import Sequence

from torch import Tensor

from ganzfeld.compute.cuda_graphs import GraphedWork, Recorder
from ganzfeld.training.step import GANState, StepConfig, StepContext, StepOutput, update_of


class GraphedUpdate:
    """An ``Update`` for one pair of networks, and batches of one shape."""

    def __init__(self, tape: Recorder) -> None:
        self._recordings = GraphedWork(tape)

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
        """Update both networks; the rules have to be such that steps ``can_be_recorded``."""
        weights = [*gan.discriminator.parameters(), *gan.generator.parameters()]

        def work(inputs: list[Tensor]) -> list[Tensor]:
            real, latents, all_finite, *of_classes = inputs
            outcome = update_of(config)(gan, config, real, latents, context, all_finite, *of_classes)
            return [*_tensors(outcome), *(weight.grad for weight in weights if weight.grad is not None)]

        kind = (
            config.one_pass,
            config.shared_backward,
            *(each.due(context.index) for each in config.stabilisers),
        )
        given = [real, latents, all_finite, *([] if labels is None else [labels])]
        values = self._recordings(kind, given, work)
        for weight, gradient in zip(weights, values[-len(weights) :], strict=True):
            weight.grad = gradient  # those of this step, for whoever looks
        return StepOutput(*(tensor.clone() for tensor in values[: -len(weights)]))


def can_be_recorded(config: StepConfig) -> bool:
    """Whether a step asks for the same work every time it has the same penalties."""
    return all(stabiliser.REPEATS for stabiliser in config.stabilisers)


def _tensors(outcome: StepOutput) -> Sequence[Tensor]:
    return (
        outcome.generator_loss,
        outcome.discriminator_loss,
        outcome.real_logits,
        outcome.fake_logits,
        outcome.all_finite,
    )
