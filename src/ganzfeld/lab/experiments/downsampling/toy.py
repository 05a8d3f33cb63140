"""The bench of ``downsampling``: sizes, fields, strides and lost pixels, by torch."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzfeld.errors import UsageError
from ganzfeld.lab.experiments.downsampling import Settings, theory
from ganzfeld.lab.outcome import Measured, claim, limit


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Measure sizes, fields, strides and lost pixels, by torch."""
    ladder = theory.sizes(settings.size, settings.layers)
    figures = [
        claim(
            "sizes-all",
            "sizes that differ from the formula, of all small layers",
            _size_mismatches(),
            0,
            of="size",
        ),
        *(
            claim(f"size-{number}", f"size after layer {number}", measured, expected, of="size")
            for number, (measured, expected) in enumerate(
                zip(_sizes_by_torch(settings)[1:], ladder[1:], strict=True), start=1
            )
        ),
    ]
    jump = 1
    for number, (_, stride, _) in enumerate(settings.layers, start=1):
        layers = settings.layers[:number]
        jump *= stride
        field, moved = _field_by_torch(layers)
        expected = theory.receptive_field([(kernel, stride) for kernel, stride, _ in layers])
        figures.append(
            claim(f"field-{number}", f"receptive field after layer {number}, px", field, expected, of="logit")
        )
        figures.append(
            claim(f"stride-{number}", f"effective stride after layer {number}, px", moved, jump, of="logit")
        )
    lossy = _with_remainder(settings.layers)
    figures += [
        claim(
            "border-all",
            "layers that lose another number of border pixels than calculated",
            _lost_mismatches(),
            0,
            of="logit",
        ),
        claim(
            "ways",
            "pixels whose number of ways to the logit is not as calculated",
            _path_mismatches(settings),
            0,
            of="logit",
        ),
        limit(
            "unread",
            "rows of pixels that never reach the logit",
            _unread(settings.size, settings.layers),
            0,
            of="logit",
        ),
    ]
    data: dict[str, Any] = {"paths": {"as set": theory.paths(settings.size, settings.layers)}}
    if lossy is not None and _fits(settings.size, lossy):
        form = "k={}, s={}, p={}".format(*lossy[-1])
        figures.append(
            limit(
                "unread-last-layer",
                f"the same with {form} in the last layer",
                _unread(settings.size, lossy),
                0,
                of="logit",
            )
        )
        data["paths"][f"last layer {form}"] = theory.paths(settings.size, lossy)
    for kernel, stride, padding in ((3, 2, 0), (3, 2, 1), (5, 4, 0), (1, 2, 0)):
        share = _unread(96, [(kernel, stride, padding)]) / 96
        name = f"one layer of k={kernel}, s={stride}, p={padding} on 96 px: share of rows unread"
        figures.append(limit(f"unread-k{kernel}-s{stride}-p{padding}", name, share, 0, of="logit"))
    data["lost"] = {
        f"k={k} s={s} p={p}": [_unread(size, [(k, s, p)]) for size in range(8, 33)]
        for k, s, p in ((3, 2, 0), (3, 2, 1), (5, 4, 0))
    }
    return figures, data


def _small_layers() -> list[tuple[int, int, int, int]]:
    """List all (size, kernel, stride, padding) with N < 10, k < 7, s < 5, p < 3 and an output."""
    return [
        (size, kernel, stride, padding)
        for size in range(1, 10)
        for kernel in range(1, 7)
        for stride in range(1, 5)
        for padding in range(3)
        if size + 2 * padding >= kernel
    ]


def _size_mismatches() -> int:
    """Count the small layers whose size is not that of the formula."""
    wrong = 0
    for size, kernel, stride, padding in _small_layers():
        layer = nn.Conv1d(1, 1, kernel, stride, padding, device="meta")
        by_torch = layer(torch.empty(1, 1, size, device="meta")).shape[-1]
        wrong += by_torch != theory.conv_size(size, kernel, stride, padding)
    return wrong


def _sizes_by_torch(settings: Settings) -> list[int]:
    """Return the sizes of the maps that torch makes."""
    maps = torch.empty(1, 1, settings.size, device="meta")
    ladder = [settings.size]
    for kernel, stride, padding in settings.layers:
        maps = nn.Conv1d(1, 1, kernel, stride, padding, device="meta")(maps)
        ladder.append(maps.shape[-1])
    return ladder


def _through(maps: Tensor, layers: Sequence[theory.Form]) -> Tensor:
    """Apply layers of ones to (1, 1, N)."""
    for kernel, stride, padding in layers:
        ones = torch.ones(1, 1, kernel, dtype=maps.dtype)
        maps = functional.conv1d(maps, ones, stride=stride, padding=padding)
    return maps


def _field_by_torch(layers: Sequence[theory.Form]) -> tuple[int, int]:
    """Return how many pixels the first of two outputs depends on, and by how many those of the second lie
    further.
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
    """Return the gradient of a sum through layers of ones: whole numbers, exact in float64."""
    pixels = torch.zeros(1, 1, size, dtype=torch.double, requires_grad=True)
    (counted,) = torch.autograd.grad(_through(pixels, layers).sum(), pixels)
    return counted[0, 0].long().tolist()


def _unread(size: int, layers: Sequence[theory.Form]) -> int:
    """Count the positions along one axis that never reach the logit."""
    return _paths_by_torch(size, layers).count(0)


def _lost_mismatches() -> int:
    """Count the small layers that lose another number of pixels than calculated."""
    return sum(
        _unread(size, [(kernel, stride, padding)]) != theory.lost_at_border(size, kernel, stride, padding)
        for size, kernel, stride, padding in _small_layers()
        if kernel >= stride
    )


def _path_mismatches(settings: Settings) -> int:
    """Count the pixels whose number of ways to the logit is not as calculated."""
    counts = _paths_by_torch(settings.size, settings.layers)
    return sum(
        ways != expected
        for ways, expected in zip(counts, theory.paths(settings.size, settings.layers), strict=True)
    )


def _with_remainder(layers: Sequence[theory.Form]) -> list[theory.Form] | None:
    """Return the same ladder with a last layer that leaves a remainder: the kernel one smaller, no
    padding.
    """
    kernel, stride, _ = layers[-1]
    return None if kernel <= stride else [*layers[:-1], (kernel - 1, stride, 0)]


def _fits(size: int, layers: Sequence[theory.Form]) -> bool:
    """Tell whether every layer has an output."""
    try:
        theory.sizes(size, layers)
    except UsageError:
        return False
    return True
