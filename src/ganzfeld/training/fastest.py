"""The fastest route of a training on this machine.

Which way of computing a layer is the fastest depends on the chip, the library and the shape. It is measured
once and kept in the cache, by machine, versions, threads and networks, so that two trainings with one seed
take one route; a run remembers its own.
"""

import functools
import hashlib
import json
import time
from collections.abc import Callable

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from ganzfeld.data.cache import cache_root
from ganzfeld.durable import make_folder, write_json
from ganzfeld.errors import ResourceError
from ganzfeld.networks.strided import (
    StridedConvolution,
    StridedTransposedConvolution,
    Way,
    Ways,
    convolve,
    correlate,
    form_of,
    spread,
)
from ganzfeld.training.route import USUAL, Route
from ganzfeld.training.trainer import Trainer

ROUNDS = 5
CLEARLY = 0.9
"""A way must need less than this share of the time of torch's own, or it is not worth another rounding."""

_LARGEST_LAYER = 2**31  # operations; of larger layers a part of the batch is measured

Progress = Callable[[int, int, str], None]


def fastest_route(trainer: Trainer, progress: Progress) -> Route:
    """The fastest route, measured now or known from before; ``progress`` hears of measuring."""
    if trainer.engine.device.type != "cpu":
        return USUAL  # the libraries of graphics cards choose among their own ways
    file = cache_root() / "routes" / f"{_key(trainer)}.json"
    try:
        return Route.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        pass
    route = measured(trainer, progress)
    try:
        make_folder(file.parent)
        write_json(file, route.model_dump(mode="json"))
    except ResourceError:
        progress(1, 1, "measured the layers; the cache could not keep that")
    return route


def measured(trainer: Trainer, progress: Progress) -> Route:
    """The fastest way of every map of every layer, each measured against torch's own in turns."""
    networks = (trainer.players.generator, trainer.players.discriminator)
    for network in networks:
        network.eval()  # batch norm and spectral normalisation change when they are used in training
    shapes = _input_shapes(trainer)
    ways = {}
    for number, (name, layer) in enumerate(trainer.strided_layers.items()):
        progress(number, len(shapes), "measuring layers, once on this machine")
        ways[name] = _fastest(layer, shapes[name], trainer)
    progress(len(shapes), len(shapes), "measuring layers, once on this machine")
    for network in networks:
        network.train()
    return Route(ways={name: each for name, each in ways.items() if each != Ways()})


def _input_shapes(trainer: Trainer) -> dict[str, tuple[int, ...]]:
    """What each layer is given in a step."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str, layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        shapes[name] = tuple(given[0].shape)

    layers = trainer.strided_layers
    hooks = [layer.register_forward_pre_hook(functools.partial(note, name)) for name, layer in layers.items()]
    recipe, players = trainer.recipe, trainer.players
    batch = 2 * recipe.batch if trainer.rules.apart else recipe.batch
    with torch.no_grad():
        players.generator(torch.zeros(recipe.batch, recipe.latent.size))
        players.discriminator(torch.zeros(batch, trainer.pictures.channels, *recipe.size[::-1]))
    for hook in hooks:
        hook.remove()
    return shapes


@torch.no_grad()
def _fastest(
    layer: StridedConvolution | StridedTransposedConvolution, shape: tuple[int, ...], trainer: Trainer
) -> Ways:
    weight = layer.weight.detach()
    with trainer.engine.autocast():
        precision = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else weight.dtype
    operations = 2 * weight.numel() * shape[2] * shape[3]
    batch = max(1, min(shape[0], _LARGEST_LAYER // operations))
    given = torch.rand(batch, *shape[1:]).to(precision).contiguous(memory_format=torch.channels_last)
    weight, form = weight.to(precision), form_of(layer, (shape[2], shape[3]))
    if isinstance(layer, StridedTransposedConvolution):
        small, large = given, spread(given, weight, None, form)
    else:
        small, large = convolve(given, weight, None, form), given
    return Ways(
        convolve=_faster(lambda way: convolve(large, weight, None, form._replace(ways=Ways(convolve=way)))),
        spread=_faster(lambda way: spread(small, weight, None, form._replace(ways=Ways(spread=way)))),
        correlate=_faster(lambda way: correlate(large, small, form._replace(ways=Ways(correlate=way)))),
    )


def _faster(compute: Callable[[Way], Tensor]) -> Way:
    took: dict[Way, float] = {"direct": float("inf"), "product": float("inf")}
    for _ in range(ROUNDS):
        for way in took:
            begun = time.perf_counter()
            compute(way)
            took[way] = min(took[way], time.perf_counter() - begun)
    return "product" if took["product"] < CLEARLY * took["direct"] else "direct"


def _key(trainer: Trainer) -> str:
    """What a measurement is good for, as 64 hexadecimal digits."""
    layers = {name: [str(layer), *layer.weight.shape] for name, layer in trainer.strided_layers.items()}
    identity = [
        trainer.circumstances.model_dump(),
        layers,
        trainer.recipe.batch,
        trainer.recipe.size,
        trainer.rules.apart,
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
