"""Downsampling by strided convolutions: sizes, fields, the pixels that a remainder loses, and pooling."""

import copy
from collections.abc import Sequence
from typing import Any, final

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional

from ganzfeld.errors import UsageError
from ganzfeld.geometry import Plan, conv_size, receptive_field
from ganzfeld.lab.estimate import mean_and_error
from ganzfeld.lab.experiments.downsampling.downsamplers import (
    KINDS,
    blind_discriminator,
    judged_apart,
    of_kind,
    shift_error,
)
from ganzfeld.lab.experiments.downsampling.figure import draw as draw
from ganzfeld.lab.live import Live
from ganzfeld.lab.looking import as_bytes, span_of_most
from ganzfeld.lab.outcome import Measured, Part
from ganzfeld.networks import Discriminator, Generator
from ganzfeld.recipes.schema import Section

CLAIM = (
    "A discriminator shrinks pictures by strided convolutions instead of pooling: N becomes"
    " floor((N+2p-k)/s)+1, as in 96, 32, 16, 8, 3, then one linear layer gives a logit; so it learns its own"
    " downsampling and keeps more of the useful spatial information."
)
CLAIM_ZH = (
    "判别器用步长卷积代替池化来缩小图像：N 变为 floor((N+2p-k)/s)+1，例如 96、32、16、8、3，"
    "展平后由一个全连接层给出对数几率；这样网络学习自己的降采样方式，从而保留更多有用的空间信息。"
)
SECTION = "DCGAN 的核心架构原则：判别器，从图像空间到概率得分"

FORMULAS = {
    "size after a convolution": r"N' = \left\lfloor \frac{N + 2p - k}{s} \right\rfloor + 1",
    "receptive field and effective stride after one more layer": r"f' = f + (k-1)\,j, \qquad j' = s\,j",
    "remainder, and real pixels lost at the far border (k not below s)": (
        r"\rho = (N + 2p - k)\ \mathrm{mod}\ s, \qquad \mathrm{lost} = \max(0,\ \rho - p)"
    ),
    "how often pixel i reaches the logit": r"c_l(i) = \sum_{o\,:\,0 \leq i + p - s o < k} c_{l+1}(o)",
}

SHORT = {"steps": 2, "seeds": 2, "images": 64}
THOROUGH = {"steps": 400, "seeds": 8, "images": 4096}

Figures = list[Measured]
Form = tuple[int, int, int]
"""Kernel, stride and padding of a layer."""


@final
class Settings(Section):
    """``size`` of the pictures, px; ``layers``: (kernel, stride, padding) of each, from the picture on.

    ``steps`` (half as many for telling real from generated) and ``seeds`` of the comparison with pooling.
    ``images``: pictures that a generator sees which is taught by a discriminator that loses pixels.
    """

    size: int = Field(default=96, ge=1, le=4096)
    layers: tuple[Form, ...] = ((3, 3, 0), (4, 2, 1), (4, 2, 1), (4, 2, 0))
    steps: int = Field(default=100, ge=1, le=100_000)
    seeds: int = Field(default=3, ge=2, le=100)
    images: int = Field(default=1024, ge=1, le=10_000_000)

    @field_validator("layers")
    @classmethod
    def _not_none(cls, layers: tuple[Form, ...]) -> tuple[Form, ...]:
        if not layers:
            raise UsageError("layers must name at least one layer", "For example layers=[[4, 2, 1]].")
        return layers

    @model_validator(mode="after")
    def _leaves_an_output(self) -> "Settings":
        sizes(self.size, self.layers)
        return self


def sizes(size: int, layers: Sequence[Form]) -> list[int]:
    """Sizes from the picture through the layers. Raises ``UsageError`` if a number means nothing.

    Source: the seed text's formula, ``ganzfeld.geometry.conv_size``.
    """
    found = [size]
    for kernel, stride, padding in layers:
        found.append(conv_size(found[-1], kernel, stride, padding))
    return found


def lost_at_border(size: int, kernel: int, stride: int, padding: int) -> int:
    """Real pixels at the far border that no window of one layer covers, for a kernel not below the stride.

    The windows end ``remainder`` pixels before the padded end; the first ``padding`` of these are no pixels.
    """
    remainder = (size + 2 * padding - kernel) % stride
    return max(0, remainder - padding)


def paths(size: int, layers: Sequence[Form]) -> list[int]:
    """In how many ways each pixel reaches the logit, along one axis: 0 for one that never does.

    Source: the last formula above, from the last map, which the linear layer reads, back to the picture.
    """
    ladder = sizes(size, layers)
    counts = [1] * ladder[-1]
    for large, (kernel, stride, padding) in zip(ladder[-2::-1], layers[::-1], strict=True):
        before = [0] * large
        for output, ways in enumerate(counts):
            first = stride * output - padding
            for position in range(max(0, first), min(large, first + kernel)):
                before[position] += ways
        counts = before
    return counts


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[Figures, dict[str, Any]]:
    """Sizes, fields, strides and lost pixels, by torch."""
    ladder = sizes(settings.size, settings.layers)
    figures = [
        _claim("sizes that differ from the formula, of all small layers", _size_mismatches(), 0),
        *(
            _claim(f"size after layer {number}", found, told)
            for number, (found, told) in enumerate(
                zip(_sizes_by_torch(settings)[1:], ladder[1:], strict=True), start=1
            )
        ),
    ]
    jump = 1
    for number, (_, stride, _) in enumerate(settings.layers, start=1):
        layers = settings.layers[:number]
        jump *= stride
        field, moved = _field_by_torch(layers)
        told = receptive_field([(kernel, stride) for kernel, stride, _ in layers])
        figures.append(_claim(f"receptive field after layer {number}, px", field, told))
        figures.append(_claim(f"effective stride after layer {number}, px", moved, jump))
    lossy = _with_remainder(settings.layers)
    figures += [
        _claim("layers that lose another number of border pixels than calculated", _lost_mismatches(), 0),
        _claim(
            "pixels whose number of ways to the logit is not as calculated", _path_mismatches(settings), 0
        ),
        _limit("rows of pixels that never reach the logit", _unread(settings.size, settings.layers), 0),
    ]
    data: dict[str, Any] = {"paths": {"as set": paths(settings.size, settings.layers)}}
    if lossy is not None and _fits(settings.size, lossy):
        form = "k={}, s={}, p={}".format(*lossy[-1])
        figures.append(_limit(f"the same with {form} in the last layer", _unread(settings.size, lossy), 0))
        data["paths"][f"last layer {form}"] = paths(settings.size, lossy)
    for kernel, stride, padding in ((3, 2, 0), (3, 2, 1), (5, 4, 0), (1, 2, 0)):
        share = _unread(96, [(kernel, stride, padding)]) / 96
        name = f"one layer of k={kernel}, s={stride}, p={padding} on 96 px: share of rows unread"
        figures.append(_limit(name, share, 0))
    data["lost"] = {
        f"k={k} s={s} p={p}": [_unread(size, [(k, s, p)]) for size in range(8, 33)]
        for k, s, p in ((3, 2, 0), (3, 2, 1), (5, 4, 0))
    }
    return figures, data


def _claim(name: str, value: float, expected: float, part: Part = "bench") -> Measured:
    return Measured(name, value, 0.0, expected, "claim", part)


def _limit(name: str, value: float, expected: float, error: float = 0.0, part: Part = "bench") -> Measured:
    return Measured(name, value, error, expected, "limit", part)


def _shown(name: str, value: float, error: float = 0.0) -> Measured:
    return Measured(name, value, error, None, "shown", "in situ")


def _small_layers() -> list[tuple[int, int, int, int]]:
    """All (size, kernel, stride, padding) with N < 10, k < 7, s < 5, p < 3 and an output."""
    return [
        (size, kernel, stride, padding)
        for size in range(1, 10)
        for kernel in range(1, 7)
        for stride in range(1, 5)
        for padding in range(3)
        if size + 2 * padding >= kernel
    ]


def _size_mismatches() -> int:
    wrong = 0
    for size, kernel, stride, padding in _small_layers():
        layer = nn.Conv1d(1, 1, kernel, stride, padding, device="meta")
        found = layer(torch.empty(1, 1, size, device="meta")).shape[-1]
        wrong += found != conv_size(size, kernel, stride, padding)
    return wrong


def _sizes_by_torch(settings: Settings) -> list[int]:
    maps = torch.empty(1, 1, settings.size, device="meta")
    found = [settings.size]
    for kernel, stride, padding in settings.layers:
        maps = nn.Conv1d(1, 1, kernel, stride, padding, device="meta")(maps)
        found.append(maps.shape[-1])
    return found


def _through(maps: Tensor, layers: Sequence[Form]) -> Tensor:
    """Layers of ones on (1, 1, N)."""
    for kernel, stride, padding in layers:
        ones = torch.ones(1, 1, kernel, dtype=maps.dtype)
        maps = functional.conv1d(maps, ones, stride=stride, padding=padding)
    return maps


def _field_by_torch(layers: Sequence[Form]) -> tuple[int, int]:
    """Pixels that the first of two outputs depends on, and by how many those of the second lie further."""
    uncropped = [(kernel, stride, 0) for kernel, stride, _ in layers]
    size = 2
    for kernel, stride, _ in uncropped[::-1]:
        size = stride * (size - 1) + kernel
    pixels = torch.zeros(1, 1, size, dtype=torch.double, requires_grad=True)
    outputs = _through(pixels, uncropped)[0, 0]
    seen = [torch.autograd.grad(each, pixels, retain_graph=True)[0][0, 0].nonzero() for each in outputs[:2]]
    return int(seen[0].max() - seen[0].min()) + 1, int(seen[1].min() - seen[0].min())


def _paths_by_torch(size: int, layers: Sequence[Form]) -> list[int]:
    """The gradient of a sum through layers of ones: whole numbers, exact in float64."""
    pixels = torch.zeros(1, 1, size, dtype=torch.double, requires_grad=True)
    (counted,) = torch.autograd.grad(_through(pixels, layers).sum(), pixels)
    return counted[0, 0].long().tolist()


def _unread(size: int, layers: Sequence[Form]) -> int:
    """Positions along one axis that never reach the logit."""
    return _paths_by_torch(size, layers).count(0)


def _lost_mismatches() -> int:
    return sum(
        _unread(size, [(kernel, stride, padding)]) != lost_at_border(size, kernel, stride, padding)
        for size, kernel, stride, padding in _small_layers()
        if kernel >= stride
    )


def _path_mismatches(settings: Settings) -> int:
    found = _paths_by_torch(settings.size, settings.layers)
    return sum(ways != told for ways, told in zip(found, paths(settings.size, settings.layers), strict=True))


def _with_remainder(layers: Sequence[Form]) -> list[Form] | None:
    """The same ladder with a last layer that leaves a remainder: the kernel one smaller, no padding."""
    kernel, stride, _ = layers[-1]
    return None if kernel <= stride else [*layers[:-1], (kernel - 1, stride, 0)]


def _fits(size: int, layers: Sequence[Form]) -> bool:
    try:
        sizes(size, layers)
    except UsageError:
        return False
    return True


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[Figures, dict[str, Any]]:
    """What the live discriminator reads; strides against pooling; a generator taught by one that is blind."""
    figures, data = _read(live, seed)
    more, data["compared"] = _compared(live, settings, seed)
    figures += more
    if not live.of_user and min(live.recipe.size) >= 8:
        more, data["blind"] = _taught_by_the_blind(live, settings, seed)
        figures += more
    return figures, data


def _read(live: Live, seed: int) -> tuple[Figures, dict[str, Any]]:
    """Sizes, fields and unread pixels of the live discriminator, in float64."""
    discriminator = copy.deepcopy(live.trainer().players.discriminator).cpu().double().eval()
    pictures = live.real(16, seed).cpu().double().requires_grad_()
    plan, maps = live.recipe.plan(), []
    told = [layer.small for layer in plan.layers[::-1]]
    hooks = [
        module.register_forward_hook(lambda module, given, made: maps.append(made))
        for module in discriminator.modules()
        if isinstance(module, nn.Conv2d)
    ]
    logits = discriminator(pictures)
    for hook in hooks:
        hook.remove()
    found = [tuple(each.shape[2:]) for each in maps]
    (gradient,) = torch.autograd.grad(logits.sum(), pictures, retain_graph=True)
    by_pixel = gradient.abs().sum((0, 1))
    fields, most = [], 0
    for depth, each in enumerate(maps):
        row, column = each.shape[2] // 2, each.shape[3] // 2
        (seen,) = torch.autograd.grad(each[:, :, row, column].abs().sum(), pictures, retain_graph=True)
        energy = seen.square().sum((0, 1, 3))
        fields.append((len(energy.nonzero()), _rows_in_field(plan, depth, row)))
        most = span_of_most(energy)
    # A norm over the positions of one picture lets every output see all of it.
    pooled = live.recipe.discriminator.normalisation in ("instance", "layer", "group")
    of_fields = _limit if pooled else _claim
    wrong = sum(seen != rows for seen, rows in fields)
    figures = [
        _claim("live maps whose size is not by the formula", int(found != told), 0, part="in situ"),
        of_fields("live layers whose field is not as calculated", wrong, 0, part="in situ"),
        _claim(
            "pixels that the live logit does not depend on", int((by_pixel == 0).sum()), 0, part="in situ"
        ),
        _shown("rows with 95 % of what a middle cell of the last map sees", most),
        _shown("weakest over strongest pixel in the live logit", float(by_pixel.min() / by_pixel.max())),
    ]
    data = {"by_pixel": by_pixel.tolist(), "fields": fields, "picture": as_bytes(pictures.detach()[:1])[0]}
    return figures, data


def _rows_in_field(plan: Plan, depth: int, row: int) -> int:
    """Rows of the picture in the field of one row of a layer's output, cut at the borders."""
    first = last = row
    for layer in plan.layers[::-1][depth::-1]:
        first = max(0, layer.stride[0] * first - layer.padding[0])
        last = min(layer.large[0] - 1, layer.stride[0] * last - layer.padding[0] + layer.kernel[0] - 1)
    return last - first + 1


def _compared(live: Live, settings: Settings, seed: int) -> tuple[Figures, dict[str, Any]]:
    """The live discriminator's layers with strides and with pooling, taught two things from the beginning."""
    trainer = live.trainer()
    like, count = copy.deepcopy(trainer.players.discriminator).cpu(), 400
    real = live.real(count, seed).cpu()
    with torch.no_grad():
        fake = trainer.players.generator.train()(live.latents(count, seed)).cpu()
    found: dict[str, dict[str, list[float]]] = {task: {} for task in TASKS}
    for kind, make in KINDS.items():
        networks = [of_kind(like, make, seed + number) for number in range(settings.seeds)]
        found[TASKS[0]][kind] = [
            judged_apart(copy.deepcopy(each), real, fake, (settings.steps + 1) // 2, _noise(seed + number))
            for number, each in enumerate(networks)
        ]
        found[TASKS[1]][kind] = [
            shift_error(each, real, settings.steps, _noise(seed + number))
            for number, each in enumerate(networks)
        ]
    figures = []
    for task, by_kind in found.items():
        for kind, values in by_kind.items():
            figures.append(_shown(f"{task}, {kind}", *mean_and_error(torch.tensor(values))))
        for kind in list(KINDS)[1:]:
            mean, error = mean_and_error(torch.tensor(by_kind["stride"]) - torch.tensor(by_kind[kind]))
            name = f"{task}: what {kind} does better than a stride"
            figures.append(_limit(name, max(0.0, mean), 0, error, part="in situ"))
    return figures, found


TASKS = ("loss on new pictures, real or generated", "error of a shift, px")


def _noise(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _taught_by_the_blind(live: Live, settings: Settings, seed: int) -> tuple[Figures, dict[str, Any]]:
    """The same training, but for a discriminator whose last remainder loses the far rows and columns."""
    architecture = live.recipe.discriminator.architecture

    def change(generator: Generator, discriminator: Discriminator) -> None:
        size = discriminator.plan.size
        blind = blind_discriminator(size, live.pictures.channels, architecture)
        discriminator.plan, discriminator.layers, discriminator.logit = blind.plan, blind.layers, blind.logit

    trainer = live.anew(change)
    pictures = live.real(64, seed).requires_grad_()
    (gradient,) = torch.autograd.grad(trainer.players.discriminator(pictures).sum(), pictures)
    unread = (gradient.abs().sum((0, 1)) == 0).cpu()
    while trainer.images_seen < settings.images:
        trainer.advance()
    latents, real = live.latents(64, seed), live.real(512, seed).cpu().mean(0)
    with torch.no_grad():
        made = trainer.players.generator.train()(latents).cpu()
    off = (made.mean(0) - real).abs().mean(0)
    parts = [(part.mean(0) - real).abs().mean(0) for part in made.chunk(8)]
    ratios = (
        [float(part[unread].mean() / part[~unread].mean()) for part in parts] if unread.any() else [1.0, 1.0]
    )
    _, error = mean_and_error(torch.tensor(ratios))
    ratio = float(off[unread].mean() / off[~unread].mean()) if unread.any() else 1.0
    share = float(unread.double().mean())
    figures = [
        _limit("share of pixels without a gradient from a D that ends in k=3, s=2", share, 0, part="in situ"),
        _limit(
            "the generator's mean colour there, its error over that elsewhere", ratio, 1, error, "in situ"
        ),
    ]
    return figures, {"pictures": as_bytes(made[:6]), "unread": unread.tolist(), "off": off.tolist()}


def advice(figures: Sequence[Measured]) -> str:
    """What to do, with the figures it rests on."""
    by_name = {figure.name: figure.value for figure in figures}
    lost = next((v for name, v in by_name.items() if name.startswith("the same with")), 0.0)
    unread = next((v for name, v in by_name.items() if name.startswith("share of pixels without")), 0.0)
    parts = [
        "Choose sizes at which the stride divides N + 2p - k in every layer, and no kernel below the stride;"
        " ganzfeld plan makes only such ladders."
    ]
    if lost:
        parts.append(
            f"With another last layer the same ladder does not read {lost:.0f} rows at the far border."
        )
    if unread:
        parts.append(
            f"What D does not read ({unread:.0%} of the pixels in the example) is nobody's concern: G gets no"
            " gradient there."
        )
    better = [
        f"{name.split(': ')[0]} ({name.split('what ')[1].split(' does')[0]})"
        for name, value in by_name.items()
        if "does better than a stride" in name and not _agrees(figures, name)
    ]
    pooled = (
        f"Pooling did better here at: {'; '.join(better)}" if better else "Pooling did nowhere better here"
    )
    parts.append(f"{pooled}; at equal parameters it costs the square of the stride in multiplications.")
    return " ".join(parts)


def _agrees(figures: Sequence[Measured], name: str) -> bool:
    return all(figure.agrees for figure in figures if figure.name == name)
