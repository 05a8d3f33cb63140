"""Penalties against exact values on a discriminator of known gradient; transformations by their effect."""

import pytest
import torch
from torch import Tensor, nn

from ganzfeld.errors import UsageError
from ganzfeld.geometry import plan
from ganzfeld.networks import Discriminator
from ganzfeld.stabilisers import stabiliser
from ganzfeld.stabilisers._base import GradientPenalty

pytestmark = pytest.mark.machine


class Quadratic(nn.Module):
    """D(x) = a/2 |x|^2, whose gradient is a x."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(3.0, dtype=torch.float64))

    def forward(self, images: Tensor) -> Tensor:
        return self.a / 2 * images.square().flatten(1).sum(1)


REAL, FAKE = torch.randn(2, 5, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def penalty_of(settings: dict, discriminator: nn.Module, real: Tensor, fake: Tensor, step: int = 0) -> Tensor:
    """The penalty at a step that has one."""
    penalty = stabiliser(settings).penalty(discriminator, real, fake, step, noise())
    assert penalty is not None
    return penalty


def noise() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize(("name", "images"), [("r1", REAL), ("r2", FAKE)])
def test_r1_and_r2(name, images):
    """weight/2 a^2 E|x|^2, and its derivative in a."""
    discriminator = Quadratic()
    penalty = penalty_of({"name": name, "weight": 0.7}, discriminator, REAL, FAKE)
    squared = float(images.square().flatten(1).sum(1).mean())
    assert penalty.item() == pytest.approx(0.7 / 2 * 9 * squared, rel=1e-6)
    penalty.backward()
    assert discriminator.a.grad is not None
    assert discriminator.a.grad.item() == pytest.approx(0.7 * 3 * squared, rel=1e-6)


def test_wgan_gp_is_exact_where_all_images_are_alike():
    discriminator = Quadratic()
    alike = REAL[:1].expand(4, -1, -1, -1)
    penalty = penalty_of({"name": "wgan-gp", "weight": 10.0}, discriminator, alike, alike)
    assert penalty.item() == pytest.approx(10 * (3 * float(alike[0].norm()) - 1) ** 2, rel=1e-6)


def test_wgan_gp_measures_between_the_images_of_a_pair():
    entry = stabiliser({"name": "wgan-gp"})
    assert isinstance(entry, GradientPenalty)
    points = entry.points(REAL, FAKE, noise())
    along = (points - REAL).flatten(1)
    line = (FAKE - REAL).flatten(1)
    share = (along * line).sum(1) / line.square().sum(1)
    torch.testing.assert_close(along, share[:, None] * line)
    assert torch.all((share >= 0) & (share <= 1))
    assert share.unique().numel() == len(REAL)


def test_lazy_penalties_keep_their_mean():
    lazy = {"name": "r1", "weight": 1.0, "every": 4}
    given = (Quadratic(), REAL, FAKE)
    values = [stabiliser(lazy).penalty(*given, step, noise()) for step in range(8)]
    assert [value is None for value in values] == [False, True, True, True] * 2
    eager = penalty_of(lazy | {"every": 1}, *given)
    assert penalty_of(lazy, *given).item() == pytest.approx(4 * eager.item())


def test_spectral_constrains_every_weight_and_no_gain():
    discriminator = Discriminator(plan(16), width=4, normalisation="layer")
    stabiliser({"name": "spectral"}).prepare(discriminator)
    for module in discriminator.modules():
        constrained = nn.utils.parametrize.is_parametrized(module)
        assert constrained == isinstance(module, nn.Conv2d | nn.Linear)
    assert discriminator(torch.randn(2, 3, 16, 16)).shape == (2,)


def test_instance_noise_fades():
    entry = stabiliser({"name": "instance-noise", "sigma": 0.5, "until": 0.5})
    still = torch.zeros(8, 3, 32, 32)
    strengths = [float(entry.transform(still, progress, noise()).std()) for progress in (0.0, 0.25, 0.5, 1.0)]
    assert strengths == pytest.approx([0.5, 0.25, 0.0, 0.0], rel=0.02)


PLAIN = {"brightness": 0, "saturation": 0, "contrast": 0, "translation": 0, "cutout": 0}


def test_colours_change_as_in_the_paper():
    """Brightness, then saturation, then contrast, each on what the one before has left (Zhao et al. 2020)."""
    images = REAL
    entry = stabiliser({"name": "augmentation", "translation": 0, "cutout": 0})
    found = entry.transform(images, 0, noise())
    replay = noise()
    saturation, brightness, contrast = (
        torch.rand(len(images), generator=replay).view(-1, 1, 1, 1) for _ in range(3)
    )
    seen = images + (brightness - 0.5)
    grey = seen.mean(1, keepdim=True)
    seen = (seen - grey) * (saturation * 2) + grey
    mean = seen.mean((1, 2, 3), keepdim=True)
    seen = (seen - mean) * (contrast + 0.5) + mean
    torch.testing.assert_close(found, seen)


def test_every_shift_is_as_likely():
    entry = stabiliser({"name": "augmentation", **PLAIN, "translation": 0.125})
    images = torch.zeros(9_000, 1, 16)
    images[:, :, 8] = 1
    places = entry.transform(images, 0, noise()).nonzero()[:, 2].bincount(minlength=16)
    assert places.nonzero().flatten().tolist() == [6, 7, 8, 9, 10]
    assert all(abs(int(count) - 1_800) < 200 for count in places[6:11])


def test_settings_of_earlier_versions_do_what_they_did():
    """To the last bit: runs that were begun with them are resumed."""
    entry = stabiliser({"name": "augmentation", "colour": 0.25, "translation": 0.2, "cutout": 0.0})
    assert stabiliser({"name": "augmentation", **entry.model_dump()}) == entry
    replay = noise()
    uniform = [torch.rand(len(REAL), generator=replay).to(REAL).view(-1, 1, 1, 1) * 2 - 1 for _ in range(4)]
    brightness, contrast = (number * 0.25 for number in uniform[:2])
    mean = REAL.mean((1, 2, 3), keepdim=True)
    expected = (REAL - mean) * (1 + contrast) + mean + brightness
    for axis, number in zip((2, 3), uniform[2:], strict=True):
        size = expected.shape[axis]
        shape = [1, 1, 1, 1]
        shape[axis] = size
        positions = torch.arange(size).view(shape) + (number * 0.2 * size).round()
        inside = (positions >= 0) & (positions < size)
        expected = expected.gather(axis, positions.clamp(0, size - 1).long().expand_as(expected)) * inside
    assert torch.equal(entry.transform(REAL, 0, noise()), expected)


def test_augmentation_moves_images_without_inventing():
    entry = stabiliser({"name": "augmentation", **PLAIN, "translation": 0.25})
    images = torch.zeros(64, 1, 16, 16)
    images[:, :, 8, 8] = 1
    moved = entry.transform(images, 0, noise())
    places = {tuple(place) for place in moved.nonzero()[:, 2:].tolist()}
    assert len(places) > 20
    assert all(4 <= y <= 12 and 4 <= x <= 12 for y, x in places)
    assert set(moved.unique().tolist()) == {0.0, 1.0}


def test_cutout_removes_a_box():
    entry = stabiliser({"name": "augmentation", **PLAIN, "cutout": 0.5})
    seen = entry.transform(torch.ones(200, 1, 16, 16), 0, noise())
    removed = (seen == 0).flatten(1).sum(1)
    assert int(removed.max()) == 64
    assert int(removed.min()) < 64, "boxes are cut by the border"


def test_augmentation_lets_gradients_through():
    images = REAL.clone().requires_grad_()
    settings = {"name": "augmentation", "translation": 0.2, "cutout": 0.2}
    out = stabiliser(settings).transform(images, 0, noise())
    (gradient,) = torch.autograd.grad(out.square().sum(), images)
    assert torch.isfinite(gradient).all()
    assert float(gradient.abs().sum()) > 0


def test_each_image_gets_its_own_change():
    entry = stabiliser({"name": "augmentation", **PLAIN, "brightness": 0.5})
    seen = entry.transform(REAL[:1].expand(6, -1, -1, -1), 0, noise())
    assert len({round(float(value), 6) for value in seen.flatten(1).mean(1)}) == 6


def test_unknown_names_are_answered():
    with pytest.raises(UsageError, match="r11"):
        stabiliser({"name": "r11"})
