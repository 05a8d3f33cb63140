"""Plant mistakes of real loops in plain PyTorch loops, and tell what ``gz.watch`` and the doctor find.

    python tools/doctor_strangers.py [--steps 300] [--only NAME ...] [--loops runs/doctor/strangers]

The loops use no networks, losses or optimizers of Ganzfeld. Every mistake is planted on two datasets, and the
same loops without mistakes must raise none of the findings that are for loops. A step counts as a tenth of a
second, so readings are taken every 20 steps on any machine. The table is written into ``docs/doctor.md``.
"""

import argparse
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ganzfeld as gz
from ganzfeld.durable import make_folder, write_bytes
from ganzfeld.health import diagnose
from ganzfeld.health.detectors import detectors
from ganzfeld.training.callbacks import Pace
from ganzfeld.watching import Watch

PAGE = Path(__file__).parents[1] / "docs" / "doctor.md"
BEGIN, END = "<!-- strangers -->\n", "<!-- end of strangers -->\n"
FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
FOLDER = Path("runs/doctor/strangers")
PACE = Pace(readings_every_s=2.0, readings_cost=1e9, cheap_readings_cost=1e9, grid_every_s=1e9)
SECONDS_PER_STEP = 0.1
SIZE, LATENT = 32, 64
NUM_STEPS = 300


@dataclass(frozen=True)
class Loop:
    """A loop and the mistake that is planted in it.

    - ``style``: plain, probabilities, least-squares, wgan-gp, hinge or conditional.
    - ``mistake``: its name; empty for a loop without one. ``expected``: findings, one of which must be there.
    - ``given``: whether ``gz.watch`` is given the optimizers. ``colour``: whether it needs colour images.
    """

    name: str
    style: str = "plain"
    mistake: str = ""
    expected: tuple[str, ...] = ()
    given: bool = False
    colour: bool = False
    width: int = 16
    batch: int = 32


HEALTHY = (
    Loop("cross-entropy on logits, as in the tutorial"),
    Loop("cross-entropy on probabilities", "probabilities", given=True),
    Loop("least squares", "least-squares"),
    Loop("WGAN-GP, five critic steps", "wgan-gp"),
    Loop("hinge with spectral normalisation", "hinge"),
    Loop("by class, labels as second input", "conditional"),
    Loop("generated images not detached, gradients cleared in time", mistake="harmless detach"),
    Loop("D frozen while G is updated, RMSprop", mistake="frozen D"),
)

MISTAKES = (
    Loop("labels swapped in D's update", mistake="swapped D", expected=("labels-swapped",)),
    Loop("labels swapped in G's update", mistake="swapped G", expected=("labels-swapped",)),
    Loop("images from 0 to 1, tanh generator", mistake="unit range", expected=("range-mismatch",)),
    Loop("BGR in the loop, RGB in the data", mistake="bgr", expected=("channels-swapped",), colour=True),
    Loop("generator in eval mode", mistake="eval", expected=("trained-in-eval-mode",)),
    Loop("D's optimizer has G's weights", mistake="optimizer", expected=("optimizer-mismatch",)),
    Loop(
        "D's optimizer has G's weights, optimizers given",
        mistake="optimizer",
        expected=("optimizer-mismatch",),
        given=True,
    ),
    Loop("gradients not cleared", mistake="no zero_grad", expected=("gradients-not-cleared",)),
    Loop("detach forgotten", mistake="no detach", expected=("detach-forgotten",)),
    Loop("images normalised twice", mistake="twice", expected=("normalised-twice",)),
    Loop(
        "a third of the labels at random",
        "conditional",
        mistake="random labels",
        expected=("wrong-class-labels",),
    ),
    Loop("learning rates 2e-2", mistake="rate", expected=("diverging", "unusual-settings")),
)


@dataclass(frozen=True)
class Images:
    """The data of a loop: its path for ``gz.watch``, pixels uint8 (N, H, W, C), and labels (N,)."""

    name: str
    path: str | None
    pixels: np.ndarray
    labels: np.ndarray
    num_classes: int

    @property
    def channels(self) -> int:
        """The number of channels."""
        return self.pixels.shape[-1]


def images_of(data: str, folder: Path, *, colour: bool = False, limit: int = 20_000) -> Images:
    """Open a dataset at 32 px. Faces get classes by their colours; Fashion-MNIST in colour is tinted."""
    if data == "fashion" and not colour:
        dataset = gz.open_images(FASHION, size=SIZE)
        assert dataset.labels is not None
        indices = np.arange(min(limit, dataset.num_pictures))
        return Images(data, str(FASHION), dataset.batch(indices), dataset.labels[indices], 10)
    source = FASHION if data == "fashion" else None
    dataset = gz.open_images(source, size=SIZE)
    pixels = dataset.batch(np.arange(min(limit, dataset.num_pictures)))
    if data == "fashion":
        pixels = (pixels.repeat(3, axis=-1) * np.array([1.0, 0.7, 0.4])).astype(np.uint8)
    means = pixels.reshape(len(pixels), -1, 3).mean(1)
    bright, warm = means.mean(1), means[:, 0] - means[:, 2]
    labels = 2 * (bright > np.median(bright)) + (warm > np.median(warm))
    make_folder(folder)
    path = folder / f"{data}.npz"
    np.savez(path, images=pixels, labels=labels)
    return Images(data, str(path), pixels, labels.astype(np.int64), 4)


class Generator(nn.Module):
    """The generator of the tutorial, 32 px; with classes, a vector of the class beside the latent."""

    def __init__(self, channels: int, width: int, num_classes: int = 0) -> None:
        super().__init__()
        self.classes = nn.Embedding(num_classes, 16) if num_classes else None
        inputs = LATENT + (16 if num_classes else 0)
        self.main = nn.Sequential(
            nn.ConvTranspose2d(inputs, 4 * width, 4, 1, 0, bias=False),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(True),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(True),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(True),
            nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images (B, C, 32, 32) from latents (B, n, 1, 1) and labels (B,)."""
        if self.classes is not None and labels is not None:
            latents = torch.cat((latents, self.classes(labels)[:, :, None, None]), 1)
        return self.main(latents)


class Discriminator(nn.Module):
    """The discriminator of the tutorial, 32 px: logits (B, 1, 1, 1), or probabilities."""

    def __init__(self, channels: int, width: int, style: str, num_classes: int = 0) -> None:
        super().__init__()
        self.classes = nn.Embedding(num_classes, SIZE * SIZE) if num_classes else None
        planes = channels + (1 if num_classes else 0)

        def layer(inputs: int, outputs: int) -> Iterator[nn.Module]:
            convolution = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=style in ("hinge", "wgan-gp"))
            yield nn.utils.parametrizations.spectral_norm(convolution) if style == "hinge" else convolution
            if inputs != planes and style not in ("hinge", "wgan-gp"):
                yield nn.BatchNorm2d(outputs)
            yield nn.LeakyReLU(0.2, True)

        self.main = nn.Sequential(
            *layer(planes, width),
            *layer(width, 2 * width),
            *layer(2 * width, 4 * width),
            nn.Conv2d(4 * width, 1, 4, 1, 0, bias=False),
            *([nn.Sigmoid()] if style == "probabilities" else []),
        )

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the logits of images (B, C, 32, 32), with labels (B,)."""
        if self.classes is not None and labels is not None:
            planes = self.classes(labels).view(-1, 1, SIZE, SIZE)
            images = torch.cat((images, planes), 1)
        return self.main(images)


def init_weights(module: nn.Module) -> None:
    """Draw the weights as the tutorial does."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


Losses = tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]]


def losses_of(style: str, mistake: str) -> Losses:
    """Return the losses of the discriminator (of real and generated logits) and of the generator."""
    if style == "hinge":
        return (
            lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
            lambda fake: -fake.mean(),
        )
    if style == "wgan-gp":
        return (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean())
    criterion: Callable[[Tensor, Tensor], Tensor] = {
        "probabilities": F.binary_cross_entropy,
        "least-squares": F.mse_loss,
    }.get(style, F.binary_cross_entropy_with_logits)
    for_real, for_fake = (0.0, 1.0) if mistake == "swapped D" else (1.0, 0.0)
    target = 0.0 if mistake == "swapped G" else 1.0
    return (
        lambda real, fake: (
            criterion(real, torch.full_like(real, for_real))
            + criterion(fake, torch.full_like(fake, for_fake))
        ),
        lambda fake: criterion(fake, torch.full_like(fake, target)),
    )


class Training:
    """A loop in the usual form, with the mistake that is planted in it."""

    def __init__(self, loop: Loop, images: Images, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.loop, self.images = loop, images
        num_classes = images.num_classes if loop.style == "conditional" else 0
        self.generator = Generator(images.channels, loop.width, num_classes)
        self.discriminator = Discriminator(images.channels, loop.width, loop.style, num_classes)
        for network in (self.generator, self.discriminator):
            network.apply(init_weights)
        rate = 2e-2 if loop.mistake == "rate" else 2e-4
        betas = (0.0, 0.9) if loop.style == "wgan-gp" else (0.5, 0.999)
        trained = self.generator if loop.mistake == "optimizer" else self.discriminator
        self.optimizer_g, self.optimizer_d = (
            torch.optim.RMSprop(network.parameters(), lr=rate)
            if loop.mistake == "frozen D"
            else torch.optim.Adam(network.parameters(), lr=rate, betas=betas)
            for network in (self.generator, trained)
        )
        self.loss_d, self.loss_g = losses_of(loop.style, loop.mistake)
        self.random = np.random.default_rng(seed)
        if loop.mistake == "eval":
            self.generator.eval()

    def batch(self) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Draw a batch of real images as the loop scales them, and their labels if it has any."""
        indices = self.random.integers(0, len(self.images.pixels), self.loop.batch)
        pixels = self.images.pixels[indices]
        if self.loop.mistake == "bgr":
            pixels = pixels[..., ::-1].copy()
        real = torch.from_numpy(pixels).movedim(-1, 1).float() / 255
        if self.loop.mistake != "unit range":
            real = (real - 0.5) / 0.5
        if self.loop.mistake == "twice":
            real = (real - 0.5) / 0.5
        if self.loop.style != "conditional":
            return real, ()
        labels = self.images.labels[indices].copy()
        if self.loop.mistake == "random labels":
            wrong = self.random.random(self.loop.batch) < 1 / 3
            labels[wrong] = self.random.integers(0, self.images.num_classes, wrong.sum())
        return real, (torch.from_numpy(labels),)

    def clear(self, optimizer: torch.optim.Optimizer) -> None:
        """Clear gradients where the loop does so."""
        if self.loop.mistake != "no zero_grad":
            optimizer.zero_grad()

    def step(self) -> tuple[Tensor, Tensor]:
        """Make one step, and return the losses of the generator and the discriminator."""
        for _ in range(4 if self.loop.style == "wgan-gp" else 0):
            self.update_discriminator()
        leaks = self.loop.mistake == "no detach"
        if leaks:
            self.optimizer_g.zero_grad()
        fake, labels, loss_d = self.update_discriminator()
        if not leaks:
            self.clear(self.optimizer_g)
        self.discriminator.requires_grad_(self.loop.mistake != "frozen D")
        loss_g = self.loss_g(self.discriminator(fake, *labels))
        loss_g.backward()
        self.optimizer_g.step()
        return loss_g, loss_d

    def update_discriminator(self) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
        """Update the discriminator; return the generated images, their labels, and the loss."""
        self.discriminator.requires_grad_(True)
        is_attached = self.loop.mistake in ("no detach", "harmless detach")
        real, labels = self.batch()
        self.clear(self.optimizer_d)
        fake = self.generator(torch.randn(self.loop.batch, LATENT, 1, 1), *labels)
        shown = fake if is_attached else fake.detach()
        loss = self.loss_d(self.discriminator(real, *labels), self.discriminator(shown, *labels))
        if self.loop.style == "wgan-gp":
            loss = loss + 10 * self.penalty(real, fake.detach())
        loss.backward(retain_graph=is_attached)
        self.optimizer_d.step()
        return fake, labels, loss

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the gradient penalty of WGAN-GP, at points between real and generated images."""
        share = torch.rand(len(real), 1, 1, 1)
        points = (share * real + (1 - share) * fake).requires_grad_(True)
        logits = self.discriminator(points)
        (slope,) = torch.autograd.grad(logits, points, torch.ones_like(logits), create_graph=True)
        return ((slope.flatten(1).norm(2, dim=1) - 1) ** 2).mean()


@dataclass(frozen=True)
class Result:
    """What was found in a loop: its findings, each with the images seen when it was first there.

    ``verdict`` is the verdict at its end.
    """

    loop: Loop
    data: str
    findings: dict[str, int]
    notes: tuple[str, ...]
    verdict: str = ""

    @property
    def found_at(self) -> int | None:
        """The images seen when an expected finding was first there; None if it never was."""
        return min(
            (self.findings[name] for name in self.loop.expected if name in self.findings), default=None
        )

    @property
    def is_prior(self) -> bool:
        """Whether all expected findings that were there count only beside others, or at the beginning."""
        there = [name for name in self.loop.expected if name in self.findings]
        return bool(there) and all(getattr(detectors.load(name), "PRIOR", False) for name in there)

    @property
    def others(self) -> list[str]:
        """The other findings, in the order in which they came."""
        return [name for name in self.findings if name not in self.loop.expected]


def run(loop: Loop, images: Images, num_steps: int, folder: Path) -> Result:
    """Run a loop under ``gz.watch``, and diagnose it after each of its readings."""
    out = folder / "".join(c if c.isalnum() else "-" for c in f"{loop.name} {loop.given} {images.name}")
    if out.exists():
        shutil.rmtree(out)
    training = Training(loop, images)
    optimizers = (training.optimizer_g, training.optimizer_d) if loop.given else None
    done = 0

    def clock() -> float:
        return SECONDS_PER_STEP * done

    watched = Watch(
        training.generator, training.discriminator, images.path, out, optimizers, pace=PACE, clock=clock
    )
    with watched as watching:
        for done in range(1, num_steps + 1):
            watching.step(done * loop.batch, training.step())
    opened = gz.open_run(out)
    evidence = opened.evidence
    findings: dict[str, int] = {}
    verdict = ""
    for entry in evidence.entries:
        if "health" in entry:
            at = entry["images_seen"]
            diagnosis = diagnose(evidence.until(at))
            verdict = diagnosis.verdict
            for finding in diagnosis.findings:
                findings.setdefault(finding.name, at)
    return Result(loop, images.name, findings, tuple(watched.notes), verdict)


def of_loops() -> set[str]:
    """Return the findings that only loops can have."""
    from ganzfeld.health.exact import EXACT

    return {name for name in detectors.names() if set(detectors.load(name).READINGS) & set(EXACT)}


def results_of(loops: Sequence[Loop], num_steps: int, folder: Path) -> list[Result]:
    """Run loops on both datasets."""
    results = []
    for loop in loops:
        for data in ("faces", "fashion"):
            images = images_of(data, folder / "data", colour=loop.colour)
            result = run(loop, images, num_steps, folder)
            print(f"{loop.name}, {data}: {result.findings} {' '.join(result.notes)}", flush=True)
            results.append(result)
    return results


def table(results: Sequence[Result], num_steps: int) -> str:
    """Return the tables as Markdown."""
    mistakes = [result for result in results if result.loop.mistake and result.loop.expected]
    healthy = [result for result in results if not result.loop.expected]
    num_found = sum(result.found_at is not None for result in mistakes)
    by_prior = sum(result.is_prior for result in mistakes)
    alarms = sum(bool(of_loops() & result.findings.keys()) for result in healthy)
    lines = [
        f"`python tools/doctor_strangers.py --steps {num_steps}`, at {SIZE} px, batches of {Loop.batch}:",
        "",
        f"- **{num_found} of {len(mistakes)}** loops with a mistake have the finding for it at some check, "
        f"{by_prior} of them only one that counts while little has been learned.",
        f"- **{alarms} of {len(healthy)}** loops without a harmful one raise a finding that is for loops.",
        "",
        "| mistake | data | found | after images | other findings | verdict at the end |",
        "|---|---|---|---|---|---|",
    ]
    for result in mistakes:
        found = ", ".join(f"`{name}`" for name in result.loop.expected if name in result.findings) or "no"
        at = "" if result.found_at is None else f"{result.found_at:,}"
        cells = (result.loop.name, result.data, found, at, ", ".join(result.others), result.verdict)
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| loop without a mistake | data | findings |", "|---|---|---|"]
    lines += [
        f"| {result.loop.name} | {result.data} | {', '.join(result.findings) or 'none'} |"
        for result in healthy
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all loops, and write the table."""
    parser = argparse.ArgumentParser(description="Plant mistakes in plain PyTorch loops.")
    parser.add_argument("--steps", type=int, default=NUM_STEPS)
    parser.add_argument("--only", nargs="*", help="Words of the names of loops; nothing is written.")
    parser.add_argument("--loops", type=Path, default=FOLDER)
    options = parser.parse_args()
    if not FASHION.is_file():
        parser.error(f"{FASHION} is missing: install the Debian package dataset-fashion-mnist")
    torch.set_num_threads(1)
    loops = [*MISTAKES, *HEALTHY]
    if options.only:
        loops = [loop for loop in loops if any(word in loop.name for word in options.only)]
    text = table(results_of(loops, options.steps, options.loops), options.steps)
    print(text)
    if not options.only:
        page = PAGE.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)
        write_bytes(PAGE, (before + BEGIN + text + END + rest.split(END)[1]).encode())


if __name__ == "__main__":
    main()
