"""The update of a step as a recorded CUDA graph: see ``compute/cuda_graphs.py``.

Images, latents, labels and the flag ``all_finite`` are copied to where the recordings read them; the
learning rates are tensors that the recordings read too (``trainer.py``). Steps with a lazy penalty and
steps without one are recorded separately.
"""

from collections.abc import Sequence

from torch import Tensor

from ganzfeld.compute.cuda_graphs import GraphedWork, Recorder
from ganzfeld.training.step import GANState, StepConfig, StepContext, StepOutput, update_of


class GraphedUpdate:
    """An ``Update`` that replays recordings, for one pair of networks and batches of one shape."""

    def __init__(self, recorder: Recorder) -> None:
        self._recordings = GraphedWork(recorder)

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
            updates_generator,
            *(stabiliser.due(context.index) for stabiliser in config.stabilisers),
        )
        inputs = [real, latents, all_finite, *([] if labels is None else [labels])]
        values = self._recordings(kind, inputs, work)
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
