"""Settings of a recipe as lines of PyTorch, for loops that somebody else wrote."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy

_LINES = {
    "activation=leaky-relu": "nn.LeakyReLU(0.2)  # in place of nn.ReLU in the {side}",
    "normalisation=layer": "nn.GroupNorm(1, channels)  # in place of nn.BatchNorm2d in the {side}",
    "normalisation=batch": "nn.BatchNorm2d(channels)  # after every layer of the {side} but the last",
    "output=tanh": "nn.Tanh()  # the last module of the {side}",
    "loss.name=non-saturating": "loss_generator = F.softplus(-discriminator(fake)).mean()",
    "loss.name=relativistic-pairing": (
        "loss_generator = F.softplus(discriminator(real) - discriminator(fake)).mean()"
    ),
    "latent.prior=normal": "latents = torch.randn(batch, latent_size)",
    "ladder=null": "nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1)",
    "schedule.decay=cosine": "scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)",
}
"""A line for each setting that has one, by the end of its path and its value."""

_RATE = "for group in optimizer_{side}.param_groups: group['lr'] = {value}"
_AVERAGE = "average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn({value}))"
_PENALTY = (
    "penalty = torch.autograd.grad(discriminator({images}).sum(), {images}, create_graph=True)[0]"
    ".square().flatten(1).sum(1).mean()"
)
_PENALISED = {"r1": "real", "r2": "fake"}


def in_code(run: RunEvidence, finding: Finding) -> Finding:
    """Return a finding with lines of code in place of settings."""
    otherwise = finding.otherwise and _remedy_in_code(run, finding.otherwise)
    return replace(finding, remedy=_remedy_in_code(run, finding.remedy), otherwise=otherwise)


def _remedy_in_code(run: RunEvidence, remedy: Remedy) -> Remedy:
    lines = [line for setting in remedy.settings for line in _lines_of(setting, run.recipe)]
    return Remedy(remedy.text, (), (*remedy.code, *dict.fromkeys(lines)))


def _lines_of(setting: str, recipe: Mapping[str, Any]) -> Sequence[str]:
    path, value = setting.split("=", 1)
    side, _, field = path.partition(".")
    if field == "optimizer.lr":
        return [_RATE.format(side=side, value=value)] if recipe["rates_known"] else []
    if path == "ema":
        return [_AVERAGE.format(value=value)]
    if path == "stabilisers":
        names = [choice["name"] for choice in json.loads(value)]
        return [_PENALTY.format(images=_PENALISED[name]) for name in names if name in _PENALISED]
    for end, line in _LINES.items():
        if setting.endswith(end):
            return [line.format(side=side)]
    return []
