"""Sizes of maps behind convolutions, as torch makes them."""

from collections.abc import Callable, Iterable, Sequence
from itertools import product

import torch
from torch import nn

from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, claim

Convolution = type[nn.Conv1d] | type[nn.ConvTranspose1d]
Form = tuple[int, int, int]
"""Kernel, stride and padding of a layer."""


def small_layers(
    sizes: range, kernels: range, paddings: range, fits: Callable[[int, Form], bool]
) -> list[tuple[int, Form]]:
    """List every size of a map with a layer of stride 1 to 4 that ``fits`` there."""
    forms = [*product(kernels, range(1, 5), paddings)]
    return [(size, form) for size in sizes for form in forms if fits(size, form)]


def sizes_by_torch(convolution: Convolution, size: int, layers: Sequence[Form]) -> list[int]:
    """Return the sizes of the maps from the first, of ``size``, through the layers."""
    maps, sizes = torch.empty(1, 1, size, device="meta"), [size]
    for kernel, stride, padding in layers:
        maps = convolution(1, 1, kernel, stride, padding, device="meta")(maps)
        sizes.append(maps.shape[-1])
    return sizes


def all_sizes(
    convolution: Convolution, formula: Callable[[int, int, int, int], int], forms: Iterable[tuple[int, Form]]
) -> Measured:
    """Build the figure of a formula of (size, kernel, stride, padding) that is compared with torch for every
    one of ``forms``.
    """
    mismatches = sum(
        sizes_by_torch(convolution, size, [form])[-1] != formula(size, *form) for size, form in forms
    )
    return claim(
        "sizes-all",
        say("small layers whose size is not that of the formula"),
        mismatches,
        0,
        of="size",
        identity=True,
    )
