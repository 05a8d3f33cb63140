"""The update of a step by recordings: see ``compute/cuda_graphs.py``.

Copied to where the recordings read them are images, latents, classes, and whether all was finite so far;
learning rates are tensors that they read as well (``trainer.py``). Steps with a lazy penalty and steps
without are different kinds of work.
"""

from collections.abc import Sequence

from torch import Tensor

from ganzfeld.compute.cuda_graphs import Recordings, Tape
from ganzfeld.training.step import Moment, Outcome, Players, Rules, update_of


class RecordedUpdate:
    """An ``Update`` for one pair of networks, and batches of one shape."""

    def __init__(self, tape: Tape) -> None:
        self._recordings = Recordings(tape)

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
        """Update both networks; the rules have to be such that steps ``can_be_recorded``."""
        weights = [*players.discriminator.parameters(), *players.generator.parameters()]

        def work(inputs: list[Tensor]) -> list[Tensor]:
            real, latents, sound, *of_classes = inputs
            outcome = update_of(rules)(players, rules, real, latents, moment, sound, *of_classes)
            return [*_tensors(outcome), *(weight.grad for weight in weights if weight.grad is not None)]

        kind = (
            rules.one_pass,
            rules.shared_backward,
            *(each.due(moment.index) for each in rules.stabilisers),
        )
        given = [real, latents, sound, *([] if labels is None else [labels])]
        values = self._recordings(kind, given, work)
        for weight, gradient in zip(weights, values[-len(weights) :], strict=True):
            weight.grad = gradient  # those of this step, for whoever looks
        return Outcome(*(tensor.clone() for tensor in values[: -len(weights)]))


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
