"""Plain loops on a few blobs, small enough to be watched at every step."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganzfeld.training.callbacks import Pace
from tests.conftest import blobs

AT_EVERY_STEP = Pace(
    progress_every_s=0,
    readings_every_s=0,
    readings_every_share=0,
    readings_cost=1e9,
    cheap_readings_cost=1e9,
    grid_every_s=0,
    grid_every_share=0,
)
"""Readings whenever a window is full, and a line of the journal at every step."""


class PlainLoop:
    """A loop on 16 px blobs, with batch norm and dropout in both networks."""

    def __init__(self, pixels: np.ndarray, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.pixels = pixels
        self.generator = nn.Sequential(
            nn.ConvTranspose2d(8, 16, 4),
            nn.BatchNorm2d(16),
            nn.ReLU(True),
            nn.Dropout(0.1),
            nn.ConvTranspose2d(16, 8, 4, 2, 1),
            nn.BatchNorm2d(8),
            nn.LeakyReLU(0.2, True),
            nn.ConvTranspose2d(8, 3, 4, 2, 1),
            nn.Tanh(),
        )
        self.discriminator = nn.Sequential(
            nn.Conv2d(3, 8, 4, 2, 1),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(8, 16, 4, 2, 1),
            nn.BatchNorm2d(16),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.3),
            nn.Conv2d(16, 1, 4),
        )
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), lr=1e-3)
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), lr=1e-3)
        self.step_number = 0

    def real(self) -> Tensor:
        """The next eight images."""
        indices = (np.arange(8) + 8 * self.step_number) % len(self.pixels)
        return torch.from_numpy(self.pixels[indices]).movedim(-1, 1).float() / 127.5 - 1

    def step(self) -> tuple[Tensor, Tensor]:
        """Make one step, and return the losses of the generator and the discriminator."""
        self.step_number += 1
        self.optimizer_d.zero_grad()
        fake = self.generator(torch.randn(8, 8, 1, 1))
        logits_real, logits_fake = self.discriminator(self.real()), self.discriminator(fake.detach())
        loss_d = F.softplus(-logits_real).mean() + F.softplus(logits_fake).mean()
        loss_d.backward()
        self.optimizer_d.step()
        self.optimizer_g.zero_grad()
        loss_g = F.softplus(-self.discriminator(fake)).mean()
        loss_g.backward()
        self.optimizer_g.step()
        return loss_g, loss_d

    @property
    def state(self) -> dict[str, Any]:
        """Weights, buffers, gradients, moments, modes and random state."""
        networks = {"g": self.generator, "d": self.discriminator}
        state: dict[str, Any] = {"random": torch.get_rng_state()}
        for side, network in networks.items():
            state |= {f"{side}.{name}": value.clone() for name, value in network.state_dict().items()}
            state |= {
                f"{side}.{name}.grad": weight.grad.clone()
                for name, weight in network.named_parameters()
                if weight.grad is not None
            }
            state[f"{side}.modes"] = torch.tensor([module.training for module in network.modules()])
        for side, optimizer in (("g", self.optimizer_g), ("d", self.optimizer_d)):
            for number, moments in enumerate(optimizer.state.values()):
                state |= {f"{side}.{number}.{name}": value.clone() for name, value in moments.items()}
        return state


@pytest.fixture
def plain_loop() -> PlainLoop:
    """A loop on the 200 blobs of 16 px."""
    return PlainLoop(blobs(200, 16))
