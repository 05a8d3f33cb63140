"""Inversion of images that a small generator made, and of what it cannot invert."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganzfeld.data.cache.prune import encoders
from ganzfeld.errors import DataError, UsageError
from ganzfeld.inversion import as_targets, invert, psnr_db
from ganzfeld.inversion.encoder import encoder_of, features_of, fitted, ridge
from ganzfeld.inversion.fit import Fit
from ganzfeld.inversion.invert import Candidates, nearest_samples, started
from ganzfeld.latent import latents_of_seeds, priors
from ganzfeld.model import images_of_latents, images_of_seeds
from ganzfeld.progress import silent
from tests.cli.test_cli import call
from tests.inversion.test_least_squares import tiny_model

pytestmark = pytest.mark.machine

SAMPLES = 256


class TestPsnr:
    def test_is_that_of_its_definition(self):
        """A mean squared error of 1 level^2 is 20 log10(255) = 48.13 dB."""
        image = np.full((1, 4, 4, 3), 100, np.uint8)
        assert psnr_db(image, image + 1)[0] == pytest.approx(48.1308, abs=1e-3)

    def test_ends_at_the_rounding_of_bytes(self):
        image = np.zeros((2, 4, 4, 1), np.uint8)
        assert psnr_db(image, image) == pytest.approx([58.92, 58.92], abs=0.01)

    def test_counts_only_the_pixels_asked_for(self):
        image, other = np.zeros((2, 1, 2, 2, 3), np.uint8)
        other = other + np.uint8(1)
        other[0, 0, 0] = 200
        where = np.array([[False, True], [True, True]])
        assert psnr_db(image, other, where)[0] == pytest.approx(48.1308, abs=1e-3)


@pytest.mark.parametrize("prior", priors.names())
@pytest.mark.parametrize(("method", "least"), [("fast", 30.0), ("best", 42.0)])
def test_images_of_a_generator_are_reproduced(prior: str, method: str, least: float):
    model = tiny_model(prior)
    images = images_of_seeds(model.generator, range(4), prior=prior)
    inversion = invert(model, images, method=method, num_samples=SAMPLES)
    assert inversion.latents.shape == (4, 16)
    assert float(inversion.psnr_db.min()) >= least
    assert inversion.sentence.startswith("reproduced")
    again = images_of_latents(model.generator, inversion.latents)
    assert float(psnr_db(images, again).min()) >= least, "the latents make what was measured"
    onto = priors.load(prior).onto(inversion.latents)
    torch.testing.assert_close(onto, inversion.latents, msg="latents are in the support of the prior")


def test_several_images_at_once_are_inverted_as_each_alone():
    model = tiny_model()
    images = images_of_seeds(model.generator, range(3))
    together = invert(model, images, num_samples=SAMPLES)
    alone = invert(model, images[2:], num_samples=SAMPLES)
    torch.testing.assert_close(together.latents[2:], alone.latents, atol=1e-2, rtol=1e-2)


def test_floats_and_bytes_are_the_same_images():
    model = tiny_model()
    bytes_ = images_of_seeds(model.generator, range(2))
    floats = torch.from_numpy(bytes_).movedim(-1, 1).float() / 127.5 - 1
    torch.testing.assert_close(as_targets(bytes_, model.generator), floats)
    torch.testing.assert_close(as_targets(floats, model.generator), floats)


def test_noise_is_not_reproduced_and_the_sentence_says_so():
    noise = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), np.uint8)
    inversion = invert(tiny_model(), noise, num_samples=SAMPLES)
    assert inversion.psnr_db[0] < 20 and inversion.sentence.startswith("not reproduced")


def test_the_search_never_starts_where_no_prior_draws():
    """Without the bound the encoder leads an image like none of its samples far out, and Adam stays there."""
    model = tiny_model()
    encoder = encoder_of(model, num_samples=SAMPLES)
    far = replace(encoder, weight=100 * encoder.weight)
    fit = Fit.of(model, as_targets(images_of_seeds(model.generator, range(3)), model.generator))
    assert fit.usual_length == pytest.approx(4), "the root of 16 components"
    lengths = started(fit, far, None, None).latents.norm(dim=1)
    assert bool((lengths < 6.001).all())
    inside = torch.full((1, 16), 0.5)
    assert torch.equal(fit.shortened(inside), inside)


IMAGES = np.zeros((2, 16, 16, 3), np.uint8)


@pytest.mark.parametrize(
    ("images", "kind", "message"),
    [
        (IMAGES[:, :8], DataError, "16x8 px"),
        (IMAGES[..., :1], DataError, "1 channels"),
        (IMAGES[0], UsageError, r"shape \(16, 16, 3\)"),
        (IMAGES[:0], UsageError, "no image"),
        (IMAGES.astype(np.float64), UsageError, "uint8"),
        (torch.full((1, 3, 16, 16), torch.nan), DataError, "NaN"),
        (torch.full((1, 3, 16, 16), 255.0), DataError, "from -1 to 1"),
        ("faces", UsageError, "uint8"),
    ],
)
def test_other_images_are_refused(images: object, kind: type[Exception], message: str):
    with pytest.raises(kind, match=message):
        invert(tiny_model(), images, num_samples=SAMPLES)


def test_a_generator_in_another_precision_is_refused():
    model = tiny_model()
    model.generator.double()
    with pytest.raises(UsageError, match="float64") as caught:
        invert(model, IMAGES, num_samples=SAMPLES)
    assert "float()" in caught.value.hint


def test_unknown_methods_and_classes_are_refused():
    with pytest.raises(UsageError, match="unknown method 'bst'") as caught:
        invert(tiny_model(), IMAGES, method="bst", num_samples=SAMPLES)
    assert "best" in caught.value.hint
    with pytest.raises(UsageError, match="no classes"):
        invert(tiny_model(), IMAGES, labels=0, num_samples=SAMPLES)


def test_the_encoder_is_the_least_squares_map_of_a_linear_world():
    noise = torch.Generator().manual_seed(0)
    features = torch.randn(500, 6, generator=noise) * torch.tensor([1.0, 5.0, 0.1, 1.0, 1.0, 3.0]) + 2
    latents = features @ torch.randn(6, 3, generator=noise) + 1
    weight, centre, scale, mean = ridge(features, latents, 100)
    predicted = mean + (features - centre) / scale @ weight
    assert float((predicted - latents).square().mean() / latents.var()) < 1e-4


def test_an_encoder_is_kept_and_one_of_other_weights_is_not_used(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path))
    model = tiny_model()
    calls: list[str] = []

    def note(done: int, total: int, what: str) -> None:
        calls.append(what)

    first = encoder_of(model, progress=note, num_samples=64)
    assert calls
    calls.clear()
    again = encoder_of(model, progress=note, num_samples=64)
    assert not calls and torch.equal(first.weight, again.weight)
    for file in tmp_path.rglob("encoder.safetensors"):
        file.write_bytes(file.read_bytes()[:100])
    assert torch.equal(encoder_of(model, progress=note, num_samples=64).weight, first.weight) and calls
    other = tiny_model(normalisation="none")
    calls.clear()
    encoder_of(other, progress=note, num_samples=64)
    assert calls


def test_encoders_are_listed_and_pruned_with_the_cache(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path))
    model = tiny_model()
    first = encoder_of(model, num_samples=64)
    (kept,) = encoders(tmp_path)
    assert kept.disk_bytes == (kept.folder / "encoder.safetensors").stat().st_size
    assert "1 encoder of latent invert and complete" in call("cache", "list")[1]
    listed = json.loads(call("cache", "list", "--json")[1])
    assert (listed["encoders"], listed["encoders_bytes"]) == (1, kept.disk_bytes)
    assert json.loads(call("cache", "prune", "--days", 1, "--json")[1])["removed_encoders"] == 0
    code, text, _ = call("cache", "prune", "--all")
    assert code == 0 and "0 datasets and 1 encoder removed" in text
    assert encoders(tmp_path) == [] and not kept.folder.exists()
    assert torch.equal(encoder_of(model, num_samples=64).weight, first.weight), "fitted again"


def test_the_nearest_sample_is_that_of_the_visible_pixels():
    """What is hidden does not count: it is white here, and the samples are not."""
    model = tiny_model()
    encoder = fitted(model, None, silent, 64)
    number = 37
    image = model.generator(encoder.latents[number : number + 1])
    visible = torch.ones(1, 1, 16, 16)
    visible[..., 4:12, 4:12] = 0
    hidden = torch.where(visible.bool(), image, torch.ones(()))
    nearest = nearest_samples(Fit.of(model, hidden, visible), encoder, None, 1)
    torch.testing.assert_close(nearest.latents, encoder.latents[number : number + 1])


def test_the_best_candidates_are_those_of_least_cost_of_each_image():
    costs = torch.tensor([3.0, 1.0, 2.0, 5.0, 4.0])
    candidates = Candidates(torch.arange(5.0)[:, None], torch.tensor([0, 0, 0, 1, 1]), None, costs)
    assert candidates.best(2).latents.flatten().tolist() == [1.0, 2.0, 4.0, 3.0]
    assert candidates.best(1).rows.tolist() == [0, 1]


def test_features_know_the_class():
    images, labels = torch.zeros(2, 3, 16, 16), torch.tensor([0, 2])
    features = features_of(images, None, labels, 3)
    assert features[:, -3:].tolist() == [[1, 0, 0], [0, 0, 1]]


def test_seeds_are_not_among_the_samples():
    """Otherwise sampled images would be their own nearest samples, and figures too good."""
    encoder = fitted(tiny_model(), None, silent, 64)
    distances = torch.cdist(encoder.latents, latents_of_seeds(range(256), 16))
    assert float(distances.min()) > 0.5
