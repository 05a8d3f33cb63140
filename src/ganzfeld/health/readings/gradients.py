"""Gradients, updates and weights of both networks at the last step.

A network without gradients, such as one that has just been restored, has no readings.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganzfeld.health.probe import ProbeContext

PASSES = False

NAMES = {
    "gradient_generator": "Norm of the gradient of the generator's loss at the last step; 0 or more.",
    "gradient_discriminator": "The same for the discriminator, penalties included.",
    "gradient_reach_generator": "RMS gradient of the layer where it is smallest, over that of the layer where"
    " it is largest: at 1 all layers get equal gradients, near 0 a layer does not learn.",
    "gradient_reach_discriminator": "The same for the discriminator.",
    "update_ratio_generator": "Norm of Adam's last update of a weight tensor over the norm of the tensor;"
    " median of all layers; 0 or more.",
    "update_ratio_discriminator": "The same for the discriminator.",
    "weight_size_generator": "Norm of all parameters of the generator; 0 or more.",
    "weight_size_discriminator": "The same for the discriminator.",
}


def read(probe: ProbeContext) -> dict[str, Tensor | float]:
    """Return the readings of both networks; in somebody else's loop those at its last update."""
    if probe.loop is not None:
        return dict(probe.loop.gradients)
    of_generator = read_network(probe.generator, probe.generator_optimizer)
    of_discriminator = read_network(probe.discriminator, probe.discriminator_optimizer)
    return by_side("generator", of_generator) | by_side("discriminator", of_discriminator)


def by_side(side: str, values: Mapping[str, Tensor]) -> dict[str, Tensor | float]:
    """Return the readings of ``generator`` or ``discriminator`` by their full names."""
    return {f"{name}_{side}": value for name, value in values.items()}


def read_network(network: nn.Module, optimizer: Optimizer | None) -> dict[str, Tensor]:
    """Return the readings of one network, by name without its side; none if it has no gradients."""
    weights = [weight for weight in network.parameters() if weight.grad is not None]
    if not weights:
        return {}
    gradients = [weight.grad.detach() for weight in weights if weight.grad is not None]
    # The embedding of a class that was not in the last batch rightly has no gradient.
    embeddings = [module for module in network.modules() if isinstance(module, nn.Embedding)]
    class_weights = {id(weight) for module in embeddings for weight in module.parameters()}
    sizes = [
        gradient.square().mean().sqrt()
        for weight, gradient in zip(weights, gradients, strict=True)
        if weight.dim() > 1 and id(weight) not in class_weights
    ]
    result = {"gradient": _norm(gradients)}
    if sizes:
        layers = torch.stack(sizes)
        tiny = torch.finfo(layers.dtype).tiny
        result["gradient_reach"] = layers.min() / layers.max().clamp_min(tiny)
    result["weight_size"] = _norm([weight.detach() for weight in weights])
    if isinstance(optimizer, torch.optim.Adam):
        ratios = _update_ratios(optimizer, network)
        if ratios:
            result["update_ratio"] = torch.stack(ratios).median()
    return result


def _norm(tensors: list[Tensor]) -> Tensor:
    return torch.stack([tensor.square().sum() for tensor in tensors]).sum().sqrt()


def _update_ratios(adam: torch.optim.Adam, network: nn.Module) -> list[Tensor]:
    """Return the update ratio of the weights of each layer of a network, from Adam's moments.

    Source: Kingma and Ba 2015, algorithm 1.
    """
    ratios, own = [], {id(weight) for weight in network.parameters()}
    for group in adam.param_groups:
        first, second = group["betas"]
        for weight in group["params"]:
            moments = adam.state.get(weight)  # a subscript would add an entry
            if weight.dim() > 1 and moments and id(weight) in own:
                step = moments["step"].to(weight.device)
                mean = moments["exp_avg"] / (1 - first**step)
                size = (moments["exp_avg_sq"] / (1 - second**step)).sqrt() + group["eps"]
                ratios.append(group["lr"] * (mean / size).norm() / weight.detach().norm())
    return ratios
