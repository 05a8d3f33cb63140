"""Print the tables of docs/scaling.md: the estimated cost of one step on several GPUs.

python tools/cost_of_scaling.py [RECIPE]
"""

import math
import sys
from dataclasses import dataclass

from torch.nn.modules.batchnorm import _BatchNorm

from ganzfeld.recipes import resolve
from ganzfeld.training.build import build_networks, num_parameters

ONE_GPU_PER_S = 60_000
FLOOR_S = 1e-3
NODE = 8
WITHIN_BYTES_PER_S, BETWEEN_BYTES_PER_S = 300e9, 40e9
WITHIN_S, BETWEEN_S = 5e-6, 15e-6
GPUS = (1, 8, 64, 512)
BATCHES = (128, 1024, 8192, 65_536)


@dataclass(frozen=True)
class Messages:
    """The messages of a step: the gradients of both networks, and the statistics of batch norms."""

    gradient_bytes: int
    statistics: int

    def seconds(self, num_gpus: int) -> float:
        """Return the time without overlap: bytes over the slowest link, and a tree's depth per message."""
        if num_gpus == 1:
            return 0.0
        within = min(num_gpus, NODE)
        rounds = 2 * (math.log2(within) * WITHIN_S + math.log2(num_gpus / within) * BETWEEN_S)
        wire = WITHIN_BYTES_PER_S if num_gpus <= NODE else BETWEEN_BYTES_PER_S
        return 2 * (num_gpus - 1) / num_gpus * self.gradient_bytes / wire + (2 + self.statistics) * rounds


def messages(name: str) -> Messages:
    """Return the messages of a recipe: each batch norm sends one forward and one backward per pass."""
    recipe = resolve(name)
    generator, discriminator = build_networks(recipe, 3)
    norms = [sum(isinstance(m, _BatchNorm) for m in net.modules()) for net in (generator, discriminator)]
    passes = 2 if recipe.updates == "simultaneous" else 3  # of D: real, fake, and the fake ones again
    numbers = num_parameters(generator) + num_parameters(discriminator)
    return Messages(4 * numbers, 2 * (norms[0] + passes * norms[1]))


def step_s(batch: int, num_gpus: int) -> float:
    """Return the computation time of one GPU's share of a batch."""
    return max(FLOOR_S, batch / num_gpus / ONE_GPU_PER_S)


def main() -> None:
    """Print the table."""
    sent = messages(sys.argv[1] if len(sys.argv) > 1 else "radford2015")
    print(f"gradients {sent.gradient_bytes / 1e6:.1f} MB, {2 + sent.statistics} messages per step\n")
    print("| GPUs | messages, ms | half lost below, images per GPU |", *(f"batch {b:,} |" for b in BATCHES))
    print("|---|---|---|" + "---|" * len(BATCHES))
    for num_gpus in GPUS:
        wait = sent.seconds(num_gpus)
        cells = []
        for batch in BATCHES:
            gain = step_s(batch, 1) / (step_s(batch, num_gpus) + wait)
            cells.append(f"{gain:.1f}x ({gain / num_gpus:.0%}) |" if batch >= num_gpus else "- |")
        least = f"{ONE_GPU_PER_S * max(wait, FLOOR_S):,.0f}" if wait else "-"
        print(f"| {num_gpus} | {1e3 * wait:.2f} | {least} |", *cells)


if __name__ == "__main__":
    main()
