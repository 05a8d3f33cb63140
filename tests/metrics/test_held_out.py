"""The decision which images can count as held out, by their distances."""

import numpy as np
import pytest
import torch

from ganzfeld.metrics import Comparison, Side, measure, space
from ganzfeld.metrics.held_out import HeldOut, held_out
from tests.conftest import blobs


def side(images: np.ndarray) -> Side:
    return Side(images, space("random-convolutions").features(images))


def compared(others: np.ndarray, training: np.ndarray, ours: np.ndarray | None = None) -> Comparison:
    generated = blobs(120, 16, seed=9) if ours is None else ours
    return Comparison(side(generated), side(others), side(training), space("random-convolutions"))


def decided(others: np.ndarray, training: np.ndarray) -> HeldOut:
    return held_out(compared(others, training))


TRAINING = blobs(300, 16, seed=1)
FRESH = blobs(300, 16, seed=2)


def altered(images: np.ndarray, by: int, seed: int = 0) -> np.ndarray:
    """Add noise of a few levels to images, as another encoding would."""
    noise = np.random.default_rng(seed).integers(-by, by + 1, images.shape)
    return (images.astype(int) + noise).clip(0, 255).astype(np.uint8)


def test_images_of_the_source_can_be_held_out():
    found = decided(FRESH, TRAINING)
    assert not found.reason and not found.text and not found.notes and found.known == 0
    assert found.place is not None and found.place.low < 0.5 < found.place.high
    assert len(found.distances) == 300


@pytest.mark.parametrize(
    "foreign",
    [
        255 - FRESH,
        np.random.default_rng(0).integers(0, 256, FRESH.shape, dtype=np.uint8),
        FRESH[:, ::-1, :, ::-1] // 2 + 90,
        np.kron(FRESH[:, :4, :4], np.ones((1, 4, 4, 1), np.uint8)),
    ],
    ids=["inverted", "noise", "another colour", "parts enlarged"],
)
def test_foreign_images_cannot(foreign: np.ndarray):
    found = decided(foreign, TRAINING)
    assert found.reason == "foreign" and "another source" in found.text
    assert found.place is not None and found.place.low > 0.75
    names = [each.figure.name for each in measure(compared(foreign, TRAINING), ["memorisation"])]
    assert names == ["memorised"], "any generator would seem to copy"


def test_copies_that_were_altered_cannot():
    found = decided(altered(TRAINING, 1), TRAINING)
    assert found.reason == "altered-copies" and found.known == 0
    assert found.place is not None and found.place.high < 0.25


def test_the_training_set_itself_cannot():
    for others in (TRAINING, TRAINING[:60], np.concatenate([TRAINING[:200], FRESH[:49]])):
        found = decided(others, TRAINING)
        assert found.reason == "seen" and found.place is None
        assert f"{min(len(others), 200) if len(others) != 300 else 300} of the" in found.text


def test_what_was_seen_is_left_out_and_counted():
    found = decided(np.concatenate([TRAINING[:100], FRESH[:100]]), TRAINING)
    assert not found.reason and found.known == 100 and len(found.distances) == 100
    assert "100 of the 200 images are in the training set and were left out" in found.notes[0]


def test_the_place_is_what_a_generator_gets_that_draws_like_the_training_set():
    """Use a dataset that is partly foreign, and note what value to expect."""
    others = np.concatenate([FRESH[:220], 255 - FRESH[220:]])
    found = decided(others, TRAINING)
    assert found.place is not None and not found.reason
    (note,) = found.notes
    assert "farther from" in note and f"would get {found.place.value:.2f}, not 0.5" in note
    ours = blobs(300, 16, seed=3)
    (figure,) = (
        each.figure
        for each in measure(compared(others, TRAINING, ours), ["memorisation"])
        if each.figure.name == "nearer_than_held_out"
    )
    assert figure.value == pytest.approx(found.place.value, abs=0.07)
    assert figure.value > 0.55


def test_copies_within_the_training_set_do_not_decide():
    """Ignore copies, whose zero distances would make everything else seem far away."""
    found = decided(FRESH, np.concatenate([TRAINING, TRAINING]))
    assert not found.reason


def test_it_knows_no_unit():
    small = Side(TRAINING, side(TRAINING).features * 1e-3)
    others = Side(FRESH, side(FRESH).features * 1e-3)
    one = held_out(Comparison(others, others, small, None))
    other = decided(FRESH, TRAINING)
    assert one.place is not None and other.place is not None
    assert one.place.value == pytest.approx(other.place.value, abs=1e-3)


def test_foreign_images_near_to_training_images_keep_to_themselves():
    """Detect noise images, whose features are all much alike."""
    random = np.random.default_rng(0)
    training = side(TRAINING).features
    middle = training.mean(0)
    spread = (training - middle).norm(dim=1).median() / 20
    near = middle + spread * torch.from_numpy(random.normal(size=training.shape)).float() / 12
    others = Side(FRESH, near)
    found = held_out(Comparison(others, others, Side(TRAINING, training), None))
    assert found.reason == "foreign" and "form a cluster of their own" in found.text
    assert found.apart is not None and found.apart.low > 0.75
    usual = decided(FRESH, TRAINING).apart
    assert usual is not None and usual.low < 0.5 < usual.high
