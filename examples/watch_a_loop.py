"""A DCGAN in plain PyTorch, watched by ``gz.watch``: nothing else here is Ganzfeld's.

    python examples/watch_a_loop.py [DATA] [--out runs/mine] [--steps 500]
    ganzfeld doctor runs/mine

DATA is a folder of images, or anything else that ``gz.open_images`` takes; by default the built-in faces.
Delete a line, such as ``optimizer_g.zero_grad()`` or ``.detach()``, and see what the doctor says.
"""

import argparse

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

import ganzfeld as gz
from ganzfeld.data import ImageDataset

SIZE, BATCH, LATENT, WIDTH = 32, 32, 64, 32


def generator() -> nn.Module:
    """Return a generator from latents (B, 64, 1, 1) to images (B, 3, 32, 32)."""
    return nn.Sequential(
        nn.ConvTranspose2d(LATENT, 4 * WIDTH, 4, 1, 0, bias=False),
        nn.BatchNorm2d(4 * WIDTH),
        nn.ReLU(True),
        nn.ConvTranspose2d(4 * WIDTH, 2 * WIDTH, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * WIDTH),
        nn.ReLU(True),
        nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(True),
        nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1),
        nn.Tanh(),
    )


def discriminator() -> nn.Module:
    """Return a discriminator from images (B, 3, 32, 32) to logits (B,)."""
    return nn.Sequential(
        nn.Conv2d(3, WIDTH, 4, 2, 1),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * WIDTH),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(2 * WIDTH, 4 * WIDTH, 4, 2, 1, bias=False),
        nn.BatchNorm2d(4 * WIDTH),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(4 * WIDTH, 1, 4, 1, 0),
        nn.Flatten(0),
    )


def train(data: str | None, out: str, num_steps: int) -> None:
    """Train for some steps, watched."""
    torch.manual_seed(0)
    images = gz.open_images(data, size=SIZE, channels=3)
    g, d = generator(), discriminator()
    optimizer_g = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999))
    ones, zeros = torch.ones(BATCH), torch.zeros(BATCH)
    with gz.watch(g, d, data=images, out=out) as watch:
        for step in range(1, num_steps + 1):
            real = batch_of(images)
            fake = g(torch.randn(BATCH, LATENT, 1, 1))

            optimizer_d.zero_grad()
            loss_d = cross_entropy(d(real), ones) + cross_entropy(d(fake.detach()), zeros)
            loss_d.backward()
            optimizer_d.step()

            optimizer_g.zero_grad()
            loss_g = cross_entropy(d(fake), ones)
            loss_g.backward()
            optimizer_g.step()

            watch.step(step * BATCH, (loss_g, loss_d))


def batch_of(images: ImageDataset) -> Tensor:
    """Return random images (B, 3, 32, 32) in [-1, 1]."""
    indices = torch.randint(images.num_pictures, (BATCH,)).numpy()
    return torch.from_numpy(images.batch(indices)).movedim(-1, 1) / 127.5 - 1


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train a plain DCGAN, watched by gz.watch.")
    parser.add_argument("data", nargs="?")
    parser.add_argument("--out", default="runs/mine")
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args()
    train(options.data, options.out, options.steps)


if __name__ == "__main__":
    main()
