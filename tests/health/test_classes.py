"""Readings of runs by class, against their definitions and the faults that they should show."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from ganzfeld.health.probe import ProbeContext
from ganzfeld.health.readings import readings
from ganzfeld.networks import Generator
from tests.health.conftest import examined, patient_of
from tests.training.conftest import small

classes, gradients = readings.load("classes"), readings.load("gradients")


def read(probe: ProbeContext, images: torch.Tensor | None = None, **changes) -> dict[str, float]:
    changed = dataclasses.replace(probe, **changes)
    if images is not None:
        changed.__dict__["images"] = images  # in place of those that the networks would make
    return {name: float(value) for name, value in classes.read(changed).items()}


@pytest.fixture
def probe(by_class) -> ProbeContext:
    return patient_of(by_class, small(classes="projection"))


def within(images: torch.Tensor, labels: torch.Tensor, label: int) -> float:
    """Return the mean distance between two images of a class, pair by pair."""
    chosen = images[labels == label].double().numpy()
    pairs = [(i, j) for i in range(len(chosen)) for j in range(i)]
    return float(np.mean([np.linalg.norm(chosen[i] - chosen[j]) for i, j in pairs]))


def test_fixed_images_have_the_classes_of_the_fixed_latents(probe):
    assert probe.labels is not None
    assert probe.labels.tolist()[:6] == [0, 1, 2, 0, 1, 2]
    assert len(probe.labels) == len(probe.latents) == len(probe.real) == 64
    assert torch.equal((probe.real + 1).sum((2, 3)).argmax(1), probe.labels), "the colour is the class"


@pytest.mark.parametrize("num", [2, 3, 4, 7])
def test_what_is_looked_at_of_live_networks_is_of_all_classes(probe, num):
    numbers = torch.arange(64)
    several = dataclasses.replace(probe, labels=numbers % num, latents=numbers, real=numbers[:50])
    assert several.some_labels is not None and several.some_real_labels is not None
    assert len(several.some_labels.unique()) == num
    assert torch.equal(several.some_latents % num, several.some_labels)
    assert torch.equal(several.some_real % num, several.some_real_labels)
    assert dataclasses.replace(several, labels=None).some_real.tolist() == list(range(50))
    assert dataclasses.replace(several, labels=None).some_latents.tolist() == list(range(0, 64, 2))


def test_the_least_varied_class_is_found(probe):
    labels = probe.labels
    assert labels is not None
    images = probe.real.clone()
    images[labels == 1] *= 0.25
    wanted = [within(images, labels, label) / within(probe.real, labels, label) for label in range(3)]
    assert wanted == pytest.approx([1, 0.25, 1])
    assert read(probe, images=images)["class_diversity_worst"] == pytest.approx(0.25, rel=1e-4)
    assert read(probe, images=images)["class_poorest"] == 1
    images[labels == 2] = images[labels == 2][:1]
    assert read(probe, images=images)["class_diversity_worst"] == 0
    assert read(probe, images=probe.real)["class_diversity_worst"] == pytest.approx(1)


def test_classes_of_which_the_data_shows_little_say_nothing(probe):
    few = torch.tensor([0] * 30 + [1] * 31 + [2] * 3)
    images = probe.real.clone()
    images[few == 2] = 0
    assert read(probe, images=images, labels=few)["class_diversity_worst"] == pytest.approx(1)


def test_a_class_that_is_ignored_shows(probe):
    assert read(probe)["class_effect"] > 0.2
    assert probe.generator.classes is not None
    with torch.no_grad():
        probe.generator.classes.weight.zero_()
    assert read(probe)["class_effect"] == 0


def test_of_many_classes_the_largest_are_looked_at(tmp_path):
    random = np.random.default_rng(0)
    labels = np.sort(random.integers(0, 40, 600))
    np.savez(tmp_path / "many.npz", images=random.integers(0, 255, (600, 8, 8, 1), np.uint8), labels=labels)
    trainer, health_monitor = examined(tmp_path / "many.npz", small(classes="projection", size=8))
    health_monitor.note(trainer.advance())
    seen = health_monitor.probe().labels
    assert seen is not None
    counts = np.bincount(seen.numpy(), minlength=40)
    assert sorted(counts)[-16:] == [4] * 16
    assert min(np.bincount(labels)[counts > 0]) >= sorted(np.bincount(labels))[-16]


def test_a_small_set_lends_its_classes_to_all_latents(tmp_path):
    for number in range(12):
        folder = tmp_path / "set" / str(number % 2)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((16, 16, 3), 20 * number, np.uint8)).save(folder / f"{number}.png")
    trainer, health_monitor = examined(tmp_path / "set", small(classes="concatenation"))
    health_monitor.note(trainer.advance())
    found = health_monitor.take_readings(0.0, everything=True)
    assert set(classes.NAMES) <= set(found)
    labels = health_monitor.probe().labels
    assert labels is not None and len(labels) == 64
    assert labels[:12].tolist() == labels[12:24].tolist()


def test_a_class_that_was_not_in_the_batch_is_no_untaught_layer(by_class):
    probe = patient_of(by_class, small(classes="projection", batch=1, **{"generator.normalisation": "layer"}))
    assert isinstance(probe.generator, Generator) and probe.generator.classes is not None
    gradient = probe.generator.classes.weight.grad
    assert gradient is not None and (gradient.abs().sum(1) == 0).any()
    before = gradients.read(probe)["gradient_reach_generator"]
    gradient.zero_()
    assert gradients.read(probe)["gradient_reach_generator"] == before
