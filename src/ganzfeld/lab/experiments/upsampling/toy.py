"""The bench of ``upsampling``: sizes, adjoints, fields, coverage, and untrained generators."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzfeld.geometry import overlap
from ganzfeld.lab.experiments.upsampling import Settings, theory
from ganzfeld.lab.experiments.upsampling.untrained import measured_untrained
from ganzfeld.lab.experiments.upsampling.upsamplers import covered
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, claim, limit
from ganzfeld.lab.sizes import Form, all_sizes, sizes_by_torch, small_layers


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Measure sizes, adjoints, fields and coverage by torch, and spectra of untrained generators of each
    kind.
    """
    kernel, stride, padding = settings.kernel, settings.stride, settings.padding
    ladder = theory.sizes(settings.size, kernel, stride, padding, settings.layers)
    figures = [
        all_sizes(nn.ConvTranspose1d, theory.transposed_size, _small_layers()),
        claim(
            "size-last",
            say("size after {layers} layers from {size}", layers=settings.layers, size=settings.size),
            sizes_by_torch(nn.ConvTranspose1d, settings.size, [(kernel, stride, padding)] * settings.layers)[
                -1
            ],
            ladder[-1],
            of="size",
            identity=True,
        ),
        claim(
            "doubles",
            say("sizes from 1 to 64 that k=4, s=2, p=1 does not double"),
            sum(
                sizes_by_torch(nn.ConvTranspose1d, size, [(4, 2, 1)])[-1] != 2 * size for size in range(1, 65)
            ),
            0,
            of="doubles",
            identity=True,
        ),
        claim(
            "adjoint",
            say("largest |<Ax, y> - <x, A'y>| for whole numbers"),
            _adjoint_gap(kernel, stride, padding, seed),
            0,
            of="adjoint",
        ),
        *(
            claim(
                f"field-{depth}",
                say("projective field of one cell after {depth} layers, px", depth=depth),
                _field_by_torch(kernel, stride, depth),
                theory.projective_field([(kernel, stride)] * depth),
                of="grow",
            )
            for depth in range(settings.layers + 1)
        ),
        *_coverage_figures(settings),
    ]
    side = theory.projective_field([(kernel, stride)] * settings.layers) / ladder[-1]
    figures.append(
        claim(
            "field-over-picture",
            say("side of the field of one base map cell, over the side of the image"),
            min(side, 1),
            1,
            of="coherence",
        )
    )
    spectra, more = measured_untrained(settings, seed)
    return [*figures, *more], {"spectra": spectra, "coverage": _coverage_maps(settings)}


def _small_layers() -> list[tuple[int, Form]]:
    """List every size with a layer: all (H, (k, s, p)) with H < 8, k < 8, s < 5, p < 4 and an output."""
    return small_layers(range(1, 8), range(1, 8), range(4), _has_output)


def _has_output(size: int, form: Form) -> bool:
    kernel, stride, padding = form
    return stride * (size - 1) + kernel - 2 * padding >= 1


def _adjoint_gap(kernel: int, stride: int, padding: int, seed: int) -> float:
    """Return the largest |<Ax, y> - <x, A'y>| for whole numbers, exact in float64, where A is the convolution
    and A' the transposed convolution.
    """
    noise = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randint(-9, 10, shape, generator=noise).double()

    gaps = []
    smallest = max(1, 1 + -(-(1 - kernel + 2 * padding) // stride))  # the first that leaves an output
    for small in range(smallest, smallest + 8):
        large = stride * (small - 1) + kernel - 2 * padding
        weight, x, y = draw(2, 3, kernel, kernel), draw(1, 3, large, large), draw(1, 2, small, small)
        ax = functional.conv2d(x, weight, stride=stride, padding=padding)
        aty = functional.conv_transpose2d(y, weight, stride=stride, padding=padding)
        gaps.append(float(((ax * y).sum() - (x * aty).sum()).abs()))
    return max(gaps)


def _field_by_torch(kernel: int, stride: int, depth: int) -> int:
    """Count the outputs that the middle of three cells reaches, through layers of ones that crop nothing."""
    ones, maps = torch.ones(1, 1, kernel, dtype=torch.double), torch.zeros(1, 1, 3, dtype=torch.double)
    maps[..., 1] = 1
    for _ in range(depth):
        maps = functional.conv_transpose1d(maps, ones, stride=stride)
    touched = maps[0, 0].nonzero()
    return int(touched.max() - touched.min()) + 1


def _interior(kernel: int, stride: int) -> Tensor:
    """Return the coverage of one period, far from both borders."""
    far = 2 * kernel
    counts = covered(2 * far + 2, kernel, stride, 0)
    middle = stride * far + kernel
    return counts[middle : middle + stride]


def _coverage_figures(settings: Settings) -> list[Measured]:
    """Compare the counted coverage with the closed form, and measure how even it is."""
    kernel, stride, padding = settings.kernel, settings.stride, settings.padding
    counted = [
        abs(float(count) - expected)
        for k, s, p in ((kernel, stride, padding), (3, 2, 1), (5, 2, 2), (5, 3, 1))
        for count, expected in zip(
            covered(9 + 2 * p, k, s, p), theory.coverage(9 + 2 * p, k, s, p), strict=True
        )
    ]
    figures = [
        claim(
            "coverage-all",
            say("largest difference of counted and calculated coverage"),
            max(counted),
            0,
            of="overlap",
        )
    ]
    own = _interior(kernel, stride)
    of_own = claim if kernel > stride else limit
    name = say(
        "{form}: most over least inputs of an interior pixel, one axis", form=f"k={kernel}, s={stride}"
    )
    figures.append(of_own("evenness", name, _evenness(own), 1, of="checkerboard"))
    for k, s in ((3, 2), (5, 2), (4, 3)):
        name = say(
            "{form}, overlap {items}: most over least inputs of an interior pixel",
            form=f"k={k}, s={s}",
            items=sorted(overlap(k, s)),
        )
        if (k, s) != (kernel, stride):
            figures.append(
                claim(f"evenness-k{k}-s{s}", name, _evenness(_interior(k, s)), 1, of="checkerboard")
            )
    for p in sorted({padding, max(0, kernel - stride)}):
        border = covered(4 * kernel, kernel, stride, p)
        least = float(border.min() / own.max())
        figures.append(
            limit(
                f"border-p{p}",
                say("p={p}: least over most inputs of a pixel, border included", p=p),
                least,
                1,
                of="checkerboard",
            )
        )
    return figures


def _evenness(counts: Tensor) -> float:
    """Return the largest over the smallest of these counts."""
    return float(counts.max() / counts.min()) if counts.min() else math.inf


def _coverage_maps(settings: Settings) -> dict[str, list[list[float]]]:
    """Count the inputs of every pixel of a small map, (H, W), for the layer of the settings and k=3, s=2."""
    maps = {}
    for k, s, p in ((settings.kernel, settings.stride, settings.padding), (3, 2, 1)):
        line = covered(6 + 2 * p, k, s, p)  # a border on each side, whatever the padding removes
        maps[f"k={k} s={s} p={p}"] = torch.outer(line, line).tolist()
    return maps
