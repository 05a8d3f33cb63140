"""The bench of ``downsampling``: sizes, receptive fields, strides and lost pixels, by torch."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzfeld.errors import UsageError
from ganzfeld.lab.experiments.downsampling import Settings, theory
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, claim, limit
from ganzfeld.lab.sizes import all_sizes, sizes_by_torch, small_layers

EXAMPLE: tuple[theory.Form, ...] = ((3, 3, 0), (4, 2, 1), (4, 2, 1), (4, 2, 0))
EXAMPLE_SIZES = (96, 32, 16, 8, 3)
"""The layers and sizes that the seed text names."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Measure sizes, receptive fields, strides and lost pixels, by torch."""
    lost, paths = _lost_pixels(settings)
    rows_lost = {
        f"k={k} s={s} p={p}": [_unread(size, [(k, s, p)]) for size in range(8, 33)]
        for k, s, p in ((3, 2, 0), (3, 2, 1), (5, 4, 0))
    }
    return [*_sizes(settings), *_fields(settings), *lost], {"paths": paths, "lost": rows_lost}


def _sizes(settings: Settings) -> list[Measured]:
    """Compare sizes with the formula, those of all small layers and those of the settings."""
    expected = theory.sizes(settings.size, settings.layers)
    measured = sizes_by_torch(nn.Conv1d, settings.size, settings.layers)
    return [
        all_sizes(nn.Conv1d, theory.conv_size, _small_layers()),
        claim(
            "example",
            say("sizes of the text's example that torch makes otherwise"),
            sum(
                size != stated
                for size, stated in zip(sizes_by_torch(nn.Conv1d, 96, EXAMPLE), EXAMPLE_SIZES, strict=True)
            ),
            0,
            of="example",
            identity=True,
        ),
        *(
            claim(
                f"size-{number}",
                say("size after layer {number}", number=number),
                measured[number],
                expected[number],
                of="size",
            )
            for number in range(1, len(expected))
        ),
    ]


def _fields(settings: Settings) -> list[Measured]:
    """Compare the receptive field and the effective stride of every layer with their formulas."""
    figures, jump = [], 1
    for number, (_, stride, _) in enumerate(settings.layers, start=1):
        layers = settings.layers[:number]
        jump *= stride
        field, distance = _field_by_torch(layers)
        expected = theory.receptive_field([(kernel, stride) for kernel, stride, _ in layers])
        field_name = say("receptive field after layer {number}, px", number=number)
        stride_name = say("effective stride after layer {number}, px", number=number)
        figures += [
            claim(f"field-{number}", field_name, field, expected, of="logit"),
            claim(f"stride-{number}", stride_name, distance, jump, of="logit"),
        ]
    return figures


def _lost_pixels(settings: Settings) -> tuple[list[Measured], dict[str, list[int]]]:
    """Count the pixels that never reach the logit; also return the paths of each pixel by ladder."""
    lossy = _with_remainder(settings.layers)
    figures = [
        claim(
            "border-all",
            say("small layers that lose another number of border pixels than calculated"),
            _lost_mismatches(),
            0,
            of="logit",
        ),
        claim(
            "ways",
            say("pixels whose number of paths to the logit is not as calculated"),
            _path_mismatches(settings),
            0,
            of="logit",
        ),
        limit(
            "unread",
            say("rows of pixels that never reach the logit"),
            _unread(settings.size, settings.layers),
            0,
            of="logit",
        ),
    ]
    paths: dict[str, list[int]] = {say("as set"): theory.paths(settings.size, settings.layers)}
    if lossy is not None and _fits(settings.size, lossy):
        form = "k={}, s={}, p={}".format(*lossy[-1])
        name = say("rows of pixels that never reach the logit, with {form} in the last layer", form=form)
        figures.append(limit("unread-last-layer", name, _unread(settings.size, lossy), 0, of="logit"))
        paths[say("last layer {form}", form=form)] = theory.paths(settings.size, lossy)
    for kernel, stride, padding in ((3, 2, 0), (3, 2, 1), (5, 4, 0), (1, 2, 0)):
        share = _unread(96, [(kernel, stride, padding)]) / 96
        form = f"k={kernel}, s={stride}, p={padding}"
        name = say("share of rows unread by one layer of {form} on 96 px", form=form)
        figures.append(limit(f"unread-k{kernel}-s{stride}-p{padding}", name, share, 0, of="logit"))
    return figures, paths


def _small_layers() -> list[tuple[int, theory.Form]]:
    """List every size with a layer: all (N, (k, s, p)) with N < 10, k < 7, s < 5, p < 3 and an output."""
    return small_layers(range(1, 10), range(1, 7), range(3), _has_output)


def _has_output(size: int, form: theory.Form) -> bool:
    kernel, _, padding = form
    return size + 2 * padding >= kernel


def _through(maps: Tensor, layers: Sequence[theory.Form]) -> Tensor:
    """Apply layers of ones to (1, 1, N)."""
    for kernel, stride, padding in layers:
        ones = torch.ones(1, 1, kernel, dtype=maps.dtype)
        maps = functional.conv1d(maps, ones, stride=stride, padding=padding)
    return maps


def _field_by_torch(layers: Sequence[theory.Form]) -> tuple[int, int]:
    """Return the number of pixels that the first of two outputs depends on, and the distance from these to
    the pixels of the second.
    """
    uncropped = [(kernel, stride, 0) for kernel, stride, _ in layers]
    size = 2
    for kernel, stride, _ in uncropped[::-1]:
        size = stride * (size - 1) + kernel
    pixels = torch.zeros(1, 1, size, dtype=torch.double, requires_grad=True)
    outputs = _through(pixels, uncropped)[0, 0]
    seen = [
        torch.autograd.grad(output, pixels, retain_graph=True)[0][0, 0].nonzero() for output in outputs[:2]
    ]
    return int(seen[0].max() - seen[0].min()) + 1, int(seen[1].min() - seen[0].min())


def _paths_by_torch(size: int, layers: Sequence[theory.Form]) -> list[int]:
    """Count paths as the gradient of a sum through layers of ones: whole numbers, exact in float64."""
    pixels = torch.zeros(1, 1, size, dtype=torch.double, requires_grad=True)
    (counted,) = torch.autograd.grad(_through(pixels, layers).sum(), pixels)
    return counted[0, 0].long().tolist()


def _unread(size: int, layers: Sequence[theory.Form]) -> int:
    """Count the positions along one axis that never reach the logit."""
    return _paths_by_torch(size, layers).count(0)


def _lost_mismatches() -> int:
    """Count the small layers that lose another number of pixels than calculated."""
    return sum(
        _unread(size, [form]) != theory.lost_at_border(size, *form)
        for size, form in _small_layers()
        if form[0] >= form[1]
    )


def _path_mismatches(settings: Settings) -> int:
    """Count the pixels whose number of paths to the logit is not as calculated."""
    counts = _paths_by_torch(settings.size, settings.layers)
    return sum(
        count != expected
        for count, expected in zip(counts, theory.paths(settings.size, settings.layers), strict=True)
    )


def _with_remainder(layers: Sequence[theory.Form]) -> list[theory.Form] | None:
    """Return the ladder with a last layer that leaves a remainder: its kernel one smaller, without padding.

    None where that kernel would be below the stride.
    """
    kernel, stride, _ = layers[-1]
    return None if kernel <= stride else [*layers[:-1], (kernel - 1, stride, 0)]


def _fits(size: int, layers: Sequence[theory.Form]) -> bool:
    """Return whether every layer has an output."""
    try:
        theory.sizes(size, layers)
    except UsageError:
        return False
    return True
