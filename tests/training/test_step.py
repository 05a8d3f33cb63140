"""The step against the same mathematics written out naively, and the moving average against its formula."""

import copy

import pytest
import torch

from ganzfeld.geometry import plan
from ganzfeld.losses import Loss, losses
from ganzfeld.networks import Discriminator, Generator, initialise
from ganzfeld.stabilisers import stabiliser
from ganzfeld.training.step import GANState, StepConfig, StepContext, ema_decay, step, update_ema

pytestmark = pytest.mark.machine

LEARNING_RATE = 0.1


def gan(normalisation="batch") -> GANState:
    """Small networks in float64 with plain gradient descent, whose updates show the gradients."""
    generator = Generator(plan(8), width=4, latent_size=5, normalisation=normalisation).double()
    discriminator = Discriminator(plan(8), width=4).double()
    initialise(generator, 1)
    initialise(discriminator, 2)
    with torch.no_grad():
        for weight in [*generator.parameters(), *discriminator.parameters()]:
            weight.mul_(10)
    return GANState(
        generator,
        discriminator,
        torch.optim.SGD(generator.parameters(), LEARNING_RATE, fused=True),
        torch.optim.SGD(discriminator.parameters(), LEARNING_RATE, fused=True),
        copy.deepcopy(generator).requires_grad_(False),
    )


def players_with(normalisation: str) -> GANState:
    """The same with a normalisation in the discriminator."""
    game = gan()
    game.discriminator = Discriminator(plan(8), width=4, normalisation=normalisation).double()
    initialise(game.discriminator, 2)
    game.discriminator_optimizer = torch.optim.SGD(game.discriminator.parameters(), LEARNING_RATE, fused=True)
    return game


def context(index=0) -> StepContext:
    return StepContext(index, 0.0, torch.Generator().manual_seed(3))


REAL = torch.rand(6, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1
SOUND = torch.tensor(True)
LATENTS = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def naive_step(gan: GANState, loss: Loss, penalties) -> None:
    """The textbook's algorithm, one backward pass a network and nothing shared but the images."""
    generator, discriminator = gan.generator, gan.discriminator
    fake = generator(LATENTS)
    detached = fake.detach()
    cost = loss.discriminator(discriminator(REAL), discriminator(detached))
    for penalty in penalties:
        cost = cost + penalty.penalty(discriminator, REAL, detached, 0, context().noise)
    discriminator.zero_grad()
    cost.backward()
    gan.discriminator_optimizer.step()
    generator.zero_grad()
    loss.generator(discriminator(REAL).detach(), discriminator(fake)).backward()
    gan.generator_optimizer.step()


@pytest.mark.parametrize("name", losses.names())
@pytest.mark.parametrize("names", [[], ["r1", "r2"]])
def test_a_step_is_the_textbooks(name, names):
    ours, theirs = gan(), gan()
    penalties = [stabiliser({"name": each}) for each in names]
    outcome = step(ours, StepConfig(Loss(name), penalties, 0.9), REAL, LATENTS, context(), SOUND)
    expected = Loss(name).discriminator(
        theirs.discriminator(REAL), theirs.discriminator(theirs.generator(LATENTS))
    )
    naive_step(theirs, Loss(name), penalties)
    assert outcome.discriminator_loss.item() == pytest.approx(expected.item(), rel=1e-9)
    for side in ("generator", "discriminator"):
        pairs = zip(getattr(ours, side).parameters(), getattr(theirs, side).parameters(), strict=True)
        for found, wanted in pairs:
            torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("simultaneous", [False, True])
def test_the_generator_is_updated_at_every_third_step_only(simultaneous):
    ours = gan()
    config = StepConfig(Loss("wasserstein"), [], 0.9, simultaneous, discriminator_steps=3)
    changed = []
    for index in range(6):
        before = [weights_of(network) for network in (ours.generator, ours.discriminator, ours.generator_ema)]
        output = step(ours, config, REAL, LATENTS, context(index), SOUND)
        assert torch.isfinite(output.generator_loss)
        changed.append(
            [
                not same(weights, network)
                for weights, network in zip(
                    before, (ours.generator, ours.discriminator, ours.generator_ema), strict=True
                )
            ]
        )
    assert changed == [[False, True, False], [False, True, False], [True, True, True]] * 2


def test_steps_of_the_discriminator_alone_are_those_of_the_formula():
    """Three updates of D, then one of G, against them written out."""
    ours, theirs = gan(), gan()
    loss, config = Loss("wasserstein"), StepConfig(Loss("wasserstein"), [], 0.0, discriminator_steps=3)
    fake = theirs.generator(LATENTS)
    for index in range(3):
        output = step(ours, config, REAL, LATENTS, context(index), SOUND)
        theirs.discriminator.zero_grad()
        logits = theirs.discriminator(REAL), theirs.discriminator(fake.detach())
        if index < 2:
            torch.testing.assert_close(output.generator_loss, loss.generator(*logits).detach())
        loss.discriminator(*logits).backward()
        theirs.discriminator_optimizer.step()
    loss.generator(theirs.discriminator(REAL).detach(), theirs.discriminator(fake)).backward()
    theirs.generator_optimizer.step()
    for mine, expected in zip(ours.generator.parameters(), theirs.generator.parameters(), strict=True):
        torch.testing.assert_close(mine, expected)
    for mine, expected in zip(
        ours.discriminator.parameters(), theirs.discriminator.parameters(), strict=True
    ):
        torch.testing.assert_close(mine, expected)


def test_nothing_is_left_in_the_discriminators_gradients_by_the_generators_step():
    game = gan()
    step(game, StepConfig(Loss("non-saturating"), [], 0.9), REAL, LATENTS, context(), SOUND)
    left = [weight.grad for weight in game.discriminator.parameters()]
    again = gan()
    fake = again.generator(LATENTS).detach()
    Loss("non-saturating").discriminator(again.discriminator(REAL), again.discriminator(fake)).backward()
    for found, wanted in zip(left, again.discriminator.parameters(), strict=True):
        torch.testing.assert_close(found, wanted.grad)


def test_transformations_reach_both_kinds_of_images():
    seen = []

    class Spy(Discriminator):
        def forward(self, images, labels=None):
            seen.append(images.detach().clone())
            return super().forward(images, labels)

    game = gan()
    game.discriminator = Spy(plan(8), width=4).double()
    game.discriminator_optimizer = torch.optim.SGD(game.discriminator.parameters(), LEARNING_RATE, fused=True)
    noisy = stabiliser({"name": "instance-noise", "sigma": 0.5})
    step(game, StepConfig(Loss("relativistic-pairing"), [noisy], 0.9), REAL, LATENTS, context(), SOUND)
    real, _, real_again, _ = seen
    assert float((real - REAL).std()) == pytest.approx(0.5, rel=0.1)
    assert not torch.equal(real, real_again), "fresh noise every time"


def test_average_follows_weights_and_buffers():
    generator, average = (Generator(plan(8), width=2, latent_size=3) for _ in range(2))
    initialise(generator, 1)
    initialise(average, 2)
    generator(torch.randn(4, 3))
    before = {name: value.clone() for name, value in average.state_dict().items()}
    update_ema(average, generator, 0.75)
    for name, now in generator.state_dict().items():
        found = average.state_dict()[name]
        if now.is_floating_point():
            torch.testing.assert_close(found, 0.75 * before[name] + 0.25 * now)
        else:
            assert torch.equal(found, now), name


def test_average_forgets_its_beginning_and_may_be_off():
    assert [ema_decay(0.999, index) for index in (0, 10, 10**6)] == [0.1, 11 / 20, 0.999]
    game = gan()
    step(game, StepConfig(Loss("non-saturating"), [], 0.0), REAL, LATENTS, context(), SOUND)
    for mean, now in zip(game.generator_ema.parameters(), game.generator.parameters(), strict=True):
        torch.testing.assert_close(mean, now)


class Poison(torch.autograd.Function):
    """Passes images through and turns the gradient on its way back into infinity."""

    @staticmethod
    def forward(ctx, images):
        return images.clone()

    @staticmethod
    def backward(ctx, *gradients):
        return gradients[0] * torch.inf


def weights_of(network) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in network.parameters()]


def same(before, network) -> bool:
    return all(map(torch.equal, before, network.parameters()))


class TestWhatIsNotFinite:
    config = StepConfig(Loss("non-saturating"), [], 0.9)

    def test_in_an_image_changes_no_weight_then_or_later(self):
        game = gan()
        before = weights_of(game.generator), weights_of(game.discriminator)
        real = REAL.clone()
        real[2, 1, 3, 3] = torch.nan
        outcome = step(game, self.config, real, LATENTS, context(), SOUND)
        assert not outcome.all_finite
        later = step(game, self.config, REAL, LATENTS, context(1), outcome.all_finite)
        assert not later.all_finite
        assert same(before[0], game.generator)
        assert same(before[1], game.discriminator)

    def test_in_a_gradient_alone_is_seen(self):
        """The loss is finite; only what flows back to the generator is not."""

        class Poisonous(Generator):
            def forward(self, latents, labels=None):
                return Poison.apply(super().forward(latents, labels))

        game = gan()
        poisonous = Poisonous(plan(8), width=4, latent_size=5).double()
        poisonous.load_state_dict(game.generator.state_dict())
        game.generator = poisonous
        game.generator_optimizer = torch.optim.SGD(poisonous.parameters(), LEARNING_RATE, fused=True)
        before = weights_of(poisonous), weights_of(game.discriminator)
        outcome = step(game, self.config, REAL, LATENTS, context(), SOUND)
        assert torch.isfinite(outcome.generator_loss)
        assert not outcome.all_finite
        assert same(before[0], poisonous)
        assert not same(before[1], game.discriminator), "its own step, before, was good"

    def test_in_a_weight_is_seen(self):
        game = gan()
        with torch.no_grad():
            next(game.discriminator.parameters()).view(-1)[0] = torch.inf
        assert not step(game, self.config, REAL, LATENTS, context(), SOUND).all_finite

    def test_a_sound_step_is_sound(self):
        game = gan()
        before = weights_of(game.generator)
        assert step(game, self.config, REAL, LATENTS, context(), SOUND).all_finite
        assert not same(before, game.generator)


def naive_simultaneous(gan: GANState, loss: Loss, penalties) -> None:
    """Both gradients from the networks as they are, each by a backward pass of its own; then both updates."""
    generator, discriminator = gan.generator, gan.discriminator
    fake = generator(LATENTS)
    real_logits = discriminator(REAL)
    cost = loss.discriminator(real_logits, discriminator(fake.detach()))
    for penalty in penalties:
        cost = cost + penalty.penalty(discriminator, REAL, fake.detach(), 0, context().noise)
    of_discriminator = torch.autograd.grad(cost, list(discriminator.parameters()))
    cost = loss.generator(discriminator(REAL).detach(), discriminator(fake))
    of_generator = torch.autograd.grad(cost, list(generator.parameters()))
    for network, gradients in ((discriminator, of_discriminator), (generator, of_generator)):
        with torch.no_grad():
            for weight, gradient in zip(network.parameters(), gradients, strict=True):
                weight -= LEARNING_RATE * gradient


@pytest.mark.parametrize("every", [(1, 1), (2, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("names", [["r1", "r2"], ["r1", "wgan-gp"], ["r2"]])
@pytest.mark.parametrize("shared", [True, False])
def test_penalties_from_the_pass_of_the_loss_are_those_of_their_own_passes(names, every, shared):
    """At steps where both, one or none of them is due."""
    penalties = [
        stabiliser({"name": name, "every": steps}) for name, steps in zip(names, every, strict=False)
    ]
    for index in (0, 1):
        ours, theirs = gan(), gan()
        for players, per_sample in ((ours, True), (theirs, False)):
            config = StepConfig(
                Loss("relativistic-pairing"), penalties, 0.9, per_sample=per_sample, shared_penalties=shared
            )
            num_shared = sum(
                penalty.due(index) and name != "wgan-gp"
                for name, penalty in zip(names, penalties, strict=True)
            )
            assert len(config.penalties_from_loss_pass(index)) == num_shared * (shared and per_sample)
            step(players, config, REAL, LATENTS, context(index), SOUND)
        for side in ("generator", "discriminator"):
            pairs = zip(getattr(ours, side).parameters(), getattr(theirs, side).parameters(), strict=True)
            for found, wanted in pairs:
                torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


WAYS = [(one_pass, shared) for one_pass in (True, False) for shared in (True, False)]


class TestSimultaneous:
    @pytest.mark.parametrize("name", losses.names())
    @pytest.mark.parametrize("names", [[], ["r1", "r2"]])
    @pytest.mark.parametrize(("one_pass", "shared"), WAYS)
    def test_every_way_is_two_separate_passes(self, name, names, one_pass, shared):
        ours, theirs = gan(), gan()
        penalties = [stabiliser({"name": each}) for each in names]
        ways = {"simultaneous": True, "per_sample": True, "one_pass": one_pass, "shared_backward": shared}
        step(ours, StepConfig(Loss(name), penalties, 0.9, **ways), REAL, LATENTS, context(), SOUND)
        naive_simultaneous(theirs, Loss(name), penalties)
        for side in ("generator", "discriminator"):
            pairs = zip(getattr(ours, side).parameters(), getattr(theirs, side).parameters(), strict=True)
            for found, wanted in pairs:
                torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("precision", [torch.float64, torch.float32])
    @pytest.mark.parametrize("name", losses.names())
    def test_a_discriminator_gradient_of_zero_still_teaches_the_generator(self, name, precision):
        """Logits far out: hinge asks nothing more of D there, and the others next to nothing.

        In float32 the floor must not be so low that what D makes of it is flushed to zero.
        """
        ours, theirs = gan(), gan()
        for game in (ours, theirs):
            with torch.no_grad():
                list(game.discriminator.parameters())[-1].sub_(60.0)  # the bias of the logit
        config = StepConfig(Loss(name), [], 0.9, simultaneous=True, per_sample=True)
        for network in (ours.generator, ours.discriminator, ours.generator_ema):
            network.to(precision)
        step(ours, config, REAL.to(precision), LATENTS.to(precision), context(), SOUND)
        naive_simultaneous(theirs, Loss(name), [])
        rtol, atol = (1e-9, 1e-12) if precision == torch.float64 else (1e-3, 1e-5)
        for found, wanted in zip(ours.generator.parameters(), theirs.generator.parameters(), strict=True):
            torch.testing.assert_close(found.double(), wanted, rtol=rtol, atol=atol)

    def test_a_discriminator_with_batch_statistics_is_not_shared(self):
        """It would mix real with generated images, and the factor an image would be wrong."""
        ours, theirs = (players_with("batch") for _ in range(2))
        config = StepConfig(Loss("non-saturating"), [], 0.9, simultaneous=True, per_sample=False)
        step(ours, config, REAL, LATENTS, context(), SOUND)
        naive_simultaneous(theirs, Loss("non-saturating"), [])
        for side in ("generator", "discriminator"):
            pairs = zip(getattr(ours, side).parameters(), getattr(theirs, side).parameters(), strict=True)
            for found, wanted in pairs:
                torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("name", ["non-saturating", "relativistic-pairing", "hinge"])
    def test_in_float32_it_is_as_close_as_rounding(self, name):
        """Against the same in float64: no way loses more than a few bits."""
        exact = gan()
        naive_simultaneous(exact, Loss(name), [])
        for one_pass, shared in WAYS:
            game = gan()
            for network in (game.generator, game.discriminator, game.generator_ema):
                network.float()
            config = StepConfig(
                Loss(name),
                [],
                0.9,
                simultaneous=True,
                per_sample=True,
                one_pass=one_pass,
                shared_backward=shared,
            )
            step(game, config, REAL.float(), LATENTS.float(), context(), SOUND)
            for found, wanted in zip(game.generator.parameters(), exact.generator.parameters(), strict=True):
                torch.testing.assert_close(found.double(), wanted, rtol=1e-3, atol=1e-5)

    def test_turns_in_one_pass_are_turns_in_two(self):
        games = gan(), gan()
        for game, one_pass in zip(games, (True, False), strict=True):
            config = StepConfig(Loss("relativistic-pairing"), [], 0.9, per_sample=True, one_pass=one_pass)
            step(game, config, REAL, LATENTS, context(), SOUND)
        for found, wanted in zip(
            games[0].generator.parameters(), games[1].generator.parameters(), strict=True
        ):
            torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
