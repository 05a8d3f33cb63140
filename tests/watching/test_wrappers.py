"""Networks that are wrapped or compiled, and batches that only the loop knows."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import ganzfeld as gz
from ganzfeld.watching import Watch
from tests.conftest import blobs
from tests.watching.conftest import AT_EVERY_STEP, PlainLoop


def readings_of(folder: Path) -> set[str]:
    return {name for entry in gz.open_run(folder).journal for name in entry.get("health", {})}


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which torch.compile itself looks at
@pytest.mark.parametrize("kind", ["parallel", "compiled"])
def test_wrapped_networks_are_read(kind: str, array_file: Path, tmp_path: Path):
    loop = PlainLoop(blobs(200, 16))
    for side in ("generator", "discriminator"):
        network = getattr(loop, side)
        wrapped = nn.DataParallel(network) if kind == "parallel" else torch.compile(network, backend="eager")
        setattr(loop, side, wrapped)
    with Watch(
        loop.generator, loop.discriminator, array_file, tmp_path / "mine", pace=AT_EVERY_STEP
    ) as watch:
        for step in range(1, 20):
            watch.step(8 * step, loop.step())
        assert watch.notes == ()
    assert {"diversity", "dead_generator", "push_real", "batch_leak"} <= readings_of(tmp_path / "mine")


def test_batches_that_are_given_settle_what_cannot_be_seen(array_file: Path, tmp_path: Path):
    """Distort the images so much that they resemble nothing."""

    class Distorting(PlainLoop):
        def step(self):
            self.step_number += 1
            mix = torch.randperm(3 * 16 * 16)

            def distorted(images: torch.Tensor) -> torch.Tensor:
                return images.flatten(1)[:, mix].view_as(images)

            self.real_batch = distorted(self.real())
            fake = self.generator(torch.randn(8, 8, 1, 1))
            self.fake_batch = distorted(fake.detach())
            self.optimizer_d.zero_grad()
            losses = self.discriminator(self.fake_batch), self.discriminator(self.real_batch)
            loss_d = F.softplus(losses[0]).mean() + F.softplus(-losses[1]).mean()
            loss_d.backward()
            self.optimizer_d.step()
            self.optimizer_g.zero_grad()
            loss_g = F.softplus(-self.discriminator(distorted(fake))).mean()
            loss_g.backward()
            self.optimizer_g.step()
            return loss_g, loss_d

    for given in (False, True):
        loop, out = Distorting(blobs(200, 16)), tmp_path / str(given)
        with Watch(loop.generator, loop.discriminator, array_file, out, pace=AT_EVERY_STEP) as watch:
            for step in range(1, 24):
                losses = loop.step()
                batches = (loop.real_batch, loop.fake_batch) if given else ()
                watch.step(8 * step, losses, *batches)
        looks = [entry.get("health", {}) for entry in gz.open_run(out).journal]
        last = [look for look in looks if "push_generator" in look][-1]
        assert (last.get("push_real"), last.get("push_fake")) == ((1, -1) if given else (0, None))
        assert last["push_generator"] == 1
