"""Upsampling by transposed convolutions: sizes, fields, and what overlap has to do with checkerboards."""

import copy
import math
from collections.abc import Sequence
from typing import Any, final

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from ganzfeld.geometry import Layer, Plan, overlap, projective_field, transposed_size
from ganzfeld.lab.estimate import mean_and_error
from ganzfeld.lab.experiments.upsampling.figure import draw as draw
from ganzfeld.lab.experiments.upsampling.upsamplers import (
    Make,
    checkerboard,
    kinds,
    power_at,
    put,
    transposed,
)
from ganzfeld.lab.live import Live
from ganzfeld.lab.looking import as_bytes, span_of_most
from ganzfeld.lab.outcome import Measured, Part
from ganzfeld.networks import Generator, initialise
from ganzfeld.recipes.schema import Section

CLAIM = (
    "A transposed convolution takes H to s(H-1)+k-2p, so that k=4, s=2, p=1 doubles exactly; k>s makes the"
    " projective fields of neighbours overlap, which avoids checkerboards; stacking makes fields grow, which"
    " gives a picture global coherence."
)
CLAIM_ZH = (
    "转置卷积把 H 变为 s(H-1)+k-2p，因此 k=4、s=2、p=1 恰好放大一倍；"
    "k>s 使相邻像素的投射场重叠，从而避免棋盘格伪影；"
    "逐层堆叠使投射场不断扩展，为全局一致性提供结构基础。"
)
SECTION = "DCGAN 的核心架构原则：生成器，从隐空间到图像空间"

FORMULAS = {
    "size after a transposed convolution": r"H' = s(H-1) + k - 2p",
    "it is the adjoint of the convolution": r"\langle A x, y \rangle = \langle x, A^{\top} y \rangle",
    "projective field after one more layer": r"f' = s(f-1) + k",
    "inputs that reach an output of phase r, one axis": r"n_r = \#\{t < k : t \equiv r\ (\mathrm{mod}\ s)\}",
    "a constant map comes out constant if and only if": (
        r"\sum_{t \equiv r} w_t\ \mathrm{is\ the\ same\ for\ all\ phases}\ r"
        r"\quad\Leftrightarrow\quad \hat{w}(m/s) = 0,\ 0 < m < s"
    ),
}

SHORT = {"networks": 3, "trainings": 2, "images": 64}
THOROUGH = {"networks": 48, "trainings": 8}

PICTURE_PX = 64
"""About as large are the pictures of untrained networks."""

NUM_PICTURES = 64
"""As many are made of a trained generator, and compared with as many real ones."""

BEYOND = "checkerboard beyond that of real pictures, log10"

Figures = list[Measured]


@final
class Settings(Section):
    """``kernel``, ``stride``, ``padding`` of every layer; ``size`` of the seed map; number of ``layers``.

    ``networks``: untrained generators of each kind of layer; ``trainings``: trained ones, each of which sees
    ``images`` pictures.
    """

    kernel: int = Field(default=4, ge=1, le=16)
    stride: int = Field(default=2, ge=1, le=8)
    padding: int = Field(default=1, ge=0, le=16)
    size: int = Field(default=4, ge=1, le=64)
    layers: int = Field(default=4, ge=1, le=6)
    networks: int = Field(default=12, ge=2, le=1000)
    trainings: int = Field(default=3, ge=2, le=100)
    images: int = Field(default=1024, ge=1, le=10_000_000)

    @model_validator(mode="after")
    def _leaves_an_output(self) -> "Settings":
        sizes(self.size, self.kernel, self.stride, self.padding, self.layers)
        return self


def sizes(size: int, kernel: int, stride: int, padding: int, layers: int) -> list[int]:
    """Sizes from the seed map through ``layers`` layers. Raises ``UsageError`` if nothing is left.

    Source: the seed text's formula, ``ganzfeld.geometry.transposed_size``.
    """
    found = [size]
    for _ in range(layers):
        found.append(transposed_size(found[-1], kernel, stride, padding))
    return found


def coverage(size: int, kernel: int, stride: int, padding: int) -> list[int]:
    """How many inputs reach each output of a transposed convolution, along one axis.

    Source: output o is reached from input i by tap t where o = s i + t - p (Dumoulin & Visin 2016).
    """
    counts = [0] * (stride * (size - 1) + kernel)
    for position in range(size):
        for tap in range(kernel):
            counts[stride * position + tap] += 1
    return counts[padding : len(counts) - padding]


def reach(cell: int, layers: Sequence[tuple[int, int, int, int]]) -> tuple[int, int]:
    """First and last output that one cell of the seed map reaches, along one axis, cut at the borders.

    ``layers`` are (kernel, stride, padding, size of the output). Source: the projective field with its place.
    """
    first = last = cell
    for kernel, stride, padding, size in layers:
        first = max(0, stride * first - padding)
        last = min(size - 1, stride * last - padding + kernel - 1)
    return first, last


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[Figures, dict[str, Any]]:
    """Sizes, adjoints, fields and coverage by torch; the spectrum of untrained generators of each kind."""
    kernel, stride, padding = settings.kernel, settings.stride, settings.padding
    told = sizes(settings.size, kernel, stride, padding, settings.layers)
    figures = [
        _claim("sizes that differ from the formula, of all small layers", _size_mismatches(), 0),
        _claim(
            f"size after {settings.layers} layers from {settings.size}", _size_by_torch(settings), told[-1]
        ),
        _claim(
            "largest |<Ax, y> - <x, A'y>| in whole numbers", _adjoint_gap(kernel, stride, padding, seed), 0
        ),
        *(
            _claim(
                f"field of one cell after {depth} layers, px",
                _field_by_torch(kernel, stride, depth),
                projective_field([(kernel, stride)] * depth),
            )
            for depth in range(settings.layers + 1)
        ),
        *_coverage_figures(settings),
    ]
    side = projective_field([(kernel, stride)] * settings.layers) / told[-1]
    figures.append(_limit("side of one seed cell's field over the side of the picture", min(side, 1), 1))
    spectra, more = _untrained(settings, seed)
    return [*figures, *more], {"spectra": spectra, "coverage": _coverage_maps(settings)}


def _claim(name: str, value: float, expected: float, error: float = 0.0, part: Part = "bench") -> Measured:
    return Measured(name, value, error, expected, "claim", part, tolerance=1e-9)


def _limit(name: str, value: float, expected: float, error: float = 0.0, part: Part = "bench") -> Measured:
    return Measured(name, value, error, expected, "limit", part, tolerance=1e-9)


def _size_mismatches() -> int:
    """Of all layers with H < 8, k < 8, s < 5, p < 4 that leave an output, those whose size is otherwise."""
    wrong = 0
    for size in range(1, 8):
        for kernel in range(1, 8):
            for stride in range(1, 5):
                for padding in range(4):
                    if stride * (size - 1) + kernel - 2 * padding < 1:
                        continue
                    layer = nn.ConvTranspose1d(1, 1, kernel, stride, padding, device="meta")
                    found = layer(torch.empty(1, 1, size, device="meta")).shape[-1]
                    wrong += found != transposed_size(size, kernel, stride, padding)
    return wrong


def _size_by_torch(settings: Settings) -> int:
    layer = nn.ConvTranspose1d(1, 1, settings.kernel, settings.stride, settings.padding, device="meta")
    maps = torch.empty(1, 1, settings.size, device="meta")
    for _ in range(settings.layers):
        maps = layer(maps)
    return maps.shape[-1]


def _adjoint_gap(kernel: int, stride: int, padding: int, seed: int) -> float:
    """Inner products of whole numbers are exact in float64: A is the convolution, A' the transposed one."""
    noise = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randint(-9, 10, shape, generator=noise).double()

    gaps = []
    for small in range(1, 9):
        large = stride * (small - 1) + kernel - 2 * padding
        if large < 1:
            continue
        weight, x, y = draw(2, 3, kernel, kernel), draw(1, 3, large, large), draw(1, 2, small, small)
        ax = functional.conv2d(x, weight, stride=stride, padding=padding)
        aty = functional.conv_transpose2d(y, weight, stride=stride, padding=padding)
        gaps.append(float(((ax * y).sum() - (x * aty).sum()).abs()))
    return max(gaps)


def _field_by_torch(kernel: int, stride: int, depth: int) -> int:
    """Outputs that change with the middle one of three cells, through layers of ones that crop nothing."""
    ones, maps = torch.ones(1, 1, kernel, dtype=torch.double), torch.zeros(1, 1, 3, dtype=torch.double)
    maps[..., 1] = 1
    for _ in range(depth):
        maps = functional.conv_transpose1d(maps, ones, stride=stride)
    touched = maps[0, 0].nonzero()
    return int(touched.max() - touched.min()) + 1


def _covered(size: int, kernel: int, stride: int, padding: int, extra: int = 0) -> Tensor:
    """Inputs that reach each output along one axis, counted by a transposed convolution of ones with ones."""
    ones = torch.ones(1, 1, kernel, dtype=torch.double)
    maps = torch.ones(1, 1, size, dtype=torch.double)
    return functional.conv_transpose1d(maps, ones, None, stride, padding, extra)[0, 0]


def _interior(kernel: int, stride: int) -> Tensor:
    """The counts of one interior period, far from both borders."""
    far = 2 * kernel
    counts = _covered(2 * far + 2, kernel, stride, 0)
    middle = stride * far + kernel
    return counts[middle : middle + stride]


def _coverage_figures(settings: Settings) -> Figures:
    kernel, stride, padding = settings.kernel, settings.stride, settings.padding
    counted = [
        abs(float(count) - told)
        for k, s, p in ((kernel, stride, padding), (3, 2, 1), (5, 2, 2), (5, 3, 1))
        for count, told in zip(_covered(9, k, s, min(p, k)), coverage(9, k, s, min(p, k)), strict=True)
    ]
    figures = [_claim("largest difference of counted and calculated coverage", max(counted), 0)]
    own = _interior(kernel, stride)
    uneven = _claim if kernel > stride else _limit
    figures.append(
        uneven(f"k={kernel}, s={stride}: most over least covered interior pixel, one axis", _evenness(own), 1)
    )
    for k, s in ((3, 2), (5, 2), (4, 3)):
        name = f"k={k}, s={s}, overlap {sorted(overlap(k, s))}: most over least covered interior pixel"
        if (k, s) != (kernel, stride):
            figures.append(_limit(name, _evenness(_interior(k, s)), 1))
    for p in sorted({padding, max(0, kernel - stride)}):
        border = _covered(4 * kernel, kernel, stride, p)
        least = float(border.min() / own.max())
        figures.append(_limit(f"p={p}: least covered pixel, border included, over the most", least, 1))
    return figures


def _evenness(counts: Tensor) -> float:
    return float(counts.max() / counts.min()) if counts.min() else math.inf


def _coverage_maps(settings: Settings) -> dict[str, list[list[float]]]:
    """What the layer itself and k=3, s=2 cover of a small map, (H, W)."""
    maps = {}
    for k, s, p in ((settings.kernel, settings.stride, settings.padding), (3, 2, 1)):
        line = _covered(6, k, s, p)
        maps[f"k={k} s={s} p={p}"] = torch.outer(line, line).tolist()
    return maps


def _plan(stride: int) -> Plan:
    """Layers, each ``stride`` times larger, from a seed map of 4 to at most ``PICTURE_PX`` (or one layer)."""
    layers, small = [], 4
    while not layers or small * stride <= PICTURE_PX:
        large = small * stride
        layers.append(Layer((small,) * 2, (large,) * 2, (stride,) * 2, (stride,) * 2, (0, 0)))
        small = large
    return Plan(tuple(layers))


def _untrained(settings: Settings, seed: int) -> tuple[dict[str, Any], Figures]:
    """Spectra and checkerboards of generators as they are before training, of each kind."""
    stride = settings.stride
    if stride == 1:
        return {}, []
    plan, spectra, figures = _plan(stride), {}, []
    for kind, make in kinds(settings.kernel, stride).items():
        found = [_untrained_pictures(plan, make, seed + number) for number in range(settings.networks)]
        mean, error = mean_and_error(torch.tensor([checkerboard(pictures, stride) for pictures in found]))
        name = f"untrained, {kind}: power at the stride's harmonics over beside, log10"
        figures.append(_of_kind(name, kind, mean, error, "bench"))
        if kind.startswith("k="):
            figures.append(_by_coverage(kind, found))
        spectra[kind] = _spectrum(torch.cat(found))
    return spectra, figures


def _by_coverage(kind: str, found: Sequence[Tensor]) -> Measured:
    """What uneven overlap prints on average over all random kernels: the power of its pixels by coverage.

    Where all are covered alike, those of the first phase are compared with those of the second. Overlap o
    along each axis lets variances add up, so the closed form is the ratio of the products of overlaps.
    """
    kernel, stride = map(int, kind[2:].split(" s="))
    layer = transposed(kernel, stride)(1, 1)
    assert isinstance(layer, nn.ConvTranspose2d)
    size = found[0].shape[2]
    counts = _covered(size // stride, kernel, stride, int(layer.padding[0]), int(layer.output_padding[0]))
    inside = torch.arange(size)[2 * kernel : size - 2 * kernel]
    most, least = (inside[counts[inside] == of(counts[inside])] for of in (torch.max, torch.min))
    if torch.equal(most, least):
        most, least = (inside[inside % stride == phase] for phase in (0, 1))
    ratios = []
    for pictures in found:
        power = pictures.double().square().mean((0, 1))
        ratios.append(float((power[most][:, most].mean() / power[least][:, least].mean()).log10()))
    mean, error = mean_and_error(torch.tensor(ratios))
    name = f"untrained, {kind}: power of the most over the least covered pixels, log10"
    return Measured(name, mean, error, 0.0, "claim" if _is_even(kernel, stride) else "limit", "bench")


def _is_even(kernel: int, stride: int) -> bool:
    return len(overlap(kernel, stride)) == 1


@torch.no_grad()
def _untrained_pictures(plan: Plan, make: Make, seed: int) -> Tensor:
    generator = Generator(plan, width=8, latent_size=32, activation="leaky-relu")
    put(generator, make)
    initialise(generator, seed)
    return generator(torch.randn(16, 32, generator=torch.Generator().manual_seed(seed)))


def _spectrum(pictures: Tensor) -> dict[str, list[float]]:
    """Power at all frequencies of the grid, over its median."""
    size = min(pictures.shape[2:])
    frequencies = [period / size for period in range(1, size // 2 + 1)]
    power = power_at(pictures, frequencies)
    return {"frequency": frequencies, "power": (power / power.median()).tolist()}


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[Figures, dict[str, Any]]:
    """How far a cell of the seed map and a component of z reach; the checkerboard through training."""
    figures, data = _reaches(live, seed)
    stride = last_stride(live.recipe.plan())
    if stride == 1:
        return figures, data
    latents, real = live.latents(NUM_PICTURES, seed), live.real(NUM_PICTURES, seed)
    of_real = checkerboard(real, stride)
    through = []
    for stage in live.stages:
        pictures = _pictures(live.trainer(stage).players.generator, latents)
        through.append((stage, *_beyond(pictures, stride, of_real)))
    figures += [
        Measured(f"after {stage:,} pictures: {BEYOND}", value, error, 0.0, "limit", "in situ")
        for stage, value, error in through
    ]
    data |= {"through": through, "spectrum_of_real": _spectrum(real), "stride": stride}
    if not live.of_user:
        more, data["trained"] = _trained_kinds(live, settings, seed, of_real)
        figures += more
    return figures, data


def last_stride(plan: Plan) -> int:
    """The last stride above 1 on the way to the picture, along its first axis; 1 if there is none."""
    return next((layer.stride[0] for layer in plan.layers[::-1] if layer.stride[0] > 1), 1)


@torch.no_grad()
def _pictures(generator: Generator, latents: Tensor) -> Tensor:
    """As a generator makes them while it trains."""
    return generator.train()(latents).cpu()


def _beyond(pictures: Tensor, stride: int, of_real: float) -> tuple[float, float]:
    """The checkerboard of pictures beyond that of real ones, and its standard error, from eight parts."""
    parts = [checkerboard(part, stride) - of_real for part in pictures.chunk(8)]
    return checkerboard(pictures, stride) - of_real, mean_and_error(torch.tensor(parts))[1]


def _trained_kinds(
    live: Live, settings: Settings, seed: int, of_real: float
) -> tuple[Figures, dict[str, Any]]:
    """The same short trainings with each kind of layer in the generator."""
    stride = last_stride(live.recipe.plan())
    latents, figures, data = live.latents(NUM_PICTURES, seed), [], {}
    kernel = settings.kernel if settings.stride == stride else 2 * stride
    for kind, make in kinds(kernel, stride).items():
        found = []
        for number in range(settings.trainings):
            trainer = live.anew(lambda generator, _, make=make: put(generator, make), seed + number)
            while trainer.images_seen < settings.images:
                trainer.advance()
            found.append(_pictures(trainer.players.generator, latents))
        values = [checkerboard(pictures, stride) - of_real for pictures in found]
        mean, error = mean_and_error(torch.tensor(values))
        name = f"{kind}, {settings.trainings} trainings of {settings.images:,} pictures: {BEYOND}"
        figures.append(_of_kind(name, kind, mean, error, "in situ"))
        data[kind] = {"values": values, "picture": as_bytes(found[0][:1])[0]}
    return figures, data


def _of_kind(name: str, kind: str, value: float, error: float, part: Part) -> Measured:
    """A checkerboard, of which the claim expects none where kernels overlap; elsewhere it expects nothing."""
    overlaps = kind.startswith("k=") and kind != _no_overlap([kind])
    return Measured(name, value, error, 0.0 if overlaps else None, "limit" if overlaps else "shown", part)


@torch.no_grad()
def _reaches(live: Live, seed: int) -> tuple[Figures, dict[str, Any]]:
    """Change a row of the seed map, its middle cell or a component of z, and see which pixels change."""
    generator = copy.deepcopy(live.trainer().players.generator).cpu().double().eval()
    latents, plan = live.latents(8, seed).cpu().double(), live.recipe.plan()
    cells = generator.projection(latents)
    before = generator.layers(cells)
    rows = [(layer.kernel[0], layer.stride[0], layer.padding[0], layer.large[0]) for layer in plan.layers]
    wrong, widest, told_widest = 0, 0, 0
    for row in range(plan.seed[0]):
        moved = (generator.layers(_raised(cells, row)) - before).square().sum((0, 1, 3)).nonzero()
        first, last = reach(row, rows)
        wrong += (int(moved.min()), int(moved.max())) != (first, last)
        widest, told_widest = max(widest, len(moved)), max(told_widest, last - first + 1)
    middle = plan.seed[0] // 2, plan.seed[1] // 2
    of_cell = (generator.layers(_raised(cells, *middle)) - before).square().sum((0, 1))
    other = latents.clone()
    other[:, 0] += 1
    of_component = (generator.layers(generator.projection(other)) - before).square().sum((0, 1))
    height = plan.size[0]
    # A norm over the positions of one picture couples all of them, whatever the kernels reach.
    of_claim = _limit if live.recipe.generator.normalisation in ("instance", "layer", "group") else _claim
    figures = [
        of_claim("rows of the seed map whose reach is not as calculated", wrong, 0, part="in situ"),
        of_claim("rows of the picture that the widest of them moves", widest, told_widest, part="in situ"),
        _limit("share of the picture's rows that it moves", widest / height, 1, part="in situ"),
        _shown("rows of the picture with 95 % of what its middle cell moves", span_of_most(of_cell.sum(1))),
        _shown(
            "share of all pixels that one component of z moves", float((of_component > 0).double().mean())
        ),
    ]
    spliced = torch.cat((cells[:1, :, :, : middle[1]], cells[1:2, :, :, middle[1] :]), 3)
    three = generator.output(generator.layers(torch.cat((cells[:2], spliced))))
    data = {
        "of_cell": of_cell.tolist(),
        "of_component": of_component.tolist(),
        "spliced": as_bytes(three),
        "cell": middle,
    }
    return figures, data


def _raised(cells: Tensor, row: int, column: int | slice = slice(None)) -> Tensor:
    changed = cells.clone()
    changed[:, :, row, column] += 1
    return changed


def _shown(name: str, value: float, error: float = 0.0) -> Measured:
    return Measured(name, value, error, None, "shown", "in situ")


def advice(figures: Sequence[Measured]) -> str:
    """What to do, with the figures it rests on."""
    by_name = {figure.name: figure.value for figure in figures}
    untrained = {
        name.removeprefix("untrained, ").split(":")[0]: 10**value
        for name, value in by_name.items()
        if name.startswith("untrained") and "harmonics" in name
    }
    parts = [
        "Let the stride divide the kernel, but do not expect that to prevent a checkerboard: even overlap"
        " prints nothing on average over all kernels, and any one kernel prints what its phases differ by."
    ]
    if untrained:
        first, without = next(iter(untrained)), _no_overlap(list(untrained))
        parts.append(
            f"Untrained, {first} has {untrained[first]:.1f} times the power of the frequencies beside at the"
            f" harmonics of its stride, and {without} without any overlap {untrained[without]:.1f} times."
        )
    parts.append(
        "Look at the spectrum of trained pictures; where the harmonics stand out, resize and convolve, or put"
        " a mean over one stride after the layer, which is zero there by construction."
    )
    reached = by_name["side of one seed cell's field over the side of the picture"]
    if reached < 1:
        parts.append(
            f"One cell of the seed map reaches {reached:.0%} of the side of the picture: what has to agree"
            " across all of it must come through the projection of z."
        )
    return " ".join(parts)


def _no_overlap(names: Sequence[str]) -> str:
    """Of the names of kinds, that whose kernel is its stride; nothing if it is not among them."""
    return next((name for name in names if len(set(name.removeprefix("k=").split(" s="))) == 1), "")
