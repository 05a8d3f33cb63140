"""Every reading, against its definition computed in another way and the fault that it should show."""

import dataclasses
import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ganzfeld.geometry import plan
from ganzfeld.health.probe import ProbeContext
from ganzfeld.health.readings import readings
from ganzfeld.losses import Loss, losses
from ganzfeld.networks import Generator
from ganzfeld.networks.outputs import outputs
from tests.health.conftest import examined
from tests.training.conftest import small

pytestmark = pytest.mark.machine

logits, gradients, units, output, latent, batch, spectrum = (
    readings.load(name) for name in ("logits", "gradients", "units", "output", "latent", "batch", "spectrum")
)


def read(entry: ModuleType, probe: ProbeContext, **changes: Any) -> dict[str, float]:
    """Take the readings of an entry from a probe with some changed values."""
    cached = {name: changes.pop(name) for name in ("images", "generator_trace") if name in changes}
    changed = dataclasses.replace(probe, **changes)
    changed.__dict__.update(cached)
    return {name: float(value) for name, value in entry.read(changed).items()}


@pytest.fixture
def anyone(probe):
    """Return a probe for tests that only use its logits or its images."""
    return probe(small())


class TestLogits:
    def of(self, anyone: ProbeContext, real: np.ndarray, fake: np.ndarray, loss: str = "non-saturating"):
        real_logits, fake_logits = (torch.from_numpy(each).float() for each in (real, fake))
        return read(logits, anyone, real_logits=real_logits, fake_logits=fake_logits, loss=Loss(loss))

    def test_separation_and_overlap_are_those_of_all_pairs(self, anyone):
        """Include ties."""
        random = np.random.default_rng(0)
        for shift in (-1, 0, 2):
            real, fake = random.integers(-3, 4, (2, 5, 7)).astype(float)
            real = real + shift
            found = self.of(anyone, real, fake)
            pairs = real[:, :, None] - fake[:, None, :]
            assert found["separation"] == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
            centre = (real.mean(1, keepdims=True) + fake.mean(1, keepdims=True)) / 2
            ours, theirs = (
                ((each - centre).ravel()[None] <= np.linspace(-9, 9, 4001)[:, None]).mean(1)
                for each in (real, fake)
            )
            assert found["overlap"] == pytest.approx(1 - np.abs(ours - theirs).max(), abs=1e-6)
            assert found["logit_real_std"] == pytest.approx(real.std(), rel=1e-5)
            assert found["logit_fake_std"] == pytest.approx(fake.std(), rel=1e-5)
            assert found["logit_size"] == max(np.abs(real).max(), np.abs(fake).max())

    def test_what_all_logits_of_a_step_share_does_not_count(self, anyone):
        real, fake = np.random.default_rng(0).normal(size=(2, 64, 8)) + np.array([[[1.0]], [[0.0]]])
        drift = 10 * np.random.default_rng(1).normal(size=(64, 1))
        steady, drifting = self.of(anyone, real, fake), self.of(anyone, real + drift, fake + drift)
        for name in ("separation", "overlap"):
            assert drifting[name] == pytest.approx(steady[name], abs=1e-3)

    def test_a_discriminator_that_has_won(self, anyone):
        noise = np.random.default_rng(0).normal(size=(2, 64, 8))
        guessing, sure = self.of(anyone, *noise), self.of(anyone, noise[0] + 20, noise[1] - 20)
        assert guessing["separation"] == pytest.approx(0.5, abs=0.05)
        assert guessing["overlap"] > 0.9
        assert (sure["separation"], sure["overlap"]) == (1, 0)
        assert guessing["lesson_discriminator"] > 0.5 > 1e-6 > sure["lesson_discriminator"]
        assert sure["lesson_generator"] == pytest.approx(2, rel=1e-6), "which is why it is not saturating"
        assert self.of(anyone, noise[0] + 20, noise[1] - 20, "minimax")["lesson_generator"] < 1e-6

    def test_lessons_are_derivatives(self, anyone):
        real, fake = np.random.default_rng(0).normal(size=(2, 6, 8))
        found = self.of(anyone, real, fake)
        chance_real, chance_fake = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
        assert found["lesson_discriminator"] == pytest.approx((1 - chance_real).mean() + chance_fake.mean())
        assert found["lesson_generator"] == pytest.approx((1 - chance_fake).mean() / 0.5)

    @pytest.mark.parametrize("loss", losses.names())
    def test_lessons_begin_at_one(self, anyone, loss):
        found = self.of(anyone, np.zeros((3, 4)), np.zeros((3, 4)), loss)
        assert (found["lesson_discriminator"], found["lesson_generator"]) == pytest.approx((1, 1))

    @pytest.mark.parametrize(("period", "steps"), [(2.5, 60), (8, 64), (16, 64), (9, 63), (4, 16)])
    def test_a_rhythm_is_heard(self, anyone, period, steps):
        """Find it in spite of a trend and of noise from the images of a batch."""
        random = np.random.default_rng(0)
        noise = 0.3 * random.normal(size=(2, steps, 8))
        wave = np.sin(2 * math.pi * np.arange(steps) / period + 1)[:, None]
        found = self.of(anyone, noise[0] + wave + 0.2 * np.arange(steps)[:, None], noise[1] - wave)
        assert found["rhythm_period"] == pytest.approx(period)
        assert found["rhythm"] > 2.5

    def test_noise_has_no_rhythm(self, anyone):
        random = np.random.default_rng(0)
        for steps in (63, 64):
            heard = [self.of(anyone, *random.normal(size=(2, steps, 1)))["rhythm"] for _ in range(300)]
            assert np.mean(heard) == pytest.approx(1, abs=0.06)

    def test_few_steps_have_no_rhythm(self, anyone):
        assert "rhythm" not in self.of(anyone, *np.random.default_rng(0).normal(size=(2, 15, 4)))


class TestGradients:
    def test_update_ratio_is_what_the_step_did(self, array_file):
        trainer, health_monitor = examined(array_file, small("modern", **{"generator.optimizer.lr": 0.01}))
        for _ in range(3):
            health_monitor.note(trainer.advance())
        generator = trainer.gan.generator
        before = [weight.detach().clone() for weight in generator.parameters()]
        health_monitor.note(trainer.advance())
        found = read(gradients, health_monitor.probe())
        pairs = [pair for pair in zip(before, generator.parameters(), strict=True) if pair[0].dim() > 1]
        ratios = [float(((now - then).norm() / now.norm()).detach()) for then, now in pairs]
        assert found["update_ratio_generator"] == pytest.approx(sorted(ratios)[(len(ratios) - 1) // 2], 1e-4)

    def test_norms(self, anyone):
        found = read(gradients, anyone)
        for side, network in (("generator", anyone.generator), ("discriminator", anyone.discriminator)):
            weights = list(network.parameters())
            slopes = [weight.grad for weight in weights if weight.grad is not None]
            whole = torch.cat([slope.flatten() for slope in slopes])
            assert found[f"gradient_{side}"] == pytest.approx(float(whole.norm()), rel=1e-5)
            sizes = [float(slope.square().mean().sqrt()) for slope in slopes if slope.dim() > 1]
            assert found[f"gradient_reach_{side}"] == pytest.approx(min(sizes) / max(sizes), rel=1e-5)
            whole = torch.cat([weight.detach().flatten() for weight in weights])
            assert found[f"weight_size_{side}"] == pytest.approx(float(whole.norm()), rel=1e-5)

    def test_a_layer_that_is_not_reached(self, anyone):
        first = anyone.generator.projection[0]
        for weight in first.parameters():
            weight.grad = torch.zeros_like(weight)
        assert read(gradients, anyone)["gradient_reach_generator"] == 0

    def test_without_gradients_nothing_is_read(self, anyone):
        for weight in [*anyone.generator.parameters(), *anyone.discriminator.parameters()]:
            weight.grad = None
        assert gradients.read(anyone) == {}


class TestUnits:
    def test_a_healthy_network_has_none(self, probe):
        for name in ("modern", "seed", "radford2015"):
            found = read(units, probe(small(name)))
            assert found == {"dead_generator": 0, "dead_discriminator": 0}

    def test_half_a_layer_of_the_generator(self, anyone):
        norm = anyone.generator.layers[0][1]
        with torch.no_grad():
            norm.bias[: len(norm.bias) // 2] = -100
        assert read(units, anyone)["dead_generator"] == 0.5

    def test_a_discriminator_below_zero(self, probe):
        sick = probe(small(**{"discriminator.activation": "relu"}))
        with torch.no_grad():
            sick.discriminator.layers[2][0].bias.fill_(-100)
        assert read(units, sick)["dead_discriminator"] == 1

    @pytest.mark.parametrize("activation", ["elu", "silu"])
    def test_constant_is_as_dead_as_zero(self, probe, activation):
        sick = probe(small(**{"generator.activation": activation}))
        with torch.no_grad():
            sick.generator.projection[1].weight.zero_()
        assert read(units, sick)["dead_generator"] == 1


class TestOutput:
    @pytest.mark.parametrize(("name", "edge"), [("tanh", math.sqrt(0.999)), ("sigmoid", math.sqrt(0.998))])
    def test_edges_are_where_the_derivative_says(self, name, edge):
        found = output._bounds(outputs.load(name).output())
        assert found == pytest.approx((-edge, edge), abs=1e-6)

    @pytest.mark.parametrize("name", ["tanh", "sigmoid", "clip"])
    def test_a_large_init(self, probe, name):
        sick = probe(small(**{"generator.output": name}))
        assert read(output, sick)["saturated"] < 0.01
        with torch.no_grad():
            sick.generator.layers[-1].weight.mul_(1e5)
        found = read(output, sick)
        assert found["saturated"] > 0.9
        assert found["stuck"] < 0.1, "it still says different things"

    def test_stuck_counts_what_is_not_so_in_real_images(self, anyone):
        with torch.no_grad():
            anyone.generator.layers[-1].bias.fill_(1e5)
        white = torch.ones_like(anyone.real)
        assert read(output, anyone, real=white) == {"saturated": 1, "saturated_real": 1, "stuck": 0}
        assert read(output, anyone, real=-white) == {"saturated": 1, "saturated_real": 1, "stuck": 1}
        assert read(output, anyone, real=0 * white) == {"saturated": 1, "saturated_real": 0, "stuck": 1}
        half = white.clone()
        half[::2] = 0
        assert read(output, anyone, real=half)["stuck"] == pytest.approx(0.5, abs=0.01)

    def test_linear_never_saturates(self, probe):
        assert read(output, probe(small(**{"generator.output": "linear"}))) == {}


class TestLatent:
    def test_distances_are_those_of_all_pairs(self, anyone):
        images, real = torch.rand(2, 6, 3, 32, 32) * torch.tensor([1.0, 2.0])[:, None, None, None, None]
        shown = {"latents": anyone.latents[:6], "images": images, "real": real}
        found = read(latent, anyone, images_before=None, **shown)

        def pairs(given: torch.Tensor) -> np.ndarray:
            cells = given.unflatten(2, (16, 2)).unflatten(4, (16, 2)).mean((3, 5)).flatten(1).numpy()
            return np.linalg.norm(cells[:, None] - cells[None], axis=2)

        apart, apart_real = pairs(images), pairs(real)
        others = ~np.eye(6, dtype=bool)
        diversity = apart[others].mean() / apart_real[others].mean()
        assert found["diversity"] == pytest.approx(diversity, rel=1e-5)
        nearest, nearest_real = ((each + 1e9 * np.eye(6)).min(1) for each in (apart, apart_real))
        assert found["twins"] == pytest.approx((nearest < np.quantile(nearest_real, 0.05)).mean())

    def test_a_collapsed_generator(self, anyone):
        real = read(latent, anyone, images=anyone.real)
        assert real["diversity"] == pytest.approx(1)
        assert real["twins"] == 4 / 64, "the least that is not below 5 %"
        one = anyone.real[:1].expand_as(anyone.real)
        found = read(latent, anyone, images=one)
        assert (found["diversity"], found["twins"]) == (0, 1)
        two = anyone.real[:2].repeat(len(anyone.real) // 2, 1, 1, 1)
        assert read(latent, anyone, images=two)["twins"] == 1, "two images, told apart and not varied"

    def test_a_latent_that_is_ignored(self, probe):
        sick = probe(small(**{"generator.normalisation": "none"}))
        before = read(latent, sick)
        with torch.no_grad():
            for parameter in sick.generator.projection.parameters():
                parameter.normal_()
            sick.generator.projection[0].linear.weight.mul_(1e-6)
        found = read(latent, sick)
        assert before["latent_share"] > 0.1 > 1e-6 > found["latent_share"] >= 0
        with torch.no_grad():
            sick.generator.projection[0].linear.weight.zero_()
        found = read(latent, sick)
        assert found["latent_share"] == 0
        assert math.isnan(found["sensitivity"])

    def test_a_linear_map_has_sensitivity_one(self, probe):
        linear = {"normalisation": "none", "activation": "leaky-relu", "slope": 1.0, "output": "linear"}
        changes = {f"generator.{name}": value for name, value in linear.items()} | {"latent.size": 64}
        recipe = small("modern", **changes)
        assert read(latent, probe(recipe))["sensitivity"] == pytest.approx(1, abs=0.1)

    def test_cliffs_are_rugged(self, anyone):
        """Replace the output by its sign."""
        before = read(latent, anyone)["sensitivity"]
        with torch.no_grad():
            anyone.generator.layers[-1].weight.mul_(1e4)
        assert read(latent, anyone)["sensitivity"] > 3 * before

    def test_drift(self, anyone):
        assert "drift" not in read(latent, anyone, images_before=None)
        assert read(latent, anyone, images_before=anyone.images)["drift"] == 0
        others = read(latent, anyone, images=anyone.real, images_before=anyone.real.roll(1, 0))
        assert others["drift"] == pytest.approx(1, abs=0.25)


class TestBatch:
    @pytest.mark.parametrize("size", [4, 8, 32])
    def test_noise_is_the_change_between_any_two_batches(self, probe, size):
        """Compare with many random choices of the other images."""
        anyone = probe(small("modern", batch=size))
        image, mates = anyone.latents[:1], torch.randn(2, 60, size - 1, anyone.latents.shape[1])
        generator = anyone.generator
        with torch.no_grad():
            made = [[generator(torch.cat((image, each)))[0] for each in draws] for draws in mates]
            images = generator(anyone.latents)
        first, second = (torch.stack(each) for each in made)
        change = (first - second).square().mean().sqrt()
        spread = (images - images.mean(0)).square().mean().sqrt()
        # One latent against the mean over many: within a half.
        assert read(batch, anyone)["batch_noise"] == pytest.approx(float(change / spread), rel=0.5)

    def test_noise_falls_with_the_batch(self, probe):
        found = [read(batch, probe(small("modern", batch=size)))["batch_noise"] for size in (4, 16, 64)]
        assert found[0] > found[1] > found[2] > 0

    def test_is_read_where_there_are_statistics(self, probe):
        both = ("batch_noise", "batch_leak")
        for generator, discriminator, wanted in (
            *(("batch", "batch", both), ("batch", "none", both[:1])),
            *(("layer", "batch", both[1:]), ("group", "spectral", ())),
        ):
            changes = {
                "generator.normalisation": generator,
                "discriminator.normalisation": discriminator,
            }
            assert tuple(read(batch, probe(small("radford2015", **changes)))) == wanted

    def test_a_leak(self, probe):
        """Check that the leak grows with the difference between the generated and the real half."""
        sick = probe(small("radford2015"))
        others = sick.some_real[len(sick.some_real) // 2 :]
        found = []
        for brighter in (0.0, 0.2, 0.5, 1.0):
            generated = dataclasses.replace(sick.generator_trace, output=others + brighter)
            found.append(read(batch, sick, generator_trace=generated)["batch_leak"])
        assert found[0] == 0, "were they the real ones, nothing would move"
        assert found == sorted(found)
        assert found[-1] > 0.2


class TestSpectrum:
    def test_power_is_that_of_a_transform(self):
        rows = torch.randn(5, 32)
        window = np.hanning(33)[:-1]
        wanted = np.abs(np.fft.rfft(rows.numpy() * window)) ** 2
        found = spectrum._power(rows, [number / 32 for number in range(17)])
        assert np.allclose(found.numpy(), wanted.mean(0), rtol=1e-4)

    def test_a_printed_pattern_shows(self, anyone):
        noise = torch.randn(2, 64, 3, 16, 16)
        images = noise.cumsum(-1).cumsum(-2) / 50
        for strength, least, most in ((0.0, -0.2, 0.2), (0.5, 1.0, 4.0)):
            pattern = strength * (torch.arange(16) % 2)
            found = read(spectrum, anyone, images=images[0] + pattern, real=images[1])
            assert least < found["checkerboard"] < most

    @pytest.mark.parametrize(("ladder", "uneven"), [([32, 16, 8, 4], False), ([31, 15, 7, 3], True)])
    def test_kernels_that_the_stride_does_not_divide(self, anyone, ladder, uneven):
        """Use smooth weights in every layer, so that only the overlap shows."""
        size = plan(ladder[0], dims=2, ladder=ladder)
        assert size.layers[-1].kernel == ((3, 3) if uneven else (4, 4))
        generator = Generator(size, width=4, latent_size=16, normalisation="none")
        with torch.no_grad():
            for module in generator.modules():
                if isinstance(module, nn.ConvTranspose2d):
                    module.weight.fill_(0.1)
            images = generator(torch.randn(64, 16))
        real = torch.randn(64, 3, ladder[0], ladder[0]).cumsum(-1).cumsum(-2) / 50
        found = read(spectrum, anyone, generator=generator, images=images, real=real)
        # An even overlap leaves the edges of the image.
        assert found["checkerboard"] > 1.7 if uneven else found["checkerboard"] < 1

    def test_images_of_one_colour_are_finite(self, anyone):
        flat = torch.zeros_like(anyone.images)
        assert read(spectrum, anyone, images=flat, real=flat) == {"checkerboard": 0}
