"""GC content: the share of G and C in each sequence, which varies along and between genomes."""

import numpy as np
import torch

from ganzfeld.metrics.intervals import Figure, jackknife, plain
from ganzfeld.metrics.items import ItemComparison
from ganzfeld.metrics.measures.sliced_wasserstein import distances_of_lines

NAMES = {
    "gc_distance": (
        "Wasserstein-1 distance of the shares of G and C per sequence, 0 to 1: 0 is best; nucleic acids only"
    ),
}
IS_DISTANCE = True
_NUCLEIC = ("ACGT", "ACGU")


def measure(comparison: ItemComparison) -> list[Figure]:
    """Measure the distance, with its error by the jackknife over tenths; nothing for proteins."""
    if comparison.letters not in _NUCLEIC:
        return []
    ours, theirs = (
        torch.from_numpy(gc_of(side, comparison.letters))[:, None]
        for side in (comparison.generated, comparison.real)
    )
    (value,), (error,) = jackknife(
        lambda mine, other: [float(distances_of_lines(ours[mine], theirs[other]))],
        comparison.numbers,
        comparison.seed,
    )
    return [plain("gc_distance", value, error, least=0.0)]


def gc_of(sequences: np.ndarray, letters: str) -> np.ndarray:
    """Return the share (N,) of G and C in each of the sequences (N, L, 1)."""
    return np.isin(sequences[..., 0], [letters.index("G"), letters.index("C")]).mean(1)
