"""How near each layer comes to what the chip allows: the roofline of Williams et al. 2009.

A map of a layer can be no faster than the peak of the chip, nor than its data can be moved. The second limit
is measured as a copy of as many bytes, which also knows the caches: small layers never leave them.
"""

from dataclasses import dataclass
from typing import Any

import torch

from ganzfeld.bench.peak import best_s
from ganzfeld.compute.autotune import LayerMap, maps_of
from ganzfeld.compute.engine import computing_with
from ganzfeld.networks.strided import DIRECT, Way
from ganzfeld.training.trainer import Trainer
from ganzfeld.training.tuning.routes import input_shapes


@dataclass(frozen=True, slots=True)
class MapSpeed:
    """The speed of one map of a layer, in the way of the route, for a whole batch.

    ``limit_s`` are the seconds that it takes at least, and ``limited_by`` is "operations" or "data".
    """

    layer: str
    map: str
    way: str
    flops: float
    num_bytes: int
    seconds: float
    limit_s: float
    limited_by: str

    @property
    def share(self) -> float:
        """The speed as a share of the limit."""
        return self.limit_s / self.seconds

    def as_json(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "layer": self.layer,
            "map": self.map,
            "way": self.way,
            "gflops_per_s": round(self.flops / self.seconds / 1e9, 1),
            "milliseconds": round(1000 * self.seconds, 4),
            "share_of_limit": round(self.share, 3),
            "limited_by": self.limited_by,
        }


def map_speeds(trainer: Trainer, peak_flops_per_s: float) -> list[MapSpeed]:
    """Measure all maps of the layers of both networks, with the threads and ways of the trainer's route."""
    for network in (networks := (trainer.gan.generator, trainer.gan.discriminator)):
        network.eval()  # in training mode, batch norm and spectral normalisation would change their state
    shapes = input_shapes(trainer)
    for network in networks:
        network.train()
    with computing_with(trainer.route.threads):
        return [
            _map_speed(name, map_name, ways[map_name], each, peak_flops_per_s, trainer.engine.device)
            for name, layer in trainer.strided_layers.items()
            for ways in [trainer.route.ways.get(name, DIRECT)._asdict()]
            for map_name, each in maps_of(layer, shapes[name], trainer.engine).items()
        ]


def _map_speed(
    layer: str, name: str, way: Way, measured: LayerMap, peak_flops_per_s: float, device: torch.device
) -> MapSpeed:
    operations_s = measured.flops / peak_flops_per_s
    # A copy reads and writes, so half as many bytes are as much traffic.
    data = torch.empty(measured.num_bytes // 2, dtype=torch.uint8, device=device)
    target = torch.empty_like(data)
    data_s = best_s(lambda: target.copy_(data))
    return MapSpeed(
        layer=layer,
        map=name,
        way=way,
        flops=measured.flops,
        num_bytes=measured.num_bytes,
        seconds=best_s(lambda: measured.compute(way)),
        limit_s=max(operations_s, data_s),
        limited_by="operations" if operations_s > data_s else "data",
    )
