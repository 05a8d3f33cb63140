"""What scales are fitted to: a few numbers per channel, from one pass over all values of a dataset."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

MOST_SAMPLED = 2**16
"""The number of values per channel of which the median is taken, evenly spaced within each part."""
_BLOCK = 2**20

PerChannel = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of all values of a dataset, per channel.

    - ``least``, ``most``, ``mean``, ``deviation`` (of all values, not of a sample);
    - ``middle``: the median; ``spread``: the median distance from it. Both of evenly spaced values;
    - ``num_not_positive``: how many values are 0 or below;
    - ``num_values``: how many values a channel has in all;
    - ``full``: the greatest value that the stored type or the bit depth allows; None for floats;
    - ``letters``: the letters that stored numbers stand for; empty unless the data are sequences.
    """

    least: PerChannel
    most: PerChannel
    mean: PerChannel
    deviation: PerChannel
    middle: PerChannel
    spread: PerChannel
    num_not_positive: tuple[int, ...]
    num_values: int
    full: float | None = None
    letters: str = ""


def summarise(parts: Iterable[np.ndarray], *, full: float | None = None, letters: str = "") -> Summary:
    """Summarise arrays (rows, *size, channels), all with the same channels, in one pass.

    Values must be finite. Raises ``ValueError`` if there are none.
    """
    count, sampled = 0, []
    least = most = mean = squares = not_positive = np.zeros(0)
    for part in parts:
        flat = part.reshape(-1, part.shape[-1])
        sampled.append(flat[:: max(1, len(flat) // 1024)].astype(np.float64))
        for first in range(0, len(flat), max(1, _BLOCK // flat.shape[1])):
            block = flat[first : first + max(1, _BLOCK // flat.shape[1])].astype(np.float64)
            if not count:
                least = most = block[0]
                mean = squares = not_positive = np.zeros(flat.shape[1])
            least, most = np.minimum(least, block.min(0)), np.maximum(most, block.max(0))
            not_positive = not_positive + (block <= 0).sum(0)
            # Chan, Golub and LeVeque 1979: blocks are merged without losing digits to a large mean.
            block_mean, total = block.mean(0), count + len(block)
            shift = block_mean - mean
            squares = squares + ((block - block_mean) ** 2).sum(0) + shift**2 * count * len(block) / total
            mean, count = mean + shift * len(block) / total, total
    if not count:
        raise ValueError("there are no values to summarise")
    sample = np.concatenate(sampled)
    sample = sample[:: -(-len(sample) // MOST_SAMPLED)]
    middle = np.median(sample, 0)
    return Summary(
        least=_numbers(least),
        most=_numbers(most),
        mean=_numbers(mean),
        deviation=_numbers(np.sqrt(squares / count)),
        middle=_numbers(middle),
        spread=_numbers(np.median(np.abs(sample - middle), 0)),
        num_not_positive=tuple(int(number) for number in not_positive),
        num_values=count,
        full=full,
        letters=letters,
    )


def _numbers(array: np.ndarray) -> PerChannel:
    return tuple(float(number) for number in array)
