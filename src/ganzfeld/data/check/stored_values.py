"""Advice on data that are no images: constant channels, unused bits, too few items, repeated ones."""

import numpy as np

from ganzfeld.data.check.advice import Advice
from ganzfeld.data.check.duplicates import Group
from ganzfeld.data.images import ImageDataset
from ganzfeld.printable import counted, listed

FEW = 200
_USUAL_DEPTHS = (10, 12, 14)
"""Bits of the converters of cameras, whose values are stored in 16 bits."""


def advice_on_values(dataset: ImageDataset, duplicates: list[Group]) -> list[Advice]:
    """Return the advice on a dataset of another kind than images, the most important first."""
    word, num = dataset.kind.WORD, dataset.num_pictures
    if not num:
        return []
    advices = [*_on_constant_channels(dataset), *_on_bit_depth(dataset)]
    redundant = sum(len(group.entries) - 1 for group in duplicates)
    if num - redundant < FEW:
        few = f"{counted(num - redundant, f'different {word}')}: a network may learn them by heart."
        advices.append(Advice("too-few-pictures", few))
    if redundant:
        text = f"{counted(redundant, word)} of {num:,} repeat others"
        also = ", or are their reverse complements" if dataset.manifest.facts.get("letters") else ""
        advices.append(
            Advice("duplicate-pictures", f"{text}{also}. They are learned more often than others.")
        )
    return [*advices, *(Advice("labels-rejected", problem) for problem in dataset.manifest.label_problems)]


def _on_constant_channels(dataset: ImageDataset) -> list[Advice]:
    flat = [shard.reshape(-1, dataset.stored_channels) for shard in dataset.arrays if len(shard)]
    least, most = np.min([part.min(0) for part in flat], 0), np.max([part.max(0) for part in flat], 0)
    constant = [str(channel) for channel in np.flatnonzero(least == most)]
    if not constant or dataset.manifest.facts.get("letters"):
        return []
    which = f"channel {constant[0]} is" if len(constant) == 1 else f"channels {listed(constant)} are"
    return [Advice("constant-channels", f"{which} the same everywhere: nothing can be learned from that.")]


def _on_bit_depth(dataset: ImageDataset) -> list[Advice]:
    """Note 16-bit values of which only the lower bits are used, if the scale takes all of them."""
    if dataset.dtype != np.uint16 or dataset.scale.name != "bytes":
        return []
    used = dataset.records["row"] >= 0
    most = int(dataset.records["most"][used].max())
    depth = next((bits for bits in _USUAL_DEPTHS if most < 2**bits), 16)
    if depth == 16:
        return []
    text = f"no value is above {most:,}, so these seem to be {depth}-bit data, but the scale bytes reaches to"
    return [Advice("bit-depth", f"{text} 65,535: use --scale linear.")]
