"""How a loop that somebody else wrote trains the two networks, as far as it can be seen exactly.

Ganzfeld's own runs have none of these readings. A reading is of a few steps that were watched closely.
"""

import torch
from torch import Tensor

from ganzfeld.health.probe import ProbeContext

PASSES = False

NAMES = {
    "push_real": "Direction in which the discriminator's loss moves the logits of real images: 1 all up,"
    " -1 all"
    " down.",
    "push_fake": "The same for generated images.",
    "push_generator": "Direction in which the generator's loss moves the logits of generated images.",
    "black_level": "Value that black has in the real images as the discriminator gets them, computed from"
    " their"
    " range and that of the data.",
    "white_level": "The same for white.",
    "output_low": "Least value that the generator's output activation can have.",
    "output_high": "Largest value that it can have.",
    "range_gap": "Distance between black and the least output, or white and the largest one, over the"
    " range of"
    " the output; the larger of the two: 0 the same range, 0.5 images from 0 to 1 for an output from -1 to"
    " 1.",
    "normalised_twice": "1 if black and white have the values that result from scaling images twice, else 0;"
    " then there is no range_gap.",
    "channels_as_given": "Difference between the colours of the loop's real images and those of the data, in"
    " standard errors, with the channels in their order.",
    "channels_reversed": "The same with the channels of the loop in reverse order.",
    "channel_order": "The first over the second, which counts as at least 3: far above 1 the channels are in"
    " reverse order.",
    "eval_mode_generator": "Share of the generator's updates in which its batch norms and dropouts were in"
    " eval"
    " mode.",
    "eval_mode_discriminator": "The same for the discriminator.",
    "moved_generator": "Share of the generator's weight tensors that have changed since the previous"
    " reading.",
    "moved_discriminator": "The same for the discriminator.",
    "optimizers_generator": "Number of optimizers that made steps with weights of the generator.",
    "optimizers_discriminator": "The same for the discriminator.",
    "others_weights_generator": "Share of the weights in the generator's optimizer that belong to the"
    " discriminator.",
    "others_weights_discriminator": "Share of the weights in the discriminator's optimizer that belong to the"
    " generator.",
    "cleared_generator": "Share of the generator's updates that began with cleared gradients, those of the"
    " discriminator's loss aside.",
    "cleared_discriminator": "Share of the discriminator's updates that began with cleared gradients.",
    "leaked_gradients": "Share of the generator's updates whose gradients contain those of the"
    " discriminator's"
    " loss.",
    "wrong_labels": "Share of real images with a label that differs from their class in the data, among those"
    " that were recognised in it.",
    "labels_compared": "Number of real images that were recognised so far.",
    "rate_generator": "Learning rate of the generator's optimizer.",
    "rate_discriminator": "The same for the discriminator.",
}


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """Return what was seen of the loop; nothing for a run of Ganzfeld."""
    facts = {} if probe.loop is None else probe.loop.facts
    return {name: torch.as_tensor(value) for name, value in facts.items()}
