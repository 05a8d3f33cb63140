"""Training by class: whose labels go where, what is refused, and whether a class that is asked for comes."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganzfeld as gz
from ganzfeld.compute.distributed import ALONE, Ranks, joined
from ganzfeld.compute.engine import choose_engine
from ganzfeld.data import open_images
from ganzfeld.errors import DataError, UsageError
from ganzfeld.geometry import plan
from ganzfeld.losses import Loss, losses
from ganzfeld.networks import Discriminator, Generator, initialise
from ganzfeld.options import TrainOptions
from ganzfeld.stabilisers import stabiliser
from ganzfeld.training.build import start
from ganzfeld.training.classes import classes_of
from ganzfeld.training.dry_run import rehearse
from ganzfeld.training.step import GANState, StepConfig, StepContext, step
from ganzfeld.training.trainer import Trainer
from ganzfeld.training.tuning.routes import fastest_route
from tests.conftest import blobs, coloured
from tests.training.conftest import SMALL, small, together
from tests.training.test_ranks import InDoublePrecision

pytestmark = pytest.mark.machine

WAYS = ["projection", "concatenation"]
NUM = 150


def trainer_on(path: Path, recipe, seed: int = 0, ranks: Ranks = ALONE) -> Trainer:
    dataset = open_images(path, size=recipe.size)
    return start(recipe, dataset, choose_engine("cpu", "float32"), seed, ranks)


class TestLabels:
    def test_are_those_of_the_images_and_a_pure_function_of_seed_and_step(self, by_class):
        trainer, again = (trainer_on(by_class, small(classes="projection", mirror=True)) for _ in range(2))
        seen = []
        for index in range(40):
            trainer.index, trainer.images_seen = index, 8 * index
            labels = trainer.labels()
            assert labels is not None
            brightest = (trainer.real() + 1).sum((2, 3)).argmax(1)
            assert torch.equal(labels, brightest), "the colour says the class"
            seen += labels.tolist()
        again.index, again.images_seen = 7, 56
        labels = again.labels()
        assert labels is not None and labels.tolist() == seen[56:64]
        shares = np.bincount(seen) / len(seen)
        assert shares == pytest.approx([0.6, 0.3, 0.1], abs=0.06), "classes come as often as in the data"

    def test_there_are_none_without_classes(self, by_class):
        trainer = trainer_on(by_class, small())
        assert trainer.labels() is None and trainer.class_cards == ()
        assert trainer.classes_hash == "" and trainer.images_by_class == []

    def test_reals_are_shown_class_by_class(self, by_class):
        classes = trainer_on(by_class, small(classes="projection")).classes
        assert classes is not None
        examples = classes.examples(12)
        assert classes.labels[examples].tolist() == [0, 1, 2] * 4
        assert len(set(examples.tolist())) == 12
        for num in (1, 63, 120, NUM, 2 * NUM):
            many = classes.examples(num)
            assert len(many) == len(set(many.tolist())) == min(num, NUM), "rare classes are passed over"


LEARNING_RATE = 0.1
REAL = torch.rand(6, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1
LATENTS = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 2, 1, 1, 2, 0])


def gan(way: str, normalisation: str = "none") -> GANState:
    """Small networks in float64 with plain gradient descent, whose updates show the gradients."""
    generator = Generator(plan(8), width=4, latent_size=5, num_classes=3, class_size=4).double()
    discriminator = Discriminator(
        plan(8), width=4, normalisation=normalisation, classes=way, num_classes=3
    ).double()
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


def context() -> StepContext:
    return StepContext(0, 0.0, torch.Generator().manual_seed(3))


def naive_step(game: GANState, loss: Loss, penalties, together: bool) -> None:
    """The textbook's two updates, each image judged by its own class, nothing shared."""
    generator, discriminator = game.generator, game.discriminator

    def judge(dataset):
        return discriminator(dataset, LABELS)

    def teach(network, cost):
        gradients = torch.autograd.grad(cost, list(network.parameters()), retain_graph=True)
        return list(zip(network.parameters(), gradients, strict=True))

    def move(pairs):
        with torch.no_grad():
            for weight, gradient in pairs:
                weight -= LEARNING_RATE * gradient

    fake = generator(LATENTS, LABELS)
    cost = loss.discriminator(judge(REAL), judge(fake.detach()))
    for penalty in penalties:
        cost = cost + penalty.penalty(judge, REAL, fake.detach(), 0, context().noise)
    of_discriminator = teach(discriminator, cost)
    if together:
        of_generator = teach(generator, loss.generator(judge(REAL).detach(), judge(fake)))
        move(of_discriminator)
    else:
        move(of_discriminator)
        of_generator = teach(generator, loss.generator(judge(REAL).detach(), judge(fake)))
    move(of_generator)


@pytest.mark.parametrize("name", losses.names())
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("simultaneous", [True, False])
def test_every_way_of_a_step_is_the_textbooks(name, way, simultaneous):
    """All losses, all penalties, one pass or two, a backward pass of one's own or shared."""
    penalties = [stabiliser({"name": each}) for each in ("r1", "r2", "wgan-gp")]
    theirs = gan(way)
    naive_step(theirs, Loss(name), penalties, simultaneous)
    for one_pass in (True, False):
        for shared in (True, False) if simultaneous else (True,):
            ours = gan(way)
            config = StepConfig(
                Loss(name),
                penalties,
                0.9,
                simultaneous=simultaneous,
                per_sample=True,
                one_pass=one_pass,
                shared_backward=shared,
            )
            step(ours, config, REAL, LATENTS, context(), torch.tensor(True), LABELS)
            for side in ("generator", "discriminator"):
                pairs = zip(getattr(ours, side).parameters(), getattr(theirs, side).parameters(), strict=True)
                for found, wanted in pairs:
                    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-11)


def test_batch_statistics_in_the_discriminator_too():
    ours, theirs = (gan("projection", "batch") for _ in range(2))
    config = StepConfig(Loss("non-saturating"), [], 0.9, simultaneous=True, per_sample=False)
    step(ours, config, REAL, LATENTS, context(), torch.tensor(True), LABELS)
    naive_step(theirs, Loss("non-saturating"), [], together=True)
    for found, wanted in zip(ours.discriminator.parameters(), theirs.discriminator.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("way", WAYS)
def test_two_ranks_are_one(way, by_class):
    recipe = small("modern", classes=way, stabilisers=["r1", "r2"], mirror=True)

    def trained(ranks: Ranks) -> dict[str, torch.Tensor]:
        trainer = InDoublePrecision.of(recipe, by_class, ranks)
        for _ in range(3):
            trainer.advance()
        networks = trainer.gan.generator, trainer.gan.discriminator
        weights = [pair for network in networks for pair in network.named_parameters()]
        return {f"{at} {name}": weight.detach() for at, (name, weight) in enumerate(weights)}

    def work():
        with joined() as ranks:
            return trained(ranks)

    alone = trained(ALONE)
    for shared in together(2, work):
        for name, wanted in alone.items():
            torch.testing.assert_close(
                shared[name], wanted, rtol=1e-7, atol=1e-10, msg=lambda m, n=name: f"{n}: {m}"
            )


class TestRefused:
    def data(self, tmp_path: Path, labels) -> Path:
        np.savez(tmp_path / "some.npz", images=blobs(len(labels), 16), labels=np.array(labels))
        return tmp_path / "some.npz"

    def refusal(self, path: Path) -> DataError:
        with pytest.raises(DataError) as caught:
            trainer_on(path, small(classes="projection"))
        return caught.value

    def test_no_classes(self, array_file, folder):
        for path in (array_file, folder):
            error = self.refusal(path)
            assert "have no classes" in error.message
            assert "folder of its own" in error.hint and "classes=none" in error.hint

    def test_one_class(self, tmp_path):
        assert "all images are" in self.refusal(self.data(tmp_path, [3] * 12)).message.replace(
            f"in {tmp_path / 'some.npz'} ", ""
        )

    def test_an_image_without_a_class(self, tmp_path, monkeypatch):
        dataset = open_images(self.data(tmp_path, [0, 1] * 6), size=(16, 16))
        labels = np.array([0, 1, 0, -1, 1, 0, 0, 1, 0, -1, 1, 0])
        vars(dataset)["labels"] = labels
        with pytest.raises(DataError, match=r"2 of 12 images have no class, such as .*\[3\]"):
            classes_of(dataset)

    def test_a_class_without_an_image(self, tmp_path):
        dataset = open_images(self.data(tmp_path, [0, 1, 2] * 4), size=(16, 16))
        vars(dataset)["labels"] = np.array([0, 2] * 6)
        with pytest.raises(DataError, match="class 1 has no usable image"):
            classes_of(dataset)

    def test_more_classes_than_a_card_holds(self, tmp_path):
        dataset = open_images(self.data(tmp_path, [0, 1] * 6), size=(16, 16))
        dataset.manifest.class_names = [str(number) for number in range(2001)]
        vars(dataset)["labels"] = np.arange(2001)
        with pytest.raises(DataError, match="2,001 classes"):
            classes_of(dataset)

    @pytest.mark.parametrize("names", [["a", "b" * 256], ["\udc80", "\\udc80"]])
    def test_names_that_a_card_cannot_hold(self, tmp_path, names):
        dataset = open_images(self.data(tmp_path, [0, 1] * 6), size=(16, 16))
        dataset.manifest.class_names = names
        with pytest.raises(DataError, match="at most 255 characters"):
            classes_of(dataset)

    def test_an_unknown_way(self):
        with pytest.raises(UsageError) as caught:
            small(classes="projektion")
        assert "projection" in caught.value.hint


class TestGoingOn:
    def test_exactly(self, by_class, tmp_path):
        settings = SMALL | {
            "classes": "projection",
            "schedule.decay": "none",
        }  # so that the end plays no part
        options = {"settings": settings, "seed": 3, "route": "plain"}
        straight = gz.train(by_class, images=96, out=tmp_path / "straight", **options)
        stopped = gz.train(by_class, images=48, out=tmp_path / "stopped", **options)
        gz.resume(stopped.path, images=96)
        ours, theirs = stopped.generator.state_dict(), straight.generator.state_dict()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)

    def test_not_with_other_labels(self, tmp_path):
        """The pixels are the same: only the classes tell."""
        (dataset, labels), path = coloured(), tmp_path / "set.npz"
        np.savez(path, images=dataset, labels=labels)
        settings = SMALL | {"classes": "concatenation"}
        run = gz.train(path, images=8, out=tmp_path, settings=settings, route="plain")
        np.savez(path, images=dataset, labels=(labels + 1) % 3)
        with pytest.raises(DataError, match="the classes of the images are not those of the run"):
            gz.resume(run.path, images=16)


def test_the_fastest_route_and_the_dry_run_know_of_classes(by_class):
    trainer = trainer_on(by_class, small(classes="concatenation"))
    trainer.take(fastest_route(trainer, lambda *_: None))
    trainer.advance()
    told = rehearse(by_class, TrainOptions(settings=SMALL | {"classes": "projection"}, images=80))
    assert "150 colour images of 3 classes" in told["summary"]


@pytest.fixture(scope="module")
def two_folders(tmp_path_factory) -> Path:
    """Blobs of 8 px, red in one folder and blue in the other, three red ones for two blue ones."""
    root = tmp_path_factory.mktemp("blobs") / "colours"
    for number, image in enumerate(blobs(200, 8)):
        name = "blue" if number % 5 < 2 else "red"
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image * np.array([name == "red", 0, name == "blue"], np.uint8)).save(
            folder / f"{number}.png"
        )
    return root


def redness(dataset: np.ndarray) -> float:
    """The share of images that are redder than blue."""
    means = dataset.astype(float).mean((1, 2))
    return float((means[:, 0] > means[:, 2]).mean())


@pytest.fixture(scope="module", params=WAYS)
def trained(request, two_folders, tmp_path_factory) -> gz.Run:
    settings = SMALL | {"classes": request.param, "size": 8, "ema": 0.9}
    settings |= {f"{side}.optimizer.lr": 3e-3 for side in ("generator", "discriminator")}
    out = tmp_path_factory.mktemp("runs")
    return gz.train(two_folders, images=6000, settings=settings, out=out, route="plain")


class TestWholeRun:
    """A folder of two classes, and images of the class that was asked for."""

    def test_the_class_asked_for_comes(self, trained):
        assert trained.classes == ("blue", "red")
        red, blue = (redness(trained.sample(64, of=name)) for name in ("red", "blue"))
        assert red > 0.9 and blue < 0.1, (red, blue)

    def test_classes_come_in_turn_when_none_is_asked_for(self, trained):
        mixed = trained.sample(8)
        for label, name in enumerate(trained.classes):
            assert np.array_equal(trained.sample(8, of=name)[label::2], mixed[label::2])

    def test_one_seed_and_class_one_image(self, trained):
        many = trained.sample(seeds=range(130), of="red")
        assert np.array_equal(trained.sample(seeds=[129], of="red")[0], many[129])
        assert np.array_equal(trained.sample(seeds=[7])[0], trained.sample(130)[7])

    def test_the_sheet_has_a_column_for_each_class(self, trained):
        with Image.open(trained.sample_files[-1]) as sheet:
            pixels = np.asarray(sheet)
        cells = [
            pixels[10 * row : 10 * row + 8, 10 * column : 10 * column + 8].mean((0, 1))
            for row in range(8)
            for column in range(8)
        ]
        reds = np.array([cell[0] > cell[2] for cell in cells]).reshape(8, 8)
        assert reds[:, 1::2].mean() > 0.9 and reds[:, ::2].mean() < 0.1

    def test_the_card_names_them_and_their_numbers(self, trained):
        card = json.loads((trained.path / "model" / "last" / "card.json").read_text())
        assert card["classes"] == [{"name": "blue", "num_pictures": 80}, {"name": "red", "num_pictures": 120}]
        assert card["generator"]["num_classes"] == 2

    def test_load_gives_a_generator_of_latents_and_labels(self, trained):
        generator = gz.load(trained.path)
        latents = gz.latents_of_seeds(range(4), generator.latent_size)
        dataset = generator(latents, torch.tensor([0, 1, 0, 1]))
        assert dataset.shape == (4, 3, 8, 8)
        with pytest.raises(UsageError, match="no labels"):
            generator(latents)

    def test_an_unknown_class_is_answered_with_the_nearest(self, trained):
        with pytest.raises(UsageError, match="no class 'bleu'") as caught:
            trained.sample(4, of="bleu")
        assert caught.value.hint == "Did you mean blue?"


def test_a_run_without_classes_says_so(two_folders, tmp_path):
    run = gz.train(two_folders, images=16, settings=SMALL, out=tmp_path, route="plain")
    assert run.classes == ()
    with pytest.raises(UsageError, match="has no classes") as caught:
        run.sample(4, of="red")
    assert "classes=projection" in caught.value.hint
