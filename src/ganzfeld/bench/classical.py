"""The classical loop, as tutorials have it: what speed is measured against.

Batch norm in both networks, binary cross-entropy, float32, torch's own layers and layout, three passes
through the discriminator a step, gradients of the discriminator's weights in the generator's step that are
thrown away, losses read after every step. Nothing of it is used elsewhere.
"""

import torch
from torch import Tensor, nn

LATENT_SIZE = 100
WIDTH = 64


def classical_generator() -> nn.Sequential:
    """Latents (B, 100, 1, 1) to images (B, 3, 64, 64): Radford et al. 2015 in its usual form."""
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
    """Images (B, 3, 64, 64) to logits (B, 1, 1, 1)."""
    layers: list[nn.Module] = [nn.Conv2d(3, WIDTH, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    for inputs in (WIDTH, 2 * WIDTH, 4 * WIDTH):
        layers += [
            nn.Conv2d(inputs, 2 * inputs, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * inputs),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(8 * WIDTH, 1, 4, 1, 0, bias=False))


class ClassicalTraining:
    """Both networks and their optimizers on a device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.generator = classical_generator().to(device)
        self.discriminator = classical_discriminator().to(device)
        for network in (self.generator, self.discriminator):
            for parameter in network.parameters():
                if parameter.dim() > 1:
                    nn.init.normal_(parameter, 0.0, 0.02)
        self.of_generator, self.of_discriminator = (
            torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        )
        self.loss = nn.BCEWithLogitsLoss()

    def step(self, real: Tensor) -> tuple[float, float]:
        """One step on images (B, 3, 64, 64) in [-1, 1]; the losses of D and of G."""
        batch = len(real)
        ones, zeros = torch.ones(batch, device=self.device), torch.zeros(batch, device=self.device)
        self.discriminator.zero_grad()
        on_real = self.loss(self.discriminator(real).view(-1), ones)
        on_real.backward()
        fake = self.generator(torch.randn(batch, LATENT_SIZE, 1, 1, device=self.device))
        on_fake = self.loss(self.discriminator(fake.detach()).view(-1), zeros)
        on_fake.backward()
        self.of_discriminator.step()
        self.generator.zero_grad()
        fooled = self.loss(self.discriminator(fake).view(-1), ones)
        fooled.backward()
        self.of_generator.step()
        return (on_real + on_fake).item(), fooled.item()
