"""The discriminator of a run: the same function as in the checkpoint, with a card that says which."""

import shutil
from pathlib import Path

import pytest
import torch

import ganzfeld as gz
from ganzfeld.compute.engine import choose_engine
from ganzfeld.data import open_images
from ganzfeld.errors import DamagedError, UsageError
from ganzfeld.training.build import start
from ganzfeld.training.snapshot import restore
from tests.inside.conftest import IMAGES


def logits_of_checkpoint(run: gz.Run, images: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
    """What the trainer's own discriminator says, restored from the last checkpoint."""
    dataset = open_images(str(run.metadata.data), size=run.recipe.size)
    trainer = start(run.recipe, dataset, choose_engine("cpu", "float32"), 5)
    restore(trainer, run.history.read(run.history.all()[-1]))
    return trainer.gan.discriminator.eval()(images, labels)


def copied(run: gz.Run, to: Path) -> gz.Run:
    shutil.copytree(run.path, to)
    return gz.open_run(to)


def test_it_is_the_one_of_the_checkpoint(run: gz.Run):
    images = torch.randn(4, 3, 16, 16)
    expected = logits_of_checkpoint(run, images, None)
    torch.testing.assert_close(run.discriminator(images), expected, atol=1e-4, rtol=1e-4)
    assert not run.discriminator.training
    assert run.discriminator_card.images_seen == IMAGES
    assert run.discriminator_card.is_partner
    assert run.discriminator_card.class_names == ()


def test_classes_and_constraints_come_along(conditional_run: gz.Run):
    images, labels = torch.randn(3, 3, 16, 16), torch.tensor([0, 1, 2])
    expected = logits_of_checkpoint(conditional_run, images, labels)
    discriminator = conditional_run.discriminator
    torch.testing.assert_close(discriminator(images, labels), expected, atol=1e-4, rtol=1e-4)
    assert len(conditional_run.discriminator_card.class_names) == 3
    with pytest.raises(UsageError, match="class"):
        discriminator(images)


def test_the_card_says_when_the_model_is_another(run: gz.Run, tmp_path: Path):
    """The nearest checkpoint is taken, and need not be the model's."""
    other = copied(run, tmp_path / "other")
    assert other.model.card.images_seen == IMAGES
    vars(other)["model"] = type(other.model)(
        other.generator, other.model.card.model_copy(update={"images_seen": 96})
    )
    card = other.discriminator_card
    assert (card.images_seen, card.model_images_seen, card.is_partner) == (IMAGES, 96, False)
    assert "256" in card.sentence and "96" in card.sentence


def test_a_damaged_checkpoint_is_refused(run: gz.Run, tmp_path: Path):
    other = copied(run, tmp_path / "other")
    for number in other.history.all():
        path = other.history.path(number)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    with pytest.raises(DamagedError, match="checksum"):
        _ = other.discriminator


def test_without_checkpoints_it_says_what_works(run: gz.Run, tmp_path: Path):
    other = copied(run, tmp_path / "other")
    shutil.rmtree(other.path / "checkpoints")
    with pytest.raises(DamagedError, match="no checkpoint") as caught:
        _ = other.discriminator
    assert "latent walk" in caught.value.hint
    assert other.sample(2).shape == (2, 16, 16, 3)
