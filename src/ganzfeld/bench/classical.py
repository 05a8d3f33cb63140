"""The classical training loop of tutorials, which is the baseline of the speed benchmarks.

It has batch norm in both networks, binary cross-entropy, float32, and torch's own layers and memory layout.
Each step makes three passes through the discriminator, computes gradients of the discriminator's weights in
the generator's update and discards them, and reads the losses. Nothing else uses this code.
"""

import torch
from torch import Tensor, nn

LATENT_SIZE = 100
WIDTH = 64


def classical_generator() -> nn.Sequential:
    """Build the network from latents (B, 100, 1, 1) to images (B, 3, 64, 64).

    It is that of Radford et al. 2015 in its usual form.
    """
    layers: list[nn.Module] = []
    widths = [8 * WIDTH, 4 * WIDTH, 2 * WIDTH, WIDTH]
    inputs, stride, padding = LATENT_SIZE, 1, 0
    for outputs in widths:
        layers += [
            nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
        inputs, stride, padding = outputs, 2, 1
    return nn.Sequential(*layers, nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1, bias=False), nn.Tanh())


def classical_discriminator() -> nn.Sequential:
    """Build the network from images (B, 3, 64, 64) to logits (B, 1, 1, 1)."""
    layers: list[nn.Module] = [nn.Conv2d(3, WIDTH, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    for inputs in (WIDTH, 2 * WIDTH, 4 * WIDTH):
        layers += [
            nn.Conv2d(inputs, 2 * inputs, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * inputs),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(8 * WIDTH, 1, 4, 1, 0, bias=False))


class ClassicalTraining:
    """Both networks with their optimizers on a device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.generator = classical_generator().to(device)
        self.discriminator = classical_discriminator().to(device)
        for network in (self.generator, self.discriminator):
            for parameter in network.parameters():
                if parameter.dim() > 1:
                    nn.init.normal_(parameter, 0.0, 0.02)
        self.generator_optimizer, self.discriminator_optimizer = (
            torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        )
        self.loss = nn.BCEWithLogitsLoss()

    def step(self, real: Tensor) -> tuple[float, float]:
        """Train for one step on images (B, 3, 64, 64) in [-1, 1]; return the losses of D and of G."""
        batch = len(real)
        ones, zeros = torch.ones(batch, device=self.device), torch.zeros(batch, device=self.device)
        self.discriminator.zero_grad()
        real_loss = self.loss(self.discriminator(real).view(-1), ones)
        real_loss.backward()
        fake = self.generator(torch.randn(batch, LATENT_SIZE, 1, 1, device=self.device))
        fake_loss = self.loss(self.discriminator(fake.detach()).view(-1), zeros)
        fake_loss.backward()
        self.discriminator_optimizer.step()
        self.generator.zero_grad()
        generator_loss = self.loss(self.discriminator(fake).view(-1), ones)
        generator_loss.backward()
        self.generator_optimizer.step()
        return (real_loss + fake_loss).item(), generator_loss.item()
